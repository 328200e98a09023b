#include "safetensors/safetensors_writer.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace plm::safetensors {
namespace {

using Json = nlohmann::ordered_json;

// Data begins at a multiple of this, as the reference implementation writes it.
constexpr size_t kHeaderAlignment = 8;
constexpr uint64_t kMaxDataBytes = uint64_t{1} << 62;

struct Header {
  std::string text;
  std::vector<uint64_t> bytes;  // of each tensor
};

// nlohmann reports text that is not UTF-8 by an exception; it must not leave this file.
Result<std::string> dump(const Json& json) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    return make_error(ErrorKind::invalid_argument,
                      "found a name or metadata that is not UTF-8, expected UTF-8");
  }
}

Result<Header> make_header(std::span<const TensorDescription> tensors,
                           std::span<const File::MetadataEntry> metadata) {
  Json json = Json::object();
  for (const File::MetadataEntry& entry : metadata) json["__metadata__"][entry.key] = entry.value;
  Header header;
  std::set<std::string_view> names{"__metadata__"};
  uint64_t end = 0;
  for (const TensorDescription& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      return make_error(ErrorKind::invalid_argument,
                        "tensor {}: found twice or reserved, expected another name", tensor.name);
    }
    const auto bytes = tensor_bytes(tensor.dtype, tensor.shape);
    if (!bytes) return bytes.error().with_context(fmt::format("tensor {}", tensor.name));
    if (*bytes > kMaxDataBytes - end) {
      return make_error(ErrorKind::invalid_argument, "tensor {}: found more than 2^62 bytes of data in all",
                        tensor.name);
    }
    json[tensor.name] = {
        {"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {end, end + *bytes}}};
    end += *bytes;
    header.bytes.push_back(*bytes);
  }
  PLM_TRY(header.text, dump(json));
  // Spaces after JSON are part of the format.
  header.text.resize((header.text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  return header;
}

}  // namespace

Result<Writer> Writer::create(const std::string& path, std::vector<TensorDescription> tensors,
                              std::span<const File::MetadataEntry> metadata) {
  auto header = make_header(tensors, metadata);
  if (!header) return header.error().with_context(path);
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  Writer writer(std::move(file));
  const uint64_t length = header->text.size();
  PLM_TRY_STATUS(writer.file_.write(std::as_bytes(std::span(&length, 1))));
  PLM_TRY_STATUS(writer.file_.write(header->text));
  writer.path_ = path;
  writer.tensors_ = std::move(tensors);
  writer.bytes_ = std::move(header->bytes);
  writer.skip_full();
  return writer;
}

void Writer::skip_full() {
  while (current_ < tensors_.size() && current_done_ == bytes_[current_]) {
    ++current_;
    current_done_ = 0;
  }
}

Status Writer::append(std::span<const std::byte> bytes) {
  const uint64_t room = current() == nullptr ? 0 : bytes_[current_] - current_done_;
  if (bytes.size() > room) {
    return make_error(ErrorKind::invalid_argument,
                      "{}: tensor {}: found {} bytes, expected at most the {} missing", path_,
                      current() == nullptr ? "(none left)" : current()->name, bytes.size(), room);
  }
  PLM_TRY_STATUS(file_.write(bytes));
  current_done_ += bytes.size();
  skip_full();
  return {};
}

const TensorDescription* Writer::current() const {
  return current_ < tensors_.size() ? &tensors_[current_] : nullptr;
}

Status Writer::finish() {
  if (const TensorDescription* tensor = current()) {
    return make_error(ErrorKind::invalid_argument, "{}: tensor {}: found {} bytes of data, expected {}",
                      path_, tensor->name, current_done_, bytes_[current_]);
  }
  return file_.commit();
}

}  // namespace plm::safetensors
