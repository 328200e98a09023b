#include "cli/speculation_options.h"

#include <algorithm>

#include "cli/command.h"
#include "cli/output.h"
#include "runtime/model_drafter.h"

namespace plm::cli {

void SpeculationOptions::add_to(CLI::App& app) {
  const std::string group = "Speculative decoding: the same text, sooner";
  const auto add = [&](const std::string& name, auto& value, const char* text, const char* type = "N") {
    return app.add_option(name, value, text)->type_name(type)->group(group);
  };
  add("--spec-type", types_,
      "where guesses come from: none, ngram-simple (what stood in the text before), draft-simple (the model "
      "of -md), or both with a comma between (default: draft-simple with -md, else none)",
      "TYPES")
      ->check(not_empty());
  add("--model-draft,--spec-draft-model", model_, "(-md) a smaller model of the same vocabulary", "FILE")
      ->check(not_empty());
  add("--threads-draft,--spec-draft-threads", n_threads_, "(-td) its threads (default: those of -t)")
      ->check(within(0, 1 << 20));
  add("--spec-draft-n-max,--draft-max,--draft-n,--draft", settings_.n_max,
      "most tokens guessed at once; fewer where few of them come true; more than 7 count as 7")
      ->check(within(int64_t{0}, int64_t{1} << 20))
      ->capture_default_str();
  add("--spec-draft-n-min,--draft-min,--draft-n-min", settings_.n_min, "guesses of fewer tokens are dropped")
      ->check(within(int64_t{0}, int64_t{1} << 20))
      ->capture_default_str();
  add("--spec-draft-p-min,--draft-p-min", settings_.p_min,
      "the model of -md stops guessing where it is less sure than this", "P")
      ->check(within(0.0, 1.0))
      ->capture_default_str();
  add("--spec-ngram-simple-size-n,--spec-ngram-size-n", sizes_.shortest,
      "tokens that must have stood in the text before")
      ->check(within(int64_t{1}, int64_t{1024}))
      ->capture_default_str();
}

Result<SpeculationOptions::Kinds> SpeculationOptions::kinds() const {
  if (types_.empty()) return Kinds{.ngrams = false, .model = !model_.empty()};
  Kinds kinds;
  bool is_none = false;
  for (size_t begin = 0; begin <= types_.size();) {
    const size_t end = std::min(types_.find(',', begin), types_.size());
    const std::string_view type = std::string_view(types_).substr(begin, end - begin);
    if (type == "ngram-simple") {
      kinds.ngrams = true;
    } else if (type == "draft-simple") {
      kinds.model = true;
    } else if (type == "none") {
      is_none = true;
    } else {
      return make_error(ErrorKind::invalid_argument,
                        "--spec-type: found \"{}\", expected none, ngram-simple or draft-simple", type);
    }
    begin = end + 1;
  }
  if (is_none && (kinds.ngrams || kinds.model)) {
    return make_error(ErrorKind::invalid_argument, "--spec-type {}: none goes with no other", types_);
  }
  if (kinds.model && model_.empty()) {
    return make_error(ErrorKind::invalid_argument, "--spec-type draft-simple needs a model: -md FILE");
  }
  return kinds;
}

Status SpeculationOptions::check() const {
  PLM_TRY_STATUS(kinds());
  const int64_t most = std::min(settings_.n_max, kernels::kFineTokens - 1);
  if (settings_.n_min <= most || settings_.n_min == 0) return {};
  return make_error(ErrorKind::invalid_argument,
                    "--draft-min {}: expected at most {}, the longest draft (--draft-max), or all would be "
                    "dropped",
                    settings_.n_min, most);
}

Result<std::unique_ptr<runtime::Drafter>> SpeculationOptions::load_model(const runtime::Engine& target,
                                                                         int n_sequences) const {
  runtime::EngineOptions options;
  options.model_path = model_;
  options.context_length = target.context_length();
  options.batch_size = 512;
  // The two models never run at the same time.
  if (n_threads_ == 0 || n_threads_ == target.n_threads()) {
    options.pool = target.shared_pool();
  } else {
    options.n_threads = n_threads_;
  }
  PLM_TRY(auto engine, runtime::Engine::load(options));
  PLM_TRY(auto drafter, runtime::ModelDrafter::create(std::move(engine), target, n_sequences));
  return std::unique_ptr<runtime::Drafter>(std::move(drafter));
}

Result<std::unique_ptr<runtime::Drafter>> SpeculationOptions::make_drafter(const runtime::Engine& target,
                                                                           int n_sequences) const {
  PLM_TRY_STATUS(check());
  PLM_TRY(const Kinds from, kinds());
  std::unique_ptr<runtime::Drafter> model, ngrams;
  if (from.model) {
    PLM_TRY(model, load_model(target, n_sequences));
  }
  if (from.ngrams) {
    ngrams = std::make_unique<runtime::NgramDrafter>(
        runtime::NgramSizes{.shortest = sizes_.shortest, .longest = std::max<int64_t>(32, sizes_.shortest)},
        n_sequences);
  }
  if (ngrams == nullptr) return model;
  if (model == nullptr) return ngrams;
  return std::unique_ptr<runtime::Drafter>(
      std::make_unique<runtime::TwoDrafters>(std::move(ngrams), std::move(model)));
}

}  // namespace plm::cli
