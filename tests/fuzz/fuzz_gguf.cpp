// Any bytes as a GGUF file: refused, or everything the File offers can be read.
#include "gguf/gguf_file.h"
#include "gguf/metadata_builder.h"

namespace {

using namespace plm::gguf;

// Copying is quadratic in the number of keys, which is small in a real file.
constexpr size_t kKeysToCopy = 64;

void read_metadata(const File& file) {
  size_t shown = 0;
  for (const KeyValue& entry : file.metadata()) {
    PLM_CHECK(file.find(entry.key) == &entry.value);
    shown += to_display_string(entry.value, 100).size() + printable(entry.key).size();
    // Any outcome will do, as long as there is one.
    shown += file.get_uint(entry.key).ok();
    shown += file.get_float_or(entry.key, 1).ok();
    shown += file.get_bool(entry.key).ok();
    shown += file.get_string(entry.key).ok();
    shown += file.get_strings(entry.key).ok();
    shown += file.get_int32s(entry.key).ok();
    shown += file.get_floats(entry.key).ok();
  }
  PLM_CHECK(shown >= file.metadata().size());
}

void copy_metadata(const File& file) {
  if (file.metadata().size() > kKeysToCopy) return;
  MetadataBuilder copy;
  copy.copy_from(file.metadata());
  PLM_CHECK(copy.entries().size() == file.metadata().size());
  size_t encoded = 0;
  for (const auto& entry : copy.entries()) encoded += entry.key.size() + entry.encoded.size();
  PLM_CHECK(encoded <= file.file_bytes());
}

void read_tensors(const File& file) {
  uint64_t total = 0;
  unsigned sum = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    PLM_CHECK(file.find_tensor(tensor.name) == &tensor);
    const auto data = file.tensor_data(tensor);
    for (const std::byte byte : data) sum += std::to_integer<unsigned>(byte);
    total += data.size();
  }
  // No overlaps, so the tensors together are no larger than the file.
  PLM_CHECK(total <= file.file_bytes());
  PLM_CHECK(sum <= 255 * total);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = File::parse(std::as_bytes(std::span(data, size)), "fuzz.gguf");
  if (!file.ok()) {
    PLM_CHECK(file.error().message.starts_with("fuzz.gguf: "));
    PLM_CHECK(file.error().message.find('\n') == std::string::npos);
    return 0;
  }
  read_metadata(*file);
  copy_metadata(*file);
  read_tensors(*file);
  return 0;
}
