// Reading safetensors files: a JSON header, then the numbers. docs/formats/safetensors.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "safetensors/dtype.h"

namespace plm::safetensors {

struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;  // PyTorch's order: the last size is the contiguous row; empty for one number
  uint64_t bytes = 0;
  uint64_t file_offset = 0;
};

// A file whose header has been checked against its size: data of every tensor lies within the file,
// without gap or overlap. Immutable, so any number of threads may read it. Moving keeps views valid.
class File {
 public:
  static Result<File> open(const std::string& path);
  // A file already in memory, which must outlive the File. `name` is for messages.
  static Result<File> parse(std::span<const std::byte> bytes, std::string name);

  const std::string& path() const { return path_; }
  uint64_t file_bytes() const { return bytes_.size(); }

  struct MetadataEntry {
    std::string key;
    std::string value;
  };
  std::span<const MetadataEntry> metadata() const { return metadata_; }  // __metadata__, sorted by key
  const std::string* find_metadata(std::string_view key) const;          // null when absent

  std::span<const TensorInfo> tensors() const { return tensors_; }  // in the order of their data
  const TensorInfo* find_tensor(std::string_view name) const;       // null when absent
  // Lives as long as the File. Not aligned: the header may have any length.
  std::span<const std::byte> tensor_data(const TensorInfo& tensor) const {
    return bytes_.subspan(tensor.file_offset, tensor.bytes);
  }

 private:
  File() = default;

  MappedFile mapping_;  // empty after parse()
  std::string path_;
  std::span<const std::byte> bytes_;
  std::vector<MetadataEntry> metadata_;
  std::vector<TensorInfo> tensors_;
  std::vector<uint32_t> tensors_by_name_;  // positions sorted by name
};

}  // namespace plm::safetensors
