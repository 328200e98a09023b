#include "model/lora/adapter.h"

#include "gguf/gguf_file.h"
#include "model/lora/adapter_builder.h"
#include "quant/formats.h"

namespace plm::model {
namespace {

constexpr std::string_view kEmbedding = "token_embd.weight";

Status expect(const gguf::File& file, std::string_view key, std::string_view expected) {
  PLM_TRY(const std::string_view found, file.get_string(key));
  if (found == expected) return {};
  return make_error(ErrorKind::bad_data, "{}: key {}: found \"{}\", expected \"{}\", a LoRA adapter",
                    file.path(), key, gguf::printable(found), expected);
}

Status add_tensor(const gguf::File& file, const gguf::TensorInfo& tensor, AdapterBuilder& builder) {
  const bool is_a = tensor.name.ends_with(".lora_a");
  const auto refuse = [&](std::string_view problem) {
    return make_error(ErrorKind::unsupported, "{}: tensor {}: {}", file.path(), gguf::printable(tensor.name),
                      problem);
  };
  if (!is_a && !tensor.name.ends_with(".lora_b")) {
    return refuse("found a tensor that is no pair's, expected names that end in .lora_a or .lora_b");
  }
  if (tensor.n_dims > 2) return refuse(fmt::format("found {} dimensions, expected 2", tensor.n_dims));
  if (quant::find_format(tensor.type) == nullptr) {
    return refuse(fmt::format("type: found {}, expected one that numbers can be read of",
                              tensor_type_name(tensor.type)));
  }
  AdapterBuilder::Part part{.name = tensor.name,
                            .tensor = std::string(tensor.name.substr(0, tensor.name.size() - 7)),
                            .half = is_a ? AdapterBuilder::Half::a : AdapterBuilder::Half::b,
                            .type = tensor.type,
                            .rows = tensor.shape[1],
                            .cols = tensor.shape[0],
                            .bytes = file.tensor_data(tensor)};
  if (part.tensor == kEmbedding) {
    // An embedding is looked up, not multiplied: its file has a row of A for each token, and B turns it
    // into the width.
    part.half = is_a ? AdapterBuilder::Half::b : AdapterBuilder::Half::a;
    part.is_transposed = !is_a;
    if (part.is_transposed) std::swap(part.rows, part.cols);
  }
  return builder.add(part);
}

}  // namespace

void AdapterMatrix::decode_row(int64_t row, float* out) const {
  quant::find_format(type)->decode(bytes.data() + row * row_bytes(type, cols), out, cols);
}

Result<Adapter> read_gguf_adapter(const gguf::File& file) {
  PLM_TRY_STATUS(expect(file, "general.type", "adapter"));
  PLM_TRY_STATUS(expect(file, "adapter.type", "lora"));
  PLM_TRY(const std::string_view architecture, file.get_string("general.architecture"));
  // Without an alpha llama.cpp takes B A as it is.
  PLM_TRY(const double alpha, file.get_float_or("adapter.lora.alpha", 0));
  if (file.find("adapter.alora.invocation_tokens") != nullptr) {
    return make_error(ErrorKind::unsupported,
                      "{}: key adapter.alora.invocation_tokens: found an adapter that tokens switch on, "
                      "expected one that always works",
                      file.path());
  }
  AdapterBuilder builder(file.path());
  for (const gguf::TensorInfo& tensor : file.tensors()) PLM_TRY_STATUS(add_tensor(file, tensor, builder));
  return builder.finish(std::string(architecture), [alpha](int64_t rank) {
    return alpha == 0 ? 1.0F : static_cast<float>(alpha / static_cast<double>(rank));
  });
}

Result<Adapter> read_gguf_adapter(const std::string& path) {
  PLM_TRY(const gguf::File file, gguf::File::open(path));
  return read_gguf_adapter(file);
}

Status check_pair_shape(const Adapter& adapter, const AdapterPair& pair, int64_t rows, int64_t cols) {
  if (pair.b_YZ.rows == rows && pair.a_ZK.cols == cols) return {};
  return make_error(ErrorKind::bad_data,
                    "{}: tensor {}: shape: found a change of [{}, {}], expected the model's [{}, {}]",
                    adapter.path, pair.tensor, pair.a_ZK.cols, pair.b_YZ.rows, cols, rows);
}

Status check_adapter_architecture(const Adapter& adapter, std::string_view architecture) {
  if (adapter.architecture == architecture) return {};
  return make_error(ErrorKind::bad_data,
                    "{}: key general.architecture: found \"{}\", expected \"{}\", the model's", adapter.path,
                    gguf::printable(adapter.architecture), architecture);
}

Error misplaced_pair(const Adapter& adapter, const AdapterPair& pair, std::string_view architecture) {
  if (pair.tensor == kEmbedding) {
    return make_error(ErrorKind::unsupported,
                      "{}: tensor {}: found a change of an embedding that is the output matrix too, "
                      "expected none: which of the two is meant cannot be told",
                      adapter.path, kEmbedding);
  }
  return make_error(ErrorKind::bad_data,
                    "{}: tensor {}: found a change, but this {} has no matrix of that name", adapter.path,
                    gguf::printable(pair.tensor), architecture);
}

}  // namespace plm::model
