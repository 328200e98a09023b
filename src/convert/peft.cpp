#include "convert/peft.h"

#include <array>
#include <filesystem>

#include "base/mapped_file.h"
#include "convert/architecture.h"
#include "convert/peft_config.h"
#include "convert/tensor_stream.h"
#include "model/lora/adapter_builder.h"
#include "safetensors/safetensors_file.h"

namespace plm::convert {
namespace {

using model::AdapterBuilder;

constexpr char kConfigFile[] = "adapter_config.json";
constexpr char kWeightsFile[] = "adapter_model.safetensors";

// How PEFT names a half: the module's name in the base model, and one of these behind it.
struct HalfName {
  std::string_view suffix;
  AdapterBuilder::Half half;
  bool is_embedding = false;
};
// An embedding's matrices are the other way round: A is [rank, tokens], and what a token looks up.
constexpr std::array kHalves = {HalfName{".lora_A.weight", AdapterBuilder::Half::a},
                                HalfName{".lora_B.weight", AdapterBuilder::Half::b},
                                HalfName{".lora_embedding_A", AdapterBuilder::Half::b, true},
                                HalfName{".lora_embedding_B", AdapterBuilder::Half::a, true}};

std::optional<TensorType> plain_type(safetensors::DType dtype) {
  switch (dtype) {
    case safetensors::DType::f32:
      return TensorType::f32;
    case safetensors::DType::f16:
      return TensorType::f16;
    case safetensors::DType::bf16:
      return TensorType::bf16;
    default:
      return std::nullopt;
  }
}

class PeftReader {
 public:
  PeftReader(const safetensors::File& file, const PeftConfig& config, const Architecture& architecture,
             const ModelConfig& base)
      : file_(file), config_(config), architecture_(architecture), base_(base), builder_(file.path()) {}

  Result<model::Adapter> read() {
    for (const safetensors::TensorInfo& tensor : file_.tensors()) PLM_TRY_STATUS(add(tensor));
    return builder_.finish(std::string(architecture_.name), [this](int64_t) { return config_.scale(); });
  }

 private:
  struct Match {
    const TensorRule* rule = nullptr;
    int64_t layer = -1;
  };

  Error refuse(const safetensors::TensorInfo& tensor, std::string_view problem) const {
    return make_error(ErrorKind::unsupported, "{}: tensor {}: {}", file_.path(), shown(tensor.name), problem);
  }

  // The matrix a module's name means.
  std::optional<Match> match(const std::string& module) const {
    const std::string name = module + ".weight";
    for (const TensorRule& rule : architecture_.tensors) {
      if (rule.cols == Size::none || rule.gguf.empty()) continue;
      for (const std::string_view pattern : {rule.hf, rule.hf_also}) {
        const auto found = match_layer_name(pattern, name);
        if (found && found->layer < base_.n_layers) return Match{&rule, found->layer};
      }
    }
    return std::nullopt;
  }

  Status add(const safetensors::TensorInfo& tensor) {
    constexpr std::string_view kPrefix = "base_model.model.";
    std::string_view module = tensor.name;
    if (module.starts_with(kPrefix)) module.remove_prefix(kPrefix.size());
    const HalfName* half = nullptr;
    for (const HalfName& candidate : kHalves) {
      if (module.ends_with(candidate.suffix)) half = &candidate;
    }
    if (half == nullptr) {
      return refuse(tensor, "found a tensor that is no pair's, expected lora_A and lora_B of linear layers");
    }
    module.remove_suffix(half->suffix.size());
    const auto matched = match(std::string(module));
    if (!matched) {
      return refuse(tensor,
                    fmt::format("a {} of {} layers has no such matrix", architecture_.name, base_.n_layers));
    }
    const auto type = plain_type(tensor.dtype);
    if (!type) {
      return refuse(tensor, fmt::format("type: found {}, expected F32, F16 or BF16",
                                        safetensors::dtype_name(tensor.dtype)));
    }
    return add_half(tensor, *half, *matched, *type);
  }

  Status add_half(const safetensors::TensorInfo& tensor, const HalfName& half, const Match& match,
                  TensorType type) {
    const TensorRule& rule = *match.rule;
    const bool is_a = half.half == AdapterBuilder::Half::a;
    const int64_t rank = config_.rank, height = size_of(base_, rule.rows), width = size_of(base_, rule.cols);
    const int64_t rows = is_a ? rank : height, cols = is_a ? width : rank;
    const std::vector<int64_t> expected =
        half.is_embedding ? std::vector{cols, rows} : std::vector{rows, cols};
    if (tensor.shape != expected) {
      std::string found;
      for (const int64_t n : tensor.shape) found += fmt::format("{}{}", found.empty() ? "" : ", ", n);
      return make_error(ErrorKind::bad_data,
                        "{}: tensor {}: shape: found [{}], expected [{}, {}] by the model and r of {}",
                        file_.path(), shown(tensor.name), found, expected[0], expected[1], kConfigFile);
    }
    AdapterBuilder::Part part{.name = tensor.name,
                              .tensor = layer_name(rule.gguf, match.layer),
                              .half = half.half,
                              .type = type,
                              .rows = rows,
                              .cols = cols,
                              .bytes = file_.tensor_data(tensor),
                              .is_transposed = half.is_embedding};
    if (!is_a && rule.order == RowOrder::rope_pairs) {
      const RowMap map{.head_width = base_.key_width, .makes_pairs = true};
      part.row_of = [map](int64_t row) { return map.source_row(row); };
    }
    return builder_.add(part);
  }

  const safetensors::File& file_;
  const PeftConfig& config_;
  const Architecture& architecture_;
  const ModelConfig& base_;
  AdapterBuilder builder_;
};

Result<model::Adapter> read_peft(const std::filesystem::path& folder, const gguf::File& base) {
  const std::string config_path = (folder / kConfigFile).string();
  PLM_TRY(const Json json, read_json_object(config_path));
  PLM_TRY(const PeftConfig config, read_peft_config(JsonFields(json, config_path)));
  std::error_code error;
  if (!std::filesystem::exists(folder / kWeightsFile, error) &&
      std::filesystem::exists(folder / "adapter_model.bin", error)) {
    return make_error(ErrorKind::unsupported,
                      "{}: found adapter_model.bin, a pickle, which could run anything; expected {}",
                      folder.string(), kWeightsFile);
  }
  PLM_TRY(const safetensors::File file, safetensors::File::open((folder / kWeightsFile).string()));
  PLM_TRY(const Architecture* architecture, find_architecture(base));
  PLM_TRY(const ModelConfig model, read_config(*architecture, base));
  return PeftReader(file, config, *architecture, model).read();
}

Result<bool> is_gguf(const std::string& path) {
  constexpr std::string_view kMagic = "GGUF";
  PLM_TRY(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  return bytes.size() >= kMagic.size() &&
         std::string_view(reinterpret_cast<const char*>(bytes.data()), kMagic.size()) == kMagic;
}

}  // namespace

Result<model::Adapter> read_adapter(const std::string& path, const gguf::File& base) {
  const std::filesystem::path place(path);
  std::error_code error;
  if (std::filesystem::is_directory(place, error)) return read_peft(place, base);
  PLM_TRY(const bool gguf, is_gguf(path));
  if (gguf) return model::read_gguf_adapter(path);
  if (place.filename() == kWeightsFile) return read_peft(place.parent_path(), base);
  return make_error(ErrorKind::bad_data, "{}: found neither a GGUF file nor PEFT's {}, expected an adapter",
                    path, kWeightsFile);
}

}  // namespace plm::convert
