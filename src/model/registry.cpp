#include "model/model.h"
#include "model/plm/plm_model.h"

namespace plm::model {
namespace {

struct Architecture {
  std::string_view name;  // general.architecture
  Result<std::unique_ptr<Model>> (*load)(const gguf::File&, const LoadOptions&, ThreadPool&);
};

constexpr Architecture kArchitectures[] = {
    {"plm", load_plm},
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
