// copy_model_file IN OUT: reads a .gguf or .safetensors file and writes it again through our writer. For
// tests/python/test_gguf_roundtrip.py, which looks at the result with the formats' own packages.
#include "gguf/gguf_file.h"
#include "gguf/gguf_writer.h"
#include "safetensors/safetensors_writer.h"

namespace {

plm::Status copy_gguf(const std::string& in, const std::string& out) {
  PLM_TRY(const auto file, plm::gguf::File::open(in));
  plm::gguf::MetadataBuilder metadata;
  metadata.copy_from(file.metadata());
  for (const char* key : {"split.no", "split.count", "split.tensors.count"}) metadata.remove(key);
  std::vector<plm::gguf::TensorDescription> tensors;
  for (const auto& tensor : file.tensors()) {
    tensors.push_back({.name = std::string(tensor.name),
                       .type = tensor.type,
                       .shape = {tensor.shape.begin(), tensor.shape.begin() + tensor.n_dims}});
  }
  PLM_TRY(auto writer, plm::gguf::Writer::create(out, metadata, std::move(tensors)));
  for (const auto& tensor : file.tensors()) PLM_TRY_STATUS(writer.append(file.tensor_data(tensor)));
  return writer.finish();
}

plm::Status copy_safetensors(const std::string& in, const std::string& out) {
  PLM_TRY(const auto file, plm::safetensors::File::open(in));
  std::vector<plm::safetensors::TensorDescription> tensors;
  for (const auto& tensor : file.tensors()) {
    tensors.push_back({.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape});
  }
  PLM_TRY(auto writer, plm::safetensors::Writer::create(out, std::move(tensors), file.metadata()));
  for (const auto& tensor : file.tensors()) PLM_TRY_STATUS(writer.append(file.tensor_data(tensor)));
  return writer.finish();
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 3) {
    fmt::print(stderr, "usage: copy_model_file IN OUT\n");
    return 2;
  }
  const std::string in = arguments[1];
  const auto copied =
      in.ends_with(".gguf") ? copy_gguf(in, arguments[2]) : copy_safetensors(in, arguments[2]);
  if (copied.ok()) return 0;
  fmt::print(stderr, "copy_model_file: {}\n", copied.error().message);
  return 1;
}
