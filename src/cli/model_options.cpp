#include "cli/model_options.h"

#include <algorithm>
#include <array>

#include "base/cpu_features.h"
#include "cli/command.h"
#include "cli/output.h"

namespace plm::cli {

namespace {

Result<std::optional<TensorType>> read_cache_type(const std::string& key_type,
                                                  const std::string& value_type) {
  const std::string& name = key_type.empty() ? value_type : key_type;
  if (name.empty()) return std::optional<TensorType>();
  if (!value_type.empty() && value_type != name) {
    return make_error(
        ErrorKind::invalid_argument,
        "-ctv {} differs from -ctk {}: the latent cache holds keys and values in one row, of one type",
        value_type, name);
  }
  constexpr std::array kCacheTypes = {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q8_0};
  const auto type = tensor_type_from_name(name);
  if (!type || std::find(kCacheTypes.begin(), kCacheTypes.end(), *type) == kCacheTypes.end()) {
    return make_error(ErrorKind::invalid_argument, "-ctk {}: expected f32, f16, bf16 or q8_0", name);
  }
  return type;
}

// More threads than CPUs would wait for each other at every step.
int usable_threads(int asked) {
  const int n_cpus = available_cpus();
  if (asked <= n_cpus) return std::max(asked, 0);
  talk("plm: {} threads asked for, {} CPUs here: using {}", asked, n_cpus, n_cpus);
  return n_cpus;
}

}  // namespace

void ModelOptions::add_to(CLI::App& app, const std::string& file_names) {
  model_.add_to(app, file_names);
  lora_.add_to(app);
  app.add_option("-c,--ctx-size", context_, "tokens of context (default: the model's)")
      ->check(within(int64_t{0}, int64_t{1} << 40))
      ->type_name("N");
  app.add_option("-b,--batch-size", batch_, "most tokens of a prompt at a time")
      ->check(within(1, 1 << 20))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("--ubatch-size", micro_batch_, "(-ub) the same, physically: the smaller of the two counts")
      ->check(within(1, 1 << 20))
      ->capture_default_str()
      ->type_name("N");
  app.add_option("-t,--threads", n_threads_, "threads (default: all CPUs)")
      ->check(within(-1, 1 << 20))
      ->type_name("N");
  app.add_option("--threads-batch", n_threads_batch_,
                 "(-tb) accepted for llama.cpp's sake: -t serves prompts too")
      ->check(within(-1, 1 << 20))
      ->type_name("N");
  app.add_option("--n-gpu-layers,--gpu-layers", gpu_layers_, "(-ngl) layers on a GPU; this build has none")
      ->type_name("N");
  app.add_option("--cache-type-k", cache_type_k_,
                 "(-ctk) type of the cache: f32, f16, bf16, q8_0 (default: what is fastest here)")
      ->type_name("TYPE");
  app.add_option("--cache-type-v", cache_type_v_, "(-ctv) the same: keys and values share their rows")
      ->type_name("TYPE");
}

int64_t ModelOptions::batch_size() const { return std::min(batch_, micro_batch_); }

Result<std::unique_ptr<runtime::Engine>> ModelOptions::load() const {
  PLM_TRY(const auto cache_type, read_cache_type(cache_type_k_, cache_type_v_));
  PLM_TRY(const std::string path, model_.find());
  if (!gpu_layers_.empty() && gpu_layers_ != "0") {
    talk("plm: -ngl {}: this build runs on the CPU only; going on there", gpu_layers_);
  }
  if (n_threads_batch_ > 0 && n_threads_batch_ != n_threads_) {
    talk("plm: -tb {}: one set of threads does prompts and text; -t decides", n_threads_batch_);
  }
  runtime::EngineOptions options;
  options.model_path = path;
  options.n_threads = usable_threads(n_threads_);
  options.context_length = context_ > 0 ? context_ : default_context_;
  options.cache_type = cache_type;
  options.batch_size = batch_size();
  PLM_TRY(options.adapters, lora_.load(path));
  PLM_TRY(auto engine, runtime::Engine::load(options));
  if (const int64_t trained = engine->config().context_length; context_ > trained) {
    talk("plm: -c {}: the model was trained for {} tokens; expect worse text beyond them", context_, trained);
  }
  return engine;
}

}  // namespace plm::cli
