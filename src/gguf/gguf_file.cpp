#include "gguf/gguf_file.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "gguf/format.h"
#include "gguf/parse.h"

namespace plm::gguf {
namespace {

// Where a shard stands among its siblings: "dir/name-00002-of-00003.gguf" is {"dir/name", 1, 3}.
struct ShardName {
  std::string prefix;
  uint64_t number;  // from 0
  uint64_t count;
};

constexpr std::string_view kShardSuffix = "-00000-of-00000.gguf";

std::optional<ShardName> parse_shard_name(std::string_view path) {
  if (path.size() <= kShardSuffix.size()) return std::nullopt;
  const std::string_view tail = path.substr(path.size() - kShardSuffix.size());
  std::array<uint64_t, 2> numbers{};
  size_t which = 0;
  for (size_t i = 0; i < tail.size(); ++i) {
    if (kShardSuffix[i] != '0') {
      if (tail[i] != kShardSuffix[i]) return std::nullopt;
      if (tail[i] == 'o') which = 1;
      continue;
    }
    if (tail[i] < '0' || tail[i] > '9') return std::nullopt;
    numbers[which] = numbers[which] * 10 + static_cast<uint64_t>(tail[i] - '0');
  }
  if (numbers[0] < 1 || numbers[0] > numbers[1]) return std::nullopt;
  return ShardName{std::string(path.substr(0, path.size() - tail.size())), numbers[0] - 1, numbers[1]};
}

std::string shard_path(const ShardName& name, uint64_t number) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", name.prefix, number + 1, name.count);
}

// What split.no and split.count say; a file without them is alone.
struct Split {
  uint64_t number = 0;
  uint64_t count = 1;
};

Result<Split> read_split(const ParsedShard& shard) {
  const auto read = [&](std::string_view key, uint64_t absent) -> Result<uint64_t> {
    const Value* value = find_value(shard.metadata, shard.metadata_by_key, key);
    if (value == nullptr) return absent;
    const auto number = value->number() != nullptr ? value->number()->to_uint() : std::nullopt;
    if (!number || *number > kMaxShards) {
      return make_error(ErrorKind::bad_data, "key {}: found {}, expected an integer from 0 to {}", key,
                        to_display_string(*value, 3), kMaxShards);
    }
    return *number;
  };
  Split split;
  PLM_TRY(split.count, read(kSplitCountKey, 1));
  PLM_TRY(split.number, read(kSplitNumberKey, 0));
  split.count = std::max<uint64_t>(split.count, 1);
  if (split.number >= split.count) {
    return make_error(ErrorKind::bad_data, "key {}: found {}, expected below {} of {}", kSplitNumberKey,
                      split.number, kSplitCountKey, split.count);
  }
  return split;
}

}  // namespace

Result<File> File::open(const std::string& path) {
  PLM_TRY(MappedFile mapping, MappedFile::open(path));
  auto shard = parse_shard(mapping.bytes(), 0);
  if (!shard) return shard.error().with_context(path);
  const auto split = read_split(*shard);
  if (!split) return split.error().with_context(path);

  File file;
  if (split->count > 1) {
    PLM_TRY_STATUS(file.add_split(path, split->count));
  } else {
    file.add_shard(*std::move(shard), mapping.bytes(), path);
    file.mappings_.push_back(std::move(mapping));
  }
  PLM_TRY_STATUS(file.index_tensors());
  return file;
}

Result<File> File::parse(std::span<const std::byte> bytes, std::string name) {
  auto shard = parse_shard(bytes, 0);
  if (!shard) return shard.error().with_context(name);
  const auto split = read_split(*shard);
  if (!split) return split.error().with_context(name);
  if (split->count > 1) {
    return make_error(ErrorKind::unsupported, "{}: key {}: found {}, expected a file that is not split", name,
                      kSplitCountKey, split->count);
  }
  File file;
  file.add_shard(*std::move(shard), bytes, name);
  PLM_TRY_STATUS(file.index_tensors());
  return file;
}

Status File::add_split(const std::string& path, uint64_t n_shards) {
  const auto name = parse_shard_name(path);
  if (!name || name->count != n_shards) {
    return make_error(ErrorKind::bad_data,
                      "{}: one of {} shards, but the name of the file is not like name-00001-of-{:05}.gguf",
                      path, n_shards, n_shards);
  }
  for (uint64_t i = 0; i < n_shards; ++i) {
    const std::string shard_file = shard_path(*name, i);
    auto mapping = MappedFile::open(shard_file);
    if (!mapping) return mapping.error().with_context(fmt::format("shard {} of {}", i + 1, n_shards));
    auto shard = parse_shard(mapping->bytes(), static_cast<int>(i));
    if (!shard) return shard.error().with_context(shard_file);
    const auto split = read_split(*shard);
    if (!split) return split.error().with_context(shard_file);
    if (split->number != i || split->count != n_shards) {
      return make_error(ErrorKind::bad_data, "{}: found shard {} of {}, expected shard {} of {}", shard_file,
                        split->number + 1, split->count, i + 1, n_shards);
    }
    add_shard(*std::move(shard), mapping->bytes(), shard_file);
    mappings_.push_back(*std::move(mapping));
  }
  PLM_TRY(const uint64_t n_tensors, get_uint_or(kSplitTensorsKey, tensors_.size()));
  if (n_tensors != tensors_.size()) {
    return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected the {} tensors of all shards",
                      path, kSplitTensorsKey, n_tensors, tensors_.size());
  }
  return {};
}

void File::add_shard(ParsedShard shard, std::span<const std::byte> bytes, const std::string& path) {
  if (shard_paths_.empty()) {
    version_ = shard.version;
    alignment_ = shard.alignment;
    metadata_ = std::move(shard.metadata);
    metadata_by_key_ = std::move(shard.metadata_by_key);
  }
  tensors_.insert(tensors_.end(), shard.tensors.begin(), shard.tensors.end());
  shard_paths_.push_back(path);
  shard_bytes_.push_back(bytes);
}

Status File::index_tensors() {
  std::vector<std::string_view> names(tensors_.size());
  std::transform(tensors_.begin(), tensors_.end(), names.begin(), [](const TensorInfo& t) { return t.name; });
  auto order = sort_unique(names, "tensor");
  if (!order) return order.error().with_context(path());
  tensors_by_name_ = *std::move(order);
  return {};
}

uint64_t File::file_bytes() const {
  return std::accumulate(shard_bytes_.begin(), shard_bytes_.end(), uint64_t{0},
                         [](uint64_t sum, std::span<const std::byte> bytes) { return sum + bytes.size(); });
}

const Value* File::find(std::string_view key) const { return find_value(metadata_, metadata_by_key_, key); }

const TensorInfo* File::find_tensor(std::string_view name) const {
  const auto found =
      std::lower_bound(tensors_by_name_.begin(), tensors_by_name_.end(), name,
                       [&](uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  if (found == tensors_by_name_.end() || tensors_[*found].name != name) return nullptr;
  return &tensors_[*found];
}

std::span<const std::byte> File::tensor_data(const TensorInfo& tensor) const {
  return shard_bytes_[static_cast<size_t>(tensor.shard)].subspan(tensor.file_offset,
                                                                 static_cast<size_t>(tensor.bytes));
}

const MappedFile* File::mapping(int shard) const {
  const auto i = static_cast<size_t>(shard);
  return i < mappings_.size() ? &mappings_[i] : nullptr;
}

Error File::key_error(ErrorKind kind, std::string_view key, std::string_view problem) const {
  return make_error(kind, "{}: key {}: {}", path(), printable(key), problem);
}

Error File::wrong_value(std::string_view key, const Value& value, std::string_view expected) const {
  return key_error(ErrorKind::bad_data, key,
                   fmt::format("found {} {}, expected {}", value_type_name(value.type()),
                               printable(to_display_string(value, 3)), expected));
}

Result<const Value*> File::require(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr)
    return key_error(ErrorKind::not_found, key, "found nothing, expected it in the metadata");
  return value;
}

Result<uint64_t> File::get_uint(std::string_view key) const {
  PLM_TRY(const Value* value, require(key));
  const auto result = value->number() != nullptr ? value->number()->to_uint() : std::nullopt;
  if (!result) return wrong_value(key, *value, "an integer that is not negative");
  return *result;
}

Result<double> File::get_float(std::string_view key) const {
  PLM_TRY(const Value* value, require(key));
  const auto result = value->number() != nullptr ? value->number()->to_double() : std::nullopt;
  if (!result || !std::isfinite(*result)) return wrong_value(key, *value, "a finite float");
  return *result;
}

Result<bool> File::get_bool(std::string_view key) const {
  PLM_TRY(const Value* value, require(key));
  const auto result = value->number() != nullptr ? value->number()->to_bool() : std::nullopt;
  if (!result) return wrong_value(key, *value, "a bool");
  return *result;
}

Result<std::string_view> File::get_string(std::string_view key) const {
  PLM_TRY(const Value* value, require(key));
  if (value->string() == nullptr) return wrong_value(key, *value, "a string");
  return *value->string();
}

Result<uint64_t> File::get_uint_or(std::string_view key, uint64_t absent) const {
  return find(key) == nullptr ? Result<uint64_t>(absent) : get_uint(key);
}

Result<double> File::get_float_or(std::string_view key, double absent) const {
  return find(key) == nullptr ? Result<double>(absent) : get_float(key);
}

Result<bool> File::get_bool_or(std::string_view key, bool absent) const {
  return find(key) == nullptr ? Result<bool>(absent) : get_bool(key);
}

Result<std::string_view> File::get_string_or(std::string_view key, std::string_view absent) const {
  return find(key) == nullptr ? Result<std::string_view>(absent) : get_string(key);
}

Result<const Array*> File::get_array(std::string_view key) const {
  PLM_TRY(const Value* value, require(key));
  if (value->array() == nullptr) return wrong_value(key, *value, "an array");
  return value->array();
}

Result<std::span<const std::string_view>> File::get_strings(std::string_view key) const {
  PLM_TRY(const Value* value, require(key));
  const Array* array = value->array();
  if (array == nullptr || array->element_type != ValueType::string) {
    return wrong_value(key, *value, "an array of strings");
  }
  return std::span<const std::string_view>(array->strings);
}

Result<std::vector<int32_t>> File::get_int32s(std::string_view key) const {
  PLM_TRY(const Value* value, require(key));
  const Array* array = value->array();
  if (array == nullptr || !array->holds_numbers()) return wrong_value(key, *value, "an array of integers");
  std::vector<int32_t> result(array->size);
  for (size_t i = 0; i < array->size; ++i) {
    const auto element = array->number(i).to_int();
    if (!element || !std::in_range<int32_t>(*element)) {
      return key_error(
          ErrorKind::bad_data, key,
          fmt::format("element {}: found {} {}, expected an integer of 32 bits", i,
                      value_type_name(array->element_type), to_display_string(Value(array->number(i)), 1)));
    }
    result[i] = static_cast<int32_t>(*element);
  }
  return result;
}

Result<std::vector<float>> File::get_floats(std::string_view key) const {
  PLM_TRY(const Value* value, require(key));
  const Array* array = value->array();
  if (array == nullptr || (array->element_type != ValueType::f32 && array->element_type != ValueType::f64)) {
    return wrong_value(key, *value, "an array of floats");
  }
  std::vector<float> result(array->size);
  for (size_t i = 0; i < array->size; ++i) {
    result[i] = static_cast<float>(array->number(i).to_double().value_or(0));
  }
  return result;
}

}  // namespace plm::gguf
