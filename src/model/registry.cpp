#include "model/llama/llama_model.h"
#include "model/minicpm/minicpm_model.h"
#include "model/model.h"
#include "model/plm/plm_model.h"
#include "model/qwen2/qwen2_model.h"
#include "model/qwen3/qwen3_model.h"

namespace plm::model {
namespace {

struct Architecture {
  std::string_view name;  // general.architecture
  Result<std::unique_ptr<Model>> (*load)(const gguf::File&, const LoadOptions&, ThreadPool&);
};

constexpr Architecture kArchitectures[] = {
    {"plm", load_plm},          // latent attention, squared ReLU
    {"llama", load_llama},      // Llama 2 and 3, SmolLM2
    {"qwen2", load_qwen2},      // Qwen2, Qwen2.5
    {"qwen3", load_qwen3},      // dense
    {"minicpm", load_minicpm},  // MiniCPM 1
};

}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const Architecture& architecture : kArchitectures) names.emplace_back(architecture.name);
  return names;
}

Result<std::unique_ptr<Model>> load_model(const gguf::File& file, const LoadOptions& options,
                                          ThreadPool& pool) {
  PLM_TRY(const std::string_view name, file.get_string("general.architecture"));
  for (const ScaledAdapter& scaled : options.adapters) {
    PLM_TRY_STATUS(check_adapter_architecture(*scaled.adapter, name));
  }
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.name == name) return architecture.load(file, options, pool);
  }
  std::string known;
  for (const Architecture& architecture : kArchitectures) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", architecture.name);
  }
  return make_error(ErrorKind::unsupported, "{}: key general.architecture: found \"{}\", expected one of: {}",
                    file.path(), name, known);
}

}  // namespace plm::model
