// Writing GGUF version 3 files: first all names and shapes, then the data in that order, a piece at a
// time, so that memory stays small whatever the model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/tensor_type.h"
#include "gguf/metadata_builder.h"

namespace plm::gguf {

struct TensorDescription {
  std::string name;
  TensorType type = TensorType::f32;
  std::vector<int64_t> shape = {};  // 1 to 4 sizes in ggml's order, the contiguous row first
};

// The file appears under its name at finish(), whole; a Writer that is dropped before leaves nothing.
// One thread at a time.
class Writer {
 public:
  // Writes the header. The alignment is the metadata's general.alignment, or 32. Refuses what the reader
  // refuses: bad names, names given twice, impossible shapes, a bad alignment. And what its disk cannot hold.
  static Result<Writer> create(const std::string& path, const MetadataBuilder& metadata,
                               std::vector<TensorDescription> tensors);

  // The next bytes of the current tensor; when it is full the next one begins. Refuses more than the
  // current tensor has room for.
  Status append(std::span<const std::byte> bytes);

  // The tensor that append() goes to, or null when all are written.
  const TensorDescription* current() const;

  // Refuses when a tensor lacks data; else the file is synced and put in place.
  Status finish();

 private:
  explicit Writer(AtomicFile file) : file_(std::move(file)) {}

  AtomicFile file_;
  std::string path_;
  std::vector<TensorDescription> tensors_;
  std::vector<uint64_t> bytes_;    // of each tensor
  std::vector<uint64_t> offsets_;  // of each tensor's data, from the start of the file
  size_t current_ = 0;
  uint64_t current_done_ = 0;  // bytes of the current tensor written so far
  uint64_t file_bytes_ = 0;    // when complete
};

}  // namespace plm::gguf
