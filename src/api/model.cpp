#include <algorithm>
#include <cmath>
#include <limits>

#include "api/guard.h"
#include "api/state.h"
#include "base/cpu_features.h"
#include "base/tensor_type.h"
#include "convert/peft.h"
#include "runtime/model_drafter.h"

namespace plm {

namespace {

// What the parts beneath would call by other names.
Status check(const ModelOptions& options) {
  struct Range {
    const char* name;
    std::int64_t found, least, most;
  };
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
  for (const Range& range :
       {Range{"n_threads", options.n_threads, 0, kAny},
        Range{"context_length", options.context_length, 0, kAny},
        Range{"batch_size", options.batch_size, 1, 65'536},
        Range{"n_parallel", options.n_parallel, 1, scheduler::SchedulerOptions::kMostSlots},
        Range{"prefix_bytes", options.prefix_bytes, 0, kAny}}) {
    if (range.found >= range.least && range.found <= range.most) continue;
    return make_error(ErrorKind::invalid_argument, "{}: found {}, expected {}", range.name, range.found,
                      range.most == kAny ? fmt::format("{} or more", range.least)
                                         : fmt::format("{} to {}", range.least, range.most));
  }
  if (options.path.empty()) return make_error(ErrorKind::invalid_argument, "path: found none");
  return {};
}

Result<std::vector<model::ScaledAdapter>> load_adapters(const ModelOptions& options) {
  std::vector<model::ScaledAdapter> adapters;
  if (options.adapters.empty()) return adapters;
  PLM_TRY(const gguf::File base, gguf::File::open(options.path));
  for (const AdapterFile& file : options.adapters) {
    if (!std::isfinite(file.scale)) {
      return make_error(ErrorKind::invalid_argument, "{}: scale of the adapter: found {}, expected a number",
                        file.path, file.scale);
    }
    PLM_TRY(model::Adapter adapter, convert::read_adapter(file.path, base));
    adapters.push_back({std::make_shared<const model::Adapter>(std::move(adapter)), file.scale});
  }
  return adapters;
}

Result<std::unique_ptr<runtime::Engine>> load_engine(const ModelOptions& options) {
  runtime::EngineOptions made;
  made.model_path = options.path;
  // More threads than CPUs would wait for each other at every step.
  made.n_threads = std::min(options.n_threads, available_cpus());
  made.context_length = options.context_length;
  made.batch_size = options.batch_size;
  made.progress = options.progress;
  if (!options.cache_type.empty()) {
    made.cache_type = tensor_type_from_name(options.cache_type);
    if (!made.cache_type) {
      return make_error(ErrorKind::invalid_argument,
                        "cache_type: found \"{}\", expected f32, f16, bf16 or q8_0", options.cache_type);
    }
  }
  PLM_TRY(made.adapters, load_adapters(options));
  PLM_TRY(auto engine, runtime::Engine::load(made));
  if (options.progress) options.progress(1);  // the loader's last word may be a little less
  return engine;
}

// Null where none is asked for. The scheduler numbers its sequences as its slots.
Result<std::shared_ptr<runtime::Drafter>> load_drafter(const ModelOptions& options,
                                                       const runtime::Engine& target) {
  std::unique_ptr<runtime::Drafter> lookup, model;
  if (options.prompt_lookup) {
    lookup = std::make_unique<runtime::NgramDrafter>(runtime::NgramSizes{}, options.n_parallel);
  }
  if (!options.draft_path.empty()) {
    runtime::EngineOptions made;
    made.model_path = options.draft_path;
    made.context_length = target.context_length();
    made.pool = target.shared_pool();  // the two never run at the same time
    PLM_TRY(auto engine, runtime::Engine::load(made));
    PLM_TRY(model, runtime::ModelDrafter::create(std::move(engine), target, options.n_parallel));
  }
  if (lookup == nullptr || model == nullptr) {
    return std::shared_ptr<runtime::Drafter>(lookup == nullptr ? std::move(model) : std::move(lookup));
  }
  return std::shared_ptr<runtime::Drafter>(
      std::make_unique<runtime::TwoDrafters>(std::move(lookup), std::move(model)));
}

ModelInfo describe(const runtime::Engine& engine, const ModelOptions& options) {
  const model::Config& config = engine.config();
  const tokenizer::Tokenizer& tokenizer = engine.tokenizer();
  std::string cache_type(tensor_type_name(engine.cache_type()));  // as ModelOptions spells it
  for (char& c : cache_type) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return {.path = options.path,
          .architecture = config.architecture,
          .name = config.name,
          .vocabulary_size = config.vocabulary_size,
          .width = config.width,
          .n_layers = config.n_layers,
          .context_length = engine.context_length(),
          .trained_context_length = config.context_length,
          .cache_bytes_per_token = engine.cache_bytes_per_token(),
          .cache_type = std::move(cache_type),
          .n_threads = engine.n_threads(),
          .n_parallel = options.n_parallel,
          .bos = tokenizer.bos(),
          .eos = tokenizer.eos(),
          .chat_template = {}};
}

}  // namespace

std::string_view version() { return PLM_VERSION; }

std::shared_ptr<const grammar::TokenIndex> Model::State::token_index() {
  std::call_once(has_token_index_, [this] { token_index_ = grammar::TokenIndex::create(tokenizer()); });
  return token_index_;
}

Result<std::shared_ptr<scheduler::Answer>> Model::State::submit(scheduler::Request request) {
  PLM_TRY(auto answer, scheduler->submit(std::move(request)));
  if (answer == nullptr) {
    return make_error(ErrorKind::unsupported, "{} requests wait already", scheduler->options().max_waiting);
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(submitted_, [](const auto& other) { return other.expired(); });
  submitted_.push_back(answer);
  return answer;
}

void Model::State::stop_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& weak : submitted_) {
    if (const auto answer = weak.lock()) answer->cancel();
  }
}

Model::Model(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<Model> Model::load(const ModelOptions& options) {
  PLM_TRY_STATUS(check(options));
  return api::guarded([&]() -> Result<Model> {
    auto state = std::make_shared<State>();
    PLM_TRY(state->engine, load_engine(options));
    state->info = describe(*state->engine, options);
    auto chat_template = chat::Template::create(state->tokenizer(), options.chat_template);
    if (chat_template.ok()) {
      state->info.chat_template = chat_template->source();
      state->chat_template = *std::move(chat_template);
    } else if (!options.chat_template.empty()) {
      return make_error(ErrorKind::invalid_argument, "chat_template: {}", chat_template.error().message);
    } else {
      state->template_error = chat_template.error();  // the model writes all the same
    }
    constexpr int64_t kMostWaiting = 1 << 20;
    scheduler::SchedulerOptions scheduling{
        .n_slots = options.n_parallel, .max_waiting = kMostWaiting, .prefix_bytes = options.prefix_bytes};
    PLM_TRY(scheduling.drafter, load_drafter(options, *state->engine));
    PLM_TRY(state->scheduler, scheduler::Scheduler::create(*state->engine, std::move(scheduling)));
    return Model(std::move(state));
  });
}

const ModelInfo& Model::info() const { return state_->info; }

Result<std::vector<TokenId>> Model::tokenize(std::string_view text, TokenizeOptions options) const {
  return api::guarded([&]() -> Result<std::vector<TokenId>> {
    return state_->tokenizer().encode(
        text, {.add_special = options.add_special, .parse_special = options.parse_special});
  });
}

Result<std::string> Model::detokenize(std::span<const TokenId> ids, bool skip_special) const {
  return api::guarded([&]() -> Result<std::string> {
    const auto& tokenizer = state_->tokenizer();
    for (const TokenId id : ids) {
      if (!tokenizer.is_valid(id)) {
        return make_error(ErrorKind::invalid_argument, "token id: found {}, expected 0 to {}", id,
                          tokenizer.vocabulary_size() - 1);
      }
    }
    return tokenizer.decode(ids, {.skip_special = skip_special});
  });
}

void Model::stop_all() const { state_->stop_all(); }

}  // namespace plm
