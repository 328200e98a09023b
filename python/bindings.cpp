// The module plm._plm: plm.h for the Python package, which gives it its shape (plm/model.py). Texts go in as
// bytes.
//
// The interpreter's lock is given up wherever the model works, so that other threads of Python run.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <tuple>

#include "values.h"

namespace plm::python {

namespace {

using AdapterPath = std::pair<nb::bytes, float>;

const char* reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::end:
      return "end";
    case StopReason::stop_text:
      return "stop_text";
    case StopReason::max_tokens:
      return "max_tokens";
    case StopReason::context_full:
      return "context_full";
    case StopReason::stopped:
      return "stopped";
  }
  return "stopped";
}

class BoundStream {
 public:
  explicit BoundStream(Stream stream) : stream_(std::move(stream)) {}

  // (text, tokens, calls), or None: nothing in this time, or it is finished.
  nb::object next(double seconds) {
    Piece piece;
    Stream& stream = stream_.get();
    const auto patience =
        std::chrono::milliseconds(static_cast<int64_t>(std::clamp(seconds, 0.0, 60.0) * 1e3));
    const auto outcome = [&] {
      const nb::gil_scoped_release unlocked;
      const std::lock_guard lock(mutex_);
      const auto answer = stream.next(piece, patience);
      is_finished_ = is_finished_ || answer == Stream::Next::finished;
      return answer;
    }();
    if (outcome != Stream::Next::piece) return nb::none();
    return nb::make_tuple(text_of(piece.text), scores_of(piece.tokens), calls_of(piece.tool_calls));
  }
  bool is_finished() const { return is_finished_; }
  void stop() { stream_.get().stop(); }
  nb::tuple answer() {
    const Answer answer = [&] {
      const nb::gil_scoped_release unlocked;
      const std::lock_guard lock(mutex_);
      return value_of(stream_.get().answer());
    }();
    return nb::make_tuple(text_of(answer.text), scores_of(answer.tokens), calls_of(answer.tool_calls),
                          reason_name(answer.reason), text_of(answer.stop_text), answer.n_prompt,
                          answer.n_reused, answer.n_drafted, answer.n_accepted, answer.seed,
                          answer.prompt_seconds, answer.answer_seconds);
  }

 private:
  OfThisProcess<Stream> stream_;
  std::mutex mutex_;  // a Stream is for one thread
  std::atomic<bool> is_finished_{false};
};

class BoundModel {
 public:
  BoundModel(const nb::bytes& path, const ModelOptions& options, const std::vector<AdapterPath>& adapters)
      : model_(load(path, options, adapters)) {}

  const ModelInfo& info() const { return model_.peek().info(); }

  std::vector<TokenId> tokenize(const nb::bytes& text, bool add_special, bool parse_special) {
    const nb::gil_scoped_release unlocked;
    return value_of(
        model_.get().tokenize(view(text), {.add_special = add_special, .parse_special = parse_special}));
  }
  nb::bytes detokenize(const std::vector<TokenId>& ids, bool skip_special) {
    return bytes_of(value_of(model_.get().detokenize(ids, skip_special)));
  }
  nb::str chat_prompt(const nb::bytes& messages, const ChatOptions& options) {
    return text_of(value_of(model_.get().chat_prompt(value_of(messages_from_json(view(messages))), options)));
  }

  BoundStream* stream(const PromptValue& prompt, const GenerateOptions& options) {
    const Prompt made = prompt_of(prompt);
    const nb::gil_scoped_release unlocked;
    return new BoundStream(value_of(model_.get().stream(made, options)));
  }
  BoundStream* stream_chat(const nb::bytes& messages, const ChatOptions& chat,
                           const GenerateOptions& options) {
    const nb::gil_scoped_release unlocked;
    const auto list = value_of(messages_from_json(view(messages)));
    return new BoundStream(value_of(model_.get().stream_chat(list, chat, options)));
  }

  nb::list score(const PromptValue& prompt, int n_top, bool parse_special) {
    const Prompt made = prompt_of(prompt);
    return scores_of(value_of(interruptible([&](KeepGoing keep_going) {
      return model_.get().score(
          made, {.n_top = n_top, .parse_special = parse_special, .keep_going = std::move(keep_going)});
    })));
  }
  std::vector<std::vector<float>> embed(const std::vector<PromptValue>& texts, Pooling pooling,
                                        bool normalise) {
    std::vector<Prompt> made;
    for (const PromptValue& text : texts) made.push_back(prompt_of(text));
    return value_of(interruptible([&](KeepGoing keep_going) {
      return model_.get().embed_all(
          made, {.pooling = pooling, .normalise = normalise, .keep_going = std::move(keep_going)});
    }));
  }

  std::tuple<std::vector<TokenId>, int64_t> save_session(const nb::bytes& path) {
    Session session = value_of(interruptible([&](const KeepGoing& keep_going) {
      return model_.get().save_session(std::string(view(path)), keep_going);
    }));
    return {std::move(session.tokens), session.n_bytes};
  }
  std::tuple<std::vector<TokenId>, int64_t> load_session(const nb::bytes& path) {
    Session session = value_of(interruptible([&](const KeepGoing& keep_going) {
      return model_.get().load_session(std::string(view(path)), keep_going);
    }));
    return {std::move(session.tokens), session.n_bytes};
  }

  void stop_all() { model_.get().stop_all(); }

 private:
  static Model load(const nb::bytes& path, ModelOptions options, const std::vector<AdapterPath>& adapters) {
    options.path = view(path);
    for (const auto& [file, scale] : adapters) {
      options.adapters.push_back({.path = std::string(view(file)), .scale = scale});
    }
    const nb::gil_scoped_release unlocked;
    return value_of(Model::load(options));
  }

  OfThisProcess<Model> model_;
};

void bind_options(nb::module_& module) {
  nb::class_<ModelOptions>(module, "ModelOptions")
      .def(nb::init<>())
      .def_rw("n_threads", &ModelOptions::n_threads)
      .def_rw("n_parallel", &ModelOptions::n_parallel)
      .def_rw("context_length", &ModelOptions::context_length)
      .def_rw("batch_size", &ModelOptions::batch_size)
      .def_rw("prefix_bytes", &ModelOptions::prefix_bytes)
      .def_rw("cache_type", &ModelOptions::cache_type)
      .def_rw("chat_template", &ModelOptions::chat_template)
      .def_rw("prompt_lookup", &ModelOptions::prompt_lookup)
      .def_prop_rw(
          "draft_path", [](const ModelOptions& options) { return bytes_of(options.draft_path); },
          [](ModelOptions& options, const nb::bytes& path) { options.draft_path = view(path); });
  nb::class_<ChatOptions>(module, "ChatOptions")
      .def(nb::init<>())
      .def_rw("tools", &ChatOptions::tools)
      .def_rw("template_variables", &ChatOptions::template_variables)
      .def_rw("add_generation_prompt", &ChatOptions::add_generation_prompt);
  nb::class_<GenerateOptions>(module, "GenerateOptions")
      .def(nb::init<>())
      .def_rw("max_tokens", &GenerateOptions::max_tokens)
      .def_rw("stop", &GenerateOptions::stop)
      .def_rw("temperature", &GenerateOptions::temperature)
      .def_rw("top_k", &GenerateOptions::top_k)
      .def_rw("top_p", &GenerateOptions::top_p)
      .def_rw("min_p", &GenerateOptions::min_p)
      .def_rw("typical_p", &GenerateOptions::typical_p)
      .def_rw("repeat_last_n", &GenerateOptions::repeat_last_n)
      .def_rw("repeat_penalty", &GenerateOptions::repeat_penalty)
      .def_rw("presence_penalty", &GenerateOptions::presence_penalty)
      .def_rw("frequency_penalty", &GenerateOptions::frequency_penalty)
      .def_rw("seed", &GenerateOptions::seed, nb::arg().none())
      .def_rw("logit_bias", &GenerateOptions::logit_bias)
      .def_rw("grammar", &GenerateOptions::grammar)
      .def_rw("json_schema", &GenerateOptions::json_schema)
      .def_rw("regex", &GenerateOptions::regex)
      .def_rw("n_top", &GenerateOptions::n_top)
      .def_rw("ignores_end", &GenerateOptions::ignores_end)
      .def_rw("shows_special", &GenerateOptions::shows_special)
      .def_rw("parse_special", &GenerateOptions::parse_special);
  nb::enum_<Pooling>(module, "Pooling")
      .value("mean", Pooling::mean)
      .value("cls", Pooling::cls)
      .value("last", Pooling::last);
}

void bind_model(nb::module_& module) {
  nb::class_<ModelInfo>(module, "ModelInfo")
      .def_prop_ro("path", [](const ModelInfo& info) { return bytes_of(info.path); })
      .def_prop_ro("architecture", [](const ModelInfo& info) { return text_of(info.architecture); })
      .def_prop_ro("name", [](const ModelInfo& info) { return text_of(info.name); })
      .def_ro("vocabulary_size", &ModelInfo::vocabulary_size)
      .def_ro("width", &ModelInfo::width)
      .def_ro("n_layers", &ModelInfo::n_layers)
      .def_ro("context_length", &ModelInfo::context_length)
      .def_ro("trained_context_length", &ModelInfo::trained_context_length)
      .def_ro("cache_bytes_per_token", &ModelInfo::cache_bytes_per_token)
      .def_ro("cache_type", &ModelInfo::cache_type)
      .def_ro("n_threads", &ModelInfo::n_threads)
      .def_ro("n_parallel", &ModelInfo::n_parallel)
      .def_ro("bos", &ModelInfo::bos)
      .def_ro("eos", &ModelInfo::eos)
      .def_prop_ro("chat_template", [](const ModelInfo& info) { return text_of(info.chat_template); });
  nb::class_<BoundStream>(module, "Stream")
      .def("next", &BoundStream::next, nb::arg("seconds"),
           nb::sig(
               "def next(self, seconds: float) -> tuple[str, list[tuple[int, float | None, list[tuple[int, "
               "float]]]], list[tuple[str, str]]] | None"))
      .def_prop_ro("is_finished", &BoundStream::is_finished)
      .def("stop", &BoundStream::stop)
      .def("answer", &BoundStream::answer,
           nb::sig("def answer(self) -> tuple[str, list[tuple[int, float | None, list[tuple[int, float]]]], "
                   "list[tuple[str, str]], str, str, int, int, int, int, int, float, float]"));
  nb::class_<BoundModel>(module, "Model")
      .def(nb::init<const nb::bytes&, const ModelOptions&, const std::vector<AdapterPath>&>(),
           nb::arg("path"), nb::arg("options"), nb::arg("adapters"))
      .def_prop_ro("info", &BoundModel::info, nb::rv_policy::reference_internal)
      .def("tokenize", &BoundModel::tokenize, nb::arg("text"), nb::arg("add_special"),
           nb::arg("parse_special"))
      .def("detokenize", &BoundModel::detokenize, nb::arg("ids"), nb::arg("skip_special"))
      .def("chat_prompt", &BoundModel::chat_prompt, nb::arg("messages"), nb::arg("options"))
      .def("stream", &BoundModel::stream, nb::arg("prompt"), nb::arg("options"))
      .def("stream_chat", &BoundModel::stream_chat, nb::arg("messages"), nb::arg("chat"), nb::arg("options"))
      .def(
          "score", &BoundModel::score, nb::arg("prompt"), nb::arg("n_top"), nb::arg("parse_special"),
          nb::sig("def score(self, prompt: bytes | collections.abc.Sequence[int], n_top: int, parse_special: "
                  "bool) -> list[tuple[int, float | None, list[tuple[int, float]]]]"))
      .def("embed", &BoundModel::embed, nb::arg("texts"), nb::arg("pooling"), nb::arg("normalise"))
      .def("save_session", &BoundModel::save_session, nb::arg("path"))
      .def("load_session", &BoundModel::load_session, nb::arg("path"))
      .def("stop_all", &BoundModel::stop_all);
}

}  // namespace

NB_MODULE(_plm, module) {
  module.doc() = "What the package plm is over. Not for use by itself.";
  register_errors();
  bind_options(module);
  bind_model(module);
  module.def("version", [] { return std::string(version()); });
}

}  // namespace plm::python
