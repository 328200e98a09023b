// Writing safetensors files: first all names and shapes, then the data in that order, a piece at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "safetensors/safetensors_file.h"

namespace plm::safetensors {

struct TensorDescription {
  std::string name;  // UTF-8
  DType dtype = DType::f32;
  std::vector<int64_t> shape = {};  // PyTorch's order; empty for one number
};

// The file appears under its name at finish(), whole; a Writer that is dropped before leaves nothing.
// One thread at a time.
class Writer {
 public:
  static Result<Writer> create(const std::string& path, std::vector<TensorDescription> tensors,
                               std::span<const File::MetadataEntry> metadata = {});

  // The next bytes of the current tensor; when it is full the next one begins. Refuses more than the
  // current tensor has room for.
  Status append(std::span<const std::byte> bytes);

  // The tensor that append() goes to, or null when all are written. Empty tensors are passed over.
  const TensorDescription* current() const;

  // Refuses when a tensor lacks data; else the file is synced and put in place.
  Status finish();

 private:
  explicit Writer(AtomicFile file) : file_(std::move(file)) {}
  void skip_full();

  AtomicFile file_;
  std::string path_;
  std::vector<TensorDescription> tensors_;
  std::vector<uint64_t> bytes_;  // of each tensor
  size_t current_ = 0;
  uint64_t current_done_ = 0;
};

}  // namespace plm::safetensors
