// Which tensor of a GGUF file becomes which of a Hugging Face folder, and in which shard. Internal to the
// folder.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "convert/architecture.h"
#include "convert/convert.h"
#include "convert/tensor_stream.h"
#include "gguf/gguf_file.h"
#include "safetensors/dtype.h"

namespace plm::convert {

struct FolderTensor {
  std::string name;
  const gguf::TensorInfo* source = nullptr;
  TensorType type = TensorType::f32;
  std::vector<int64_t> shape;  // PyTorch's order
  RowMap row_map;
  uint64_t bytes = 0;
};

// The arguments must outlive the plan.
class FolderPlan {
 public:
  FolderPlan(const Architecture& architecture, const ModelConfig& config, const gguf::File& file)
      : architecture_(architecture), config_(config), file_(file) {}

  // Every tensor of the file finds its place, and every place its tensor, of the right shape. Tensors of one
  // dimension, float32 in GGUF, get the type of the matrices when that loses nothing.
  Status make(const Options& options);

  size_t n_shards() const { return shard_begins_.size(); }
  std::span<const FolderTensor> shard(size_t index) const;  // sorted by name, as all together are
  TensorType type() const { return type_; }                 // of the matrices
  int64_t n_tensors() const { return std::ssize(tensors_); }
  int64_t n_parameters() const;
  uint64_t bytes() const;

 private:
  Status add(const TensorRule& rule, int64_t layer);
  Status check_none_left() const;
  void choose_type(const Options& options);
  void choose_types_and_shards(const Options& options);

  const Architecture& architecture_;
  const ModelConfig& config_;
  const gguf::File& file_;
  TensorType type_ = TensorType::f32;
  std::vector<FolderTensor> tensors_;
  std::vector<size_t> shard_begins_;  // index of the first tensor of each
};

safetensors::DType to_dtype(TensorType type);
TensorSource source_of(const gguf::File& file, const gguf::TensorInfo& tensor, RowMap row_map);

}  // namespace plm::convert
