#include "gguf/parse.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>

#include "gguf/format.h"
#include "gguf/tensor_extent.h"

namespace plm::gguf {
namespace {

// Walks over the bytes; nothing outside them is ever touched.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return bytes_.size() - position_; }

  template <class T>
  bool read(T& value) {
    if (remaining() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return true;
  }
  bool take(uint64_t count, std::span<const std::byte>& taken) {
    if (remaining() < count) return false;
    taken = bytes_.subspan(position_, count);
    position_ += count;
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Error truncated(std::string_view field, const Cursor& cursor, uint64_t wanted) {
  return make_error(ErrorKind::bad_data, "{}: found {} bytes left at byte {}, expected at least {}", field,
                    cursor.remaining(), cursor.position(), wanted);
}

// What people give by mistake, by its first bytes.
std::string_view guess_format(std::string_view start) {
  struct Signature {
    std::string_view bytes, meaning;
  };
  static constexpr std::array kSignatures = {
      Signature{"\x89PNG", "a PNG image"},
      Signature{"\xFF\xD8\xFF", "a JPEG image"},
      Signature{"PK\x03\x04", "a ZIP archive, perhaps a PyTorch checkpoint"},
      Signature{"\x1F\x8B", "a gzip archive"},
      Signature{"version https://git-lfs", "a Git LFS pointer: the file itself was not downloaded"},
      Signature{"<", "a web page or XML"},
      Signature{"{", "JSON"},
      Signature{"lmgg", "GGML, the format before GGUF"},
      Signature{"fmgg", "GGMF, a format before GGUF"},
      Signature{"tjgg", "GGJT, a format before GGUF"},
      Signature{"FUGG", "GGUF with its bytes reversed"},
  };
  for (const Signature& signature : kSignatures) {
    if (start.starts_with(signature.bytes)) return signature.meaning;
  }
  if (start.size() > 8 && start[8] == '{') return "perhaps a safetensors file";
  return "";
}

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, int shard) : bytes_(bytes), cursor_(bytes), shard_(shard) {}

  Result<ParsedShard> parse() {
    PLM_TRY_STATUS(parse_header());
    PLM_TRY_STATUS(parse_metadata());
    PLM_TRY_STATUS(choose_alignment());
    PLM_TRY_STATUS(parse_tensors());
    PLM_TRY_STATUS(place_tensors());
    return std::move(shard_contents_);
  }

 private:
  template <class T>
  Result<T> read(std::string_view field) {
    T value{};
    if (!cursor_.read(value)) return truncated(field, cursor_, sizeof(T));
    return value;
  }

  // A count of things of which each takes at least `min_bytes` of the rest of the file.
  Result<uint64_t> read_count(std::string_view field, uint64_t min_bytes) {
    PLM_TRY(const uint64_t count, read<uint64_t>(field));
    if (count > cursor_.remaining() / min_bytes) {
      return make_error(ErrorKind::bad_data, "{}: found {}, expected at most {} in the {} bytes left", field,
                        count, cursor_.remaining() / min_bytes, cursor_.remaining());
    }
    return count;
  }

  Result<std::string_view> read_string(std::string_view field) {
    PLM_TRY(const uint64_t length, read<uint64_t>(field));
    std::span<const std::byte> taken;
    if (!cursor_.take(length, taken)) {
      return make_error(ErrorKind::bad_data, "{}: found a length of {}, expected at most the {} bytes left",
                        field, length, cursor_.remaining());
    }
    return as_text(taken);
  }

  Result<std::string_view> read_name(std::string_view field, uint64_t max_bytes) {
    PLM_TRY(const std::string_view name, read_string(field));
    if (name.empty() || name.size() > max_bytes) {
      return make_error(ErrorKind::bad_data, "{}: found a length of {}, expected 1 to {}", field, name.size(),
                        max_bytes);
    }
    return name;
  }

  Result<ValueType> read_value_type(std::string_view field) {
    PLM_TRY(const uint32_t id, read<uint32_t>(field));
    const auto type = value_type_from_id(id);
    if (!type) {
      return make_error(ErrorKind::bad_data, "{}: found {}, expected 0 to {}", field, id,
                        static_cast<uint32_t>(ValueType::f64));
    }
    return *type;
  }

  Status parse_header();
  Status parse_metadata();
  Result<KeyValue> parse_key_value();
  Result<Value> parse_value();
  Result<Array> parse_array(int depth);
  Status parse_strings(Array& array);
  Status parse_numbers(Array& array);
  Status choose_alignment();
  Status parse_tensors();
  Result<TensorInfo> parse_tensor();
  Status place_tensors();

  std::span<const std::byte> bytes_;
  Cursor cursor_;
  int shard_;
  ParsedShard shard_contents_;
  uint64_t n_tensors_ = 0;
  uint64_t n_key_values_ = 0;
};

Status Parser::parse_header() {
  if (bytes_.empty()) return make_error(ErrorKind::bad_data, "found an empty file, expected GGUF");
  const std::string_view start = as_text(bytes_.first(std::min<size_t>(bytes_.size(), 64)));
  if (!start.starts_with("GGUF")) {
    const std::string_view guess = guess_format(start);
    return make_error(ErrorKind::bad_data, "magic: found \"{}\"{}{}{}, expected \"GGUF\"",
                      printable(start.substr(0, 4)), guess.empty() ? "" : " (", guess,
                      guess.empty() ? "" : ")");
  }
  PLM_TRY(const uint32_t magic, read<uint32_t>("magic"));
  PLM_CHECK(magic == kMagic);
  PLM_TRY(const uint32_t version, read<uint32_t>("version"));
  // A big-endian file shows its small version number in the high bytes.
  if ((version & 0xFFFF) == 0 && version != 0) {
    return make_error(ErrorKind::unsupported,
                      "version: found 0x{:08x}, a big-endian file, expected a little-endian one", version);
  }
  if (version < kMinVersion || version > kMaxVersion) {
    return make_error(ErrorKind::unsupported, "version: found {}, expected {} or {}", version, kMinVersion,
                      kMaxVersion);
  }
  shard_contents_.version = version;
  PLM_TRY(n_tensors_, read<uint64_t>("number of tensors"));
  PLM_TRY(n_key_values_, read_count("number of metadata keys", kMinKeyValueBytes));
  if (n_key_values_ > kMaxKeyValues) {
    return make_error(ErrorKind::unsupported, "number of metadata keys: found {}, expected at most {}",
                      n_key_values_, kMaxKeyValues);
  }
  if (n_tensors_ > cursor_.remaining() / kMinTensorBytes) {
    return make_error(ErrorKind::bad_data,
                      "number of tensors: found {}, expected at most {} in the {} bytes left", n_tensors_,
                      cursor_.remaining() / kMinTensorBytes, cursor_.remaining());
  }
  return {};
}

Status Parser::parse_metadata() {
  for (uint64_t i = 0; i < n_key_values_; ++i) {
    auto entry = parse_key_value();
    if (!entry) return entry.error().with_context(fmt::format("metadata {} of {}", i + 1, n_key_values_));
    shard_contents_.metadata.push_back(*std::move(entry));
  }
  std::vector<std::string_view> keys(shard_contents_.metadata.size());
  std::transform(shard_contents_.metadata.begin(), shard_contents_.metadata.end(), keys.begin(),
                 [](const KeyValue& entry) { return entry.key; });
  PLM_TRY(shard_contents_.metadata_by_key, sort_unique(keys, "key"));
  return {};
}

Result<KeyValue> Parser::parse_key_value() {
  PLM_TRY(const std::string_view key, read_name("key", kMaxKeyBytes));
  auto value = parse_value();
  if (!value) return value.error().with_context(fmt::format("key {}", printable(key)));
  return KeyValue{key, *std::move(value)};
}

Result<Value> Parser::parse_value() {
  PLM_TRY(const ValueType type, read_value_type("value type"));
  if (type == ValueType::string) {
    PLM_TRY(const std::string_view string, read_string("string"));
    return Value(string);
  }
  if (type == ValueType::array) {
    PLM_TRY(Array array, parse_array(1));
    return Value(std::move(array));
  }
  Array one{.element_type = type, .size = 1, .bytes = {}, .strings = {}, .arrays = {}};
  PLM_TRY_STATUS(parse_numbers(one));
  return Value(one.number(0));
}

Result<Array> Parser::parse_array(int depth) {
  if (depth > kMaxArrayDepth) {
    return make_error(ErrorKind::unsupported, "array: found more than {} levels of nesting, expected fewer",
                      kMaxArrayDepth);
  }
  Array array;
  PLM_TRY(array.element_type, read_value_type("array element type"));
  const size_t width = value_type_bytes(array.element_type);
  const uint64_t min_bytes = width != 0                                ? width
                             : array.element_type == ValueType::string ? kMinStringBytes
                                                                       : kMinArrayBytes;
  PLM_TRY(array.size, read_count("array length", min_bytes));
  if (width != 0) {
    PLM_TRY_STATUS(parse_numbers(array));
  } else if (array.element_type == ValueType::string) {
    PLM_TRY_STATUS(parse_strings(array));
  } else {
    for (size_t i = 0; i < array.size; ++i) {
      PLM_TRY(Array inner, parse_array(depth + 1));
      array.arrays.push_back(std::move(inner));
    }
  }
  return array;
}

// Vocabularies have hundreds of thousands of strings: a plain loop, with the message made on failure only.
Status Parser::parse_strings(Array& array) {
  array.strings.reserve(array.size);
  for (size_t i = 0; i < array.size; ++i) {
    uint64_t length = 0;
    std::span<const std::byte> taken;
    if (!cursor_.read(length)) return truncated(fmt::format("string {}", i), cursor_, sizeof(length));
    if (!cursor_.take(length, taken)) {
      return make_error(ErrorKind::bad_data,
                        "string {}: found a length of {}, expected at most the {} bytes left", i, length,
                        cursor_.remaining());
    }
    array.strings.push_back(as_text(taken));
  }
  return {};
}

Status Parser::parse_numbers(Array& array) {
  // No overflow: read_count has compared size with the file, and a single value has size 1.
  const uint64_t wanted = array.size * value_type_bytes(array.element_type);
  if (!cursor_.take(wanted, array.bytes)) return truncated("value", cursor_, wanted);
  if (array.element_type == ValueType::boolean) {
    for (const std::byte byte : array.bytes) {
      if (byte > std::byte{1}) {
        return make_error(ErrorKind::bad_data, "bool: found {}, expected 0 or 1", std::to_integer<int>(byte));
      }
    }
  }
  return {};
}

Status Parser::choose_alignment() {
  shard_contents_.alignment = kDefaultAlignment;
  const Value* value = find_value(shard_contents_.metadata, shard_contents_.metadata_by_key, kAlignmentKey);
  if (value == nullptr) return {};
  if (value->type() != ValueType::u32) {
    return make_error(ErrorKind::bad_data, "key {}: found type {}, expected uint32", kAlignmentKey,
                      value_type_name(value->type()));
  }
  const uint64_t alignment = value->number()->bits;
  if (!is_valid_alignment(alignment)) {
    return make_error(ErrorKind::bad_data, "key {}: found {}, expected a power of two from {} to {}",
                      kAlignmentKey, alignment, kMinAlignment, kMaxAlignment);
  }
  shard_contents_.alignment = alignment;
  return {};
}

Status Parser::parse_tensors() {
  // The metadata has used up some of the bytes that parse_header() counted on.
  if (n_tensors_ > cursor_.remaining() / kMinTensorBytes) {
    return make_error(ErrorKind::bad_data,
                      "number of tensors: found {}, expected at most {} in the {} bytes after the metadata",
                      n_tensors_, cursor_.remaining() / kMinTensorBytes, cursor_.remaining());
  }
  shard_contents_.tensors.reserve(n_tensors_);
  for (uint64_t i = 0; i < n_tensors_; ++i) {
    auto tensor = parse_tensor();
    if (!tensor) return tensor.error().with_context(fmt::format("tensor {} of {}", i + 1, n_tensors_));
    shard_contents_.tensors.push_back(*tensor);
  }
  return {};
}

Result<TensorInfo> Parser::parse_tensor() {
  TensorInfo tensor;
  tensor.shard = shard_;
  PLM_TRY(tensor.name, read_name("name", kMaxTensorNameBytes));
  const auto fail = [&](const Error& error) { return error.with_context(printable(tensor.name)); };

  const auto n_dims = read<uint32_t>("number of dimensions");
  if (!n_dims) return fail(n_dims.error());
  if (*n_dims < 1 || *n_dims > kMaxDims) {
    return fail(make_error(ErrorKind::bad_data, "number of dimensions: found {}, expected 1 to {}", *n_dims,
                           kMaxDims));
  }
  tensor.n_dims = static_cast<int>(*n_dims);
  for (size_t i = 0; i < *n_dims; ++i) {
    const auto size = read<uint64_t>("dimension");
    if (!size) return fail(size.error());
    if (*size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return fail(make_error(ErrorKind::bad_data, "dimension {}: found {}, expected below 2^63", i, *size));
    }
    tensor.shape[i] = static_cast<int64_t>(*size);
  }
  const auto type_id = read<uint32_t>("type");
  if (!type_id) return fail(type_id.error());
  const auto type = tensor_type_from_id(*type_id);
  if (!type) {
    return fail(make_error(ErrorKind::unsupported, "type: found {}, expected a known tensor type", *type_id));
  }
  tensor.type = *type;
  const auto extent = tensor_extent(*type, std::span(tensor.shape).first(*n_dims));
  if (!extent) return fail(extent.error());
  tensor.n_elements = extent->n_elements;
  tensor.bytes = extent->bytes;
  const auto offset = read<uint64_t>("offset");
  if (!offset) return fail(offset.error());
  tensor.file_offset = *offset;  // from the start of the data section, until place_tensors()
  return tensor;
}

// Turns offsets within the data section into offsets within the file, once they are proven to be
// aligned, inside it, and apart from each other.
Status Parser::place_tensors() {
  std::vector<TensorInfo>& tensors = shard_contents_.tensors;
  if (tensors.empty()) return {};
  const uint64_t alignment = shard_contents_.alignment;
  const auto data_begin = round_up(cursor_.position(), alignment);
  if (!data_begin || *data_begin > bytes_.size()) {
    return make_error(ErrorKind::bad_data, "tensor data: found the end of the file at byte {}, expected data",
                      bytes_.size());
  }
  const uint64_t data_bytes = bytes_.size() - *data_begin;
  for (TensorInfo& tensor : tensors) {
    const uint64_t offset = tensor.file_offset;
    const auto bytes = static_cast<uint64_t>(tensor.bytes);
    if (offset % alignment != 0) {
      return make_error(ErrorKind::bad_data, "tensor {}: offset: found {}, expected a multiple of {}",
                        printable(tensor.name), offset, alignment);
    }
    if (offset > data_bytes || bytes > data_bytes - offset) {
      return make_error(
          ErrorKind::bad_data,
          "tensor {}: data: found {} bytes at offset {}, expected an end within the {} bytes of "
          "tensor data (is the file truncated?)",
          printable(tensor.name), bytes, offset, data_bytes);
    }
    tensor.file_offset = *data_begin + offset;
  }
  std::vector<const TensorInfo*> by_offset(tensors.size());
  std::transform(tensors.begin(), tensors.end(), by_offset.begin(), [](const TensorInfo& t) { return &t; });
  std::sort(by_offset.begin(), by_offset.end(),
            [](const TensorInfo* a, const TensorInfo* b) { return a->file_offset < b->file_offset; });
  for (size_t i = 1; i < by_offset.size(); ++i) {
    const TensorInfo& before = *by_offset[i - 1];
    const TensorInfo& after = *by_offset[i];
    if (before.file_offset + static_cast<uint64_t>(before.bytes) > after.file_offset) {
      return make_error(ErrorKind::bad_data, "tensor {}: data: found an overlap with {}, expected none",
                        printable(after.name), printable(before.name));
    }
  }
  return {};
}

}  // namespace

Result<ParsedShard> parse_shard(std::span<const std::byte> bytes, int shard) {
  static_assert(std::endian::native == std::endian::little, "values are copied from the file as they are");
  return Parser(bytes, shard).parse();
}

Result<std::vector<uint32_t>> sort_unique(std::span<const std::string_view> names, std::string_view what) {
  if (names.size() > std::numeric_limits<uint32_t>::max()) {
    return make_error(ErrorKind::unsupported, "number of {}s: found {}, expected below 2^32", what,
                      names.size());
  }
  std::vector<uint32_t> order(names.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return names[a] < names[b]; });
  const auto twice = std::adjacent_find(order.begin(), order.end(),
                                        [&](uint32_t a, uint32_t b) { return names[a] == names[b]; });
  if (twice != order.end()) {
    return make_error(ErrorKind::bad_data, "{} {}: found twice, expected once", what,
                      printable(names[*twice]));
  }
  return order;
}

const Value* find_value(std::span<const KeyValue> metadata, std::span<const uint32_t> by_key,
                        std::string_view key) {
  const auto found = std::lower_bound(by_key.begin(), by_key.end(), key,
                                      [&](uint32_t i, std::string_view k) { return metadata[i].key < k; });
  if (found == by_key.end() || metadata[*found].key != key) return nullptr;
  return &metadata[*found].value;
}

}  // namespace plm::gguf
