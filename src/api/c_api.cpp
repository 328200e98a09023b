// The functions of plm_c.h, each a call of plm.h between checks of what C can get wrong.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/c_values.h"
#include "api/guard.h"

struct plm_model {
  plm::Model model;
};

struct plm_answer {
  plm::Answer answer;
  plm::Piece whole;
  std::optional<plm::api::PieceView> view;
};

namespace {

using plm::Error;
using plm::ErrorKind;
using plm::make_error;
using plm::Result;
using plm::Status;

// The message of this thread's last failure; for what cannot even be copied, a text that is always there.
struct LastError {
  std::string message;
  const char* shown = "";
};
LastError& last_error() {
  thread_local LastError error;
  return error;
}

constexpr const char* kNoMemory = "there is no memory left for this";

plm_result fail(plm_result status, std::string_view message) {
  LastError& last = last_error();
  try {
    last.message = message.empty() ? kNoMemory : message;
    last.shown = last.message.c_str();
  } catch (const std::exception&) {
    last.shown = kNoMemory;
  }
  return status;
}

plm_result status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument:
      return PLM_INVALID_ARGUMENT;
    case ErrorKind::not_found:
      return PLM_NOT_FOUND;
    case ErrorKind::bad_data:
      return PLM_BAD_DATA;
    case ErrorKind::unsupported:
      return PLM_UNSUPPORTED;
    case ErrorKind::out_of_memory:
      return PLM_OUT_OF_MEMORY;
    case ErrorKind::io:
      return PLM_IO;
    case ErrorKind::cancelled:
      return PLM_CANCELLED;
  }
  return PLM_BAD_DATA;
}

// work(), which returns a Status; nothing is thrown out of here.
template <class Work>
plm_result call(Work&& work) {
  try {
    const Status status = plm::api::guarded(std::forward<Work>(work));
    return status.ok() ? PLM_OK : fail(status_of(status.error().kind), status.error().message);
  } catch (...) {
    return fail(PLM_OUT_OF_MEMORY, {});  // while an error was being told
  }
}

Error null_pointer(const char* name) {
  return make_error(ErrorKind::invalid_argument, "{}: found a null pointer", name);
}

// Fails unless all of the named pointers are there.
struct Needed {
  const char* name;
  const void* pointer;
};
Status need(std::initializer_list<Needed> all) {
  for (const auto& [name, pointer] : all) {
    if (pointer == nullptr) return null_pointer(name);
  }
  return {};
}

// A buffer may be null where it has no room.
const void* buffer(const void* data, size_t capacity) {
  static constexpr char kNone = 0;
  return capacity == 0 ? &kNone : data;
}

// To a buffer of the caller's. Everything or, where it does not fit, nothing.
template <class Source, class T>
plm_result copy_out(const Source& source, T* to, size_t capacity, size_t* n) {
  *n = source.size();
  if (source.size() > capacity) {
    return fail(PLM_TOO_SMALL,
                fmt::format("the buffer: found room for {}, expected {}", capacity, source.size()));
  }
  if (!source.empty()) std::copy(source.begin(), source.end(), to);
  return PLM_OK;
}

plm::OnPiece on_piece_of(plm_on_piece on_piece, void* data) {
  if (on_piece == nullptr) return {};
  return [on_piece, data](const plm::Piece& piece) {
    const plm::api::PieceView view(piece);
    return on_piece(&view.view(), data) != 0;
  };
}

Status hand_out(Result<plm::Answer> answer, plm_answer** out) {
  if (!answer.ok()) return answer.error();
  if (out == nullptr) return {};
  auto made = std::make_unique<plm_answer>();
  made->answer = *std::move(answer);
  made->whole = {.text = std::move(made->answer.text),
                 .tokens = std::move(made->answer.tokens),
                 .tool_calls = std::move(made->answer.tool_calls)};
  made->view.emplace(made->whole);
  *out = made.release();
  return {};
}

plm_stop_reason reason_of(plm::StopReason reason) {
  switch (reason) {
    case plm::StopReason::end:
      return PLM_STOP_END;
    case plm::StopReason::stop_text:
      return PLM_STOP_TEXT;
    case plm::StopReason::max_tokens:
      return PLM_STOP_MAX_TOKENS;
    case plm::StopReason::context_full:
      return PLM_STOP_CONTEXT_FULL;
    case plm::StopReason::stopped:
      return PLM_STOP_STOPPED;
  }
  return PLM_STOP_STOPPED;
}

}  // namespace

int32_t plm_abi_version(void) { return PLM_C_ABI_VERSION; }
const char* plm_version(void) { return plm::version().data(); }
const char* plm_last_error(void) { return last_error().shown; }

void plm_model_options_init(plm_model_options* options) {
  if (options == nullptr) return;
  const plm::ModelOptions defaults;
  *options = {.struct_size = sizeof *options,
              .path = {},
              .n_threads = defaults.n_threads,
              .n_parallel = defaults.n_parallel,
              .context_length = defaults.context_length,
              .batch_size = defaults.batch_size,
              .prefix_bytes = defaults.prefix_bytes,
              .cache_type = {},
              .chat_template = {},
              .draft_path = {},
              .prompt_lookup = 0};
}

void plm_generate_options_init(plm_generate_options* options) {
  if (options == nullptr) return;
  const plm::GenerateOptions defaults;
  *options = {};
  options->struct_size = sizeof *options;
  options->max_tokens = defaults.max_tokens;
  options->temperature = defaults.temperature;
  options->top_k = defaults.top_k;
  options->top_p = defaults.top_p;
  options->min_p = defaults.min_p;
  options->typical_p = defaults.typical_p;
  options->repeat_last_n = defaults.repeat_last_n;
  options->repeat_penalty = defaults.repeat_penalty;
  options->presence_penalty = defaults.presence_penalty;
  options->frequency_penalty = defaults.frequency_penalty;
  options->n_top = defaults.n_top;
  options->parse_special = defaults.parse_special ? 1 : 0;
}

plm_result plm_model_load(const plm_model_options* options, plm_model** out) {
  if (out != nullptr) *out = nullptr;
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"out", static_cast<const void*>(out)}}));
    PLM_TRY(const auto made, plm::api::model_options(options));
    PLM_TRY(plm::Model model, plm::Model::load(made));
    *out = new plm_model{std::move(model)};
    return {};
  });
}

void plm_model_free(plm_model* model) { delete model; }

plm_result plm_model_describe(const plm_model* model, plm_model_info* info) {
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}, {"info", info}}));
    const plm::ModelInfo& told = model->model.info();
    *info = {.vocabulary_size = told.vocabulary_size,
             .width = told.width,
             .n_layers = told.n_layers,
             .context_length = told.context_length,
             .trained_context_length = told.trained_context_length,
             .cache_bytes_per_token = told.cache_bytes_per_token,
             .n_threads = told.n_threads,
             .n_parallel = told.n_parallel,
             .bos = told.bos.value_or(-1),
             .eos = told.eos.value_or(-1),
             .path = plm::api::to_c(told.path),
             .architecture = plm::api::to_c(told.architecture),
             .name = plm::api::to_c(told.name),
             .cache_type = plm::api::to_c(told.cache_type),
             .chat_template = plm::api::to_c(told.chat_template)};
    return {};
  });
}

plm_result plm_model_stop_all(const plm_model* model) {
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}}));
    model->model.stop_all();
    return {};
  });
}

plm_result plm_tokenize(const plm_model* model, plm_text text, int add_special, int parse_special,
                        plm_token* ids, size_t capacity, size_t* n) {
  std::vector<plm::TokenId> made;
  const plm_result status = call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}, {"n", n}, {"ids", buffer(ids, capacity)}}));
    PLM_TRY(const auto bytes, plm::api::span_of("text", text.data, text.size));
    PLM_TRY(made, model->model.tokenize({bytes.data(), bytes.size()}, {.add_special = add_special != 0,
                                                                       .parse_special = parse_special != 0}));
    return {};
  });
  return status == PLM_OK ? copy_out(made, ids, capacity, n) : status;
}

plm_result plm_detokenize(const plm_model* model, const plm_token* ids, size_t n_ids, int skip_special,
                          char* text, size_t capacity, size_t* n) {
  std::string made;
  const plm_result status = call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}, {"n", n}, {"text", buffer(text, capacity)}}));
    PLM_TRY(const auto all, plm::api::span_of("ids", ids, n_ids));
    PLM_TRY(made, model->model.detokenize(all, skip_special != 0));
    return {};
  });
  return status == PLM_OK ? copy_out(made, text, capacity, n) : status;
}

plm_result plm_generate(const plm_model* model, plm_text prompt, const plm_generate_options* options,
                        plm_on_piece on_piece, void* data, plm_answer** out) {
  if (out != nullptr) *out = nullptr;
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}}));
    PLM_TRY(const auto bytes, plm::api::span_of("prompt", prompt.data, prompt.size));
    PLM_TRY(const auto made, plm::api::generate_options(options));
    return hand_out(model->model.generate(std::string_view(bytes.data(), bytes.size()), made,
                                          on_piece_of(on_piece, data)),
                    out);
  });
}

plm_result plm_generate_from_tokens(const plm_model* model, const plm_token* ids, size_t n_ids,
                                    const plm_generate_options* options, plm_on_piece on_piece, void* data,
                                    plm_answer** out) {
  if (out != nullptr) *out = nullptr;
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}}));
    PLM_TRY(const auto all, plm::api::span_of("ids", ids, n_ids));
    PLM_TRY(const auto made, plm::api::generate_options(options));
    return hand_out(model->model.generate(all, made, on_piece_of(on_piece, data)), out);
  });
}

plm_result plm_chat(const plm_model* model, const plm_conversation* conversation,
                    const plm_generate_options* options, plm_on_piece on_piece, void* data,
                    plm_answer** out) {
  if (out != nullptr) *out = nullptr;
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}, {"conversation", conversation}}));
    PLM_TRY(const std::string json, plm::api::text_of("messages", conversation->messages));
    PLM_TRY(const auto messages, plm::messages_from_json(json));
    plm::ChatOptions chat;
    PLM_TRY(chat.tools, plm::api::text_of("tools", conversation->tools));
    PLM_TRY(chat.template_variables,
            plm::api::text_of("template_variables", conversation->template_variables));
    PLM_TRY(const auto made, plm::api::generate_options(options));
    return hand_out(model->model.chat(messages, chat, made, on_piece_of(on_piece, data)), out);
  });
}

plm_result plm_answer_describe(const plm_answer* answer, plm_answer_info* info) {
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"answer", answer}, {"info", info}}));
    const plm::Answer& told = answer->answer;
    *info = {.whole = answer->view->view(),
             .reason = reason_of(told.reason),
             .stop_text = plm::api::to_c(told.stop_text),
             .n_prompt = told.n_prompt,
             .n_reused = told.n_reused,
             .n_drafted = told.n_drafted,
             .n_accepted = told.n_accepted,
             .seed = told.seed,
             .prompt_seconds = told.prompt_seconds,
             .answer_seconds = told.answer_seconds};
    return {};
  });
}

void plm_answer_free(plm_answer* answer) { delete answer; }

plm_result plm_score(const plm_model* model, const plm_token* ids, size_t n_ids, float* log_probabilities,
                     plm_keep_going keep_going, void* data) {
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}, {"ids", ids}, {"log_probabilities", log_probabilities}}));
    PLM_TRY(const auto scores, model->model.score(std::span(ids, n_ids),
                                                  {.keep_going = plm::api::keep_going_of(keep_going, data)}));
    std::ranges::transform(scores, log_probabilities, [](const plm::TokenScore& score) {
      return score.log_probability.value_or(std::numeric_limits<float>::quiet_NaN());
    });
    return {};
  });
}

plm_result plm_embed(const plm_model* model, plm_text text, plm_pooling pooling, int normalise, float* vector,
                     size_t capacity, plm_keep_going keep_going, void* data) {
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}, {"vector", vector}}));
    if (pooling != PLM_POOLING_MEAN && pooling != PLM_POOLING_CLS && pooling != PLM_POOLING_LAST) {
      return make_error(ErrorKind::invalid_argument, "pooling: found {}, expected 0 to 2",
                        static_cast<int>(pooling));
    }
    const auto width = static_cast<size_t>(model->model.info().width);
    if (capacity < width) {
      return make_error(ErrorKind::invalid_argument, "vector: found room for {} numbers, expected {}",
                        capacity, width);
    }
    PLM_TRY(const std::string bytes, plm::api::text_of("text", text));
    PLM_TRY(const auto row,
            model->model.embed(bytes, {.pooling = pooling == PLM_POOLING_CLS    ? plm::Pooling::cls
                                                  : pooling == PLM_POOLING_LAST ? plm::Pooling::last
                                                                                : plm::Pooling::mean,
                                       .normalise = normalise != 0,
                                       .keep_going = plm::api::keep_going_of(keep_going, data)}));
    std::ranges::copy(row, vector);
    return {};
  });
}

plm_result plm_save_session(const plm_model* model, plm_text path, size_t* n_tokens) {
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}}));
    PLM_TRY(const std::string name, plm::api::text_of("path", path));
    PLM_TRY(const auto session, model->model.save_session(name));
    if (n_tokens != nullptr) *n_tokens = session.tokens.size();
    return {};
  });
}

plm_result plm_load_session(const plm_model* model, plm_text path, size_t* n_tokens) {
  return call([&]() -> Status {
    PLM_TRY_STATUS(need({{"model", model}}));
    PLM_TRY(const std::string name, plm::api::text_of("path", path));
    PLM_TRY(const auto session, model->model.load_session(name));
    if (n_tokens != nullptr) *n_tokens = session.tokens.size();
    return {};
  });
}
