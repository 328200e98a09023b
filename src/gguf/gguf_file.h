// Reading GGUF files, version 2 and 3, little endian, one file or split into shards.
// Start here; the format and our limits are described in docs/formats/gguf.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/tensor_type.h"
#include "gguf/value.h"

namespace plm::gguf {

struct ParsedShard;

struct TensorInfo {
  std::string_view name;
  TensorType type = TensorType::f32;
  int n_dims = 0;                            // 1 to 4
  std::array<int64_t, 4> shape{1, 1, 1, 1};  // ggml's order: shape[0] is the row, contiguous; unused are 1
  int64_t n_elements = 0;
  int64_t bytes = 0;
  int shard = 0;             // index into File::shard_paths()
  uint64_t file_offset = 0;  // of the data, from the start of that shard
};

// A GGUF file whose every count, length, offset and type has been checked: what it returns can be used
// without further checks of bounds. It does not know which keys or tensors a model needs. Keys, names,
// values and data are views of the mapping and live as long as the File; moving a File keeps them
// valid. Immutable, so any number of threads may read it.
class File {
 public:
  // Any shard of a split file (name-00001-of-00003.gguf) opens all of them.
  static Result<File> open(const std::string& path);
  // One unsplit file already in memory, which must outlive the File. `name` is for messages.
  static Result<File> parse(std::span<const std::byte> bytes, std::string name);

  const std::string& path() const { return shard_paths_.front(); }  // of the first shard
  std::span<const std::string> shard_paths() const { return shard_paths_; }
  uint64_t file_bytes() const;  // of all shards
  uint32_t version() const { return version_; }
  uint64_t alignment() const { return alignment_; }

  // In the file's order. Of a split file: the first shard's.
  std::span<const KeyValue> metadata() const { return metadata_; }
  const Value* find(std::string_view key) const;  // null when absent

  // Typed values. Errors name the file and the key: not_found when it is absent, bad_data when the
  // value is of another type or out of range. Integers of any width serve where the value fits.
  Result<uint64_t> get_uint(std::string_view key) const;
  Result<double> get_float(std::string_view key) const;  // float32 or float64, finite
  Result<bool> get_bool(std::string_view key) const;
  Result<std::string_view> get_string(std::string_view key) const;

  // The same, but an absent key gives the default. A value of the wrong type is still an error.
  Result<uint64_t> get_uint_or(std::string_view key, uint64_t absent) const;
  Result<double> get_float_or(std::string_view key, double absent) const;
  Result<bool> get_bool_or(std::string_view key, bool absent) const;
  Result<std::string_view> get_string_or(std::string_view key, std::string_view absent) const;

  // Arrays. Strings are views, nothing is copied. Integer arrays of any width serve where every
  // element fits; float arrays are of float32 or float64.
  Result<const Array*> get_array(std::string_view key) const;
  Result<std::span<const std::string_view>> get_strings(std::string_view key) const;
  Result<std::vector<int32_t>> get_int32s(std::string_view key) const;
  Result<std::vector<float>> get_floats(std::string_view key) const;

  // In the file's order, shard after shard.
  std::span<const TensorInfo> tensors() const { return tensors_; }
  const TensorInfo* find_tensor(std::string_view name) const;  // null when absent
  // `bytes` bytes; aligned to alignment() within the shard (and so in memory up to a page, when mapped).
  std::span<const std::byte> tensor_data(const TensorInfo& tensor) const;
  // The mapping itself, for hints to the kernel. Absent for a File made by parse().
  const MappedFile* mapping(int shard) const;

 private:
  File() = default;
  void add_shard(ParsedShard shard, std::span<const std::byte> bytes, const std::string& path);
  Status add_split(const std::string& path, uint64_t n_shards);
  Status index_tensors();
  Error key_error(ErrorKind kind, std::string_view key, std::string_view problem) const;
  Error wrong_value(std::string_view key, const Value& value, std::string_view expected) const;
  Result<const Value*> require(std::string_view key) const;

  std::vector<MappedFile> mappings_;  // empty after parse()
  std::vector<std::string> shard_paths_;
  std::vector<std::span<const std::byte>> shard_bytes_;
  uint32_t version_ = 0;
  uint64_t alignment_ = 0;
  std::vector<KeyValue> metadata_;
  std::vector<TensorInfo> tensors_;
  // Positions sorted by name. Sorted, not hashed: a hostile file cannot make look-ups slow.
  std::vector<uint32_t> metadata_by_key_;
  std::vector<uint32_t> tensors_by_name_;
};

}  // namespace plm::gguf
