// Any bytes as a safetensors file: refused, or everything the File offers can be read.
#include "safetensors/safetensors_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using plm::safetensors::File;
  const auto file = File::parse(std::as_bytes(std::span(data, size)), "fuzz.safetensors");
  if (!file.ok()) {
    PLM_CHECK(file.error().message.starts_with("fuzz.safetensors: "));
    PLM_CHECK(file.error().message.find('\n') == std::string::npos);
    return 0;
  }
  for (const auto& entry : file->metadata()) PLM_CHECK(file->find_metadata(entry.key) == &entry.value);
  uint64_t total = 0;
  unsigned sum = 0;
  for (const auto& tensor : file->tensors()) {
    PLM_CHECK(file->find_tensor(tensor.name) == &tensor);
    const auto bytes = file->tensor_data(tensor);
    for (const std::byte byte : bytes) sum += std::to_integer<unsigned>(byte);
    total += bytes.size();
  }
  // Neither overlap nor gap: what is not data is the header.
  PLM_CHECK(total + sizeof(uint64_t) <= file->file_bytes());
  PLM_CHECK(sum <= 255 * total);
  return 0;
}
