#include "gguf/gguf_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/disk_space.h"
#include "gguf/encode.h"
#include "gguf/format.h"
#include "gguf/parse.h"
#include "gguf/tensor_extent.h"

namespace plm::gguf {
namespace {

template <class Items, class NameOf>
Status check_names(const Items& items, NameOf name_of, std::string_view what, uint64_t max_bytes) {
  std::vector<std::string_view> names;
  for (const auto& item : items) {
    names.push_back(name_of(item));
    if (names.back().empty() || names.back().size() > max_bytes) {
      return make_error(ErrorKind::invalid_argument, "{} {}: found a name of {} bytes, expected 1 to {}",
                        what, printable(names.back()), names.back().size(), max_bytes);
    }
  }
  PLM_TRY([[maybe_unused]] const auto order, sort_unique(names, what));
  return {};
}

Result<uint64_t> choose_alignment(const MetadataBuilder& metadata) {
  const MetadataBuilder::Entry* entry = metadata.find(kAlignmentKey);
  if (entry == nullptr) return kDefaultAlignment;
  uint32_t type = 0;
  uint32_t alignment = 0;
  if (entry->encoded.size() == sizeof(type) + sizeof(alignment)) {
    std::memcpy(&type, entry->encoded.data(), sizeof(type));
    std::memcpy(&alignment, entry->encoded.data() + sizeof(type), sizeof(alignment));
  }
  if (type != static_cast<uint32_t>(ValueType::u32) || !is_valid_alignment(alignment)) {
    return make_error(ErrorKind::invalid_argument,
                      "key {}: found {}, expected a uint32 power of two from {} to {}", kAlignmentKey,
                      alignment, kMinAlignment, kMaxAlignment);
  }
  return alignment;
}

// Everything before the tensor data, without the padding. Offsets are from the start of the data.
std::vector<std::byte> encode_header(const MetadataBuilder& metadata,
                                     std::span<const TensorDescription> tensors,
                                     std::span<const uint64_t> offsets) {
  std::vector<std::byte> header;
  append_number<uint32_t>(header, kMagic);
  append_number<uint32_t>(header, kMaxVersion);
  append_number<uint64_t>(header, tensors.size());
  append_number<uint64_t>(header, metadata.entries().size());
  for (const MetadataBuilder::Entry& entry : metadata.entries()) {
    append_string(header, entry.key);
    append_bytes(header, entry.encoded);
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    append_string(header, tensors[i].name);
    append_number(header, static_cast<uint32_t>(tensors[i].shape.size()));
    for (const int64_t size : tensors[i].shape) append_number(header, static_cast<uint64_t>(size));
    append_number(header, static_cast<uint32_t>(tensors[i].type));
    append_number(header, offsets[i]);
  }
  return header;
}

}  // namespace

Result<Writer> Writer::create(const std::string& path, const MetadataBuilder& metadata,
                              std::vector<TensorDescription> tensors) {
  const auto fail = [&](const Error& error) { return error.with_context(path); };
  const Status keys = check_names(
      metadata.entries(), [](const auto& e) { return std::string_view(e.key); }, "key", kMaxKeyBytes);
  if (!keys) return fail(keys.error());
  const Status names = check_names(
      tensors, [](const auto& t) { return std::string_view(t.name); }, "tensor", kMaxTensorNameBytes);
  if (!names) return fail(names.error());
  const auto alignment = choose_alignment(metadata);
  if (!alignment) return fail(alignment.error());

  std::vector<uint64_t> bytes;
  std::vector<uint64_t> offsets;
  uint64_t end = 0;
  for (const TensorDescription& tensor : tensors) {
    const auto extent = tensor_extent(tensor.type, tensor.shape);
    if (!extent) return fail(extent.error().with_context(fmt::format("tensor {}", printable(tensor.name))));
    bytes.push_back(static_cast<uint64_t>(extent->bytes));
    offsets.push_back(end);
    // Both terms are below 2^63, so the sum fits; it must stay there for the next one.
    const auto next = round_up(end + bytes.back(), *alignment);
    if (!next || *next >= uint64_t{1} << 62) {
      return fail(make_error(ErrorKind::invalid_argument,
                             "tensor {}: found more than 2^62 bytes of data in all", printable(tensor.name)));
    }
    end = *next;
  }
  std::vector<std::byte> header = encode_header(metadata, tensors, offsets);
  header.resize(*round_up(header.size(), *alignment));

  PLM_TRY_STATUS(check_free_space(path, header.size() + end));
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  Writer writer(std::move(file));
  PLM_TRY_STATUS(writer.file_.write(header));
  for (uint64_t& offset : offsets) offset += header.size();
  writer.path_ = path;
  writer.tensors_ = std::move(tensors);
  writer.bytes_ = std::move(bytes);
  writer.offsets_ = std::move(offsets);
  writer.file_bytes_ = header.size() + end;
  return writer;
}

Status Writer::append(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  const uint64_t room = current() == nullptr ? 0 : bytes_[current_] - current_done_;
  if (bytes.size() > room) {
    return make_error(ErrorKind::invalid_argument,
                      "{}: tensor {}: found {} bytes, expected at most the {} missing", path_,
                      current() == nullptr ? "(none left)" : printable(current()->name), bytes.size(), room);
  }
  PLM_TRY_STATUS(file_.write_at(offsets_[current_] + current_done_, bytes));
  current_done_ += bytes.size();
  if (current_done_ == bytes_[current_]) {
    ++current_;
    current_done_ = 0;
  }
  return {};
}

const TensorDescription* Writer::current() const {
  return current_ < tensors_.size() ? &tensors_[current_] : nullptr;
}

Status Writer::finish() {
  if (const TensorDescription* tensor = current()) {
    return make_error(ErrorKind::invalid_argument, "{}: tensor {}: found {} bytes of data, expected {}",
                      path_, printable(tensor->name), current_done_, bytes_[current_]);
  }
  // The last tensor is padded too, as other programs expect; gaps before it read as zeros already.
  if (file_.size() < file_bytes_) {
    const std::vector<std::byte> padding(file_bytes_ - file_.size());
    PLM_TRY_STATUS(file_.write(padding));
  }
  return file_.commit();
}

}  // namespace plm::gguf
