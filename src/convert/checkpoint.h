// The weights of a Hugging Face folder: model.safetensors, or shards with an index. Internal to the folder.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/tensor_type.h"
#include "convert/json_reader.h"
#include "safetensors/safetensors_file.h"

namespace plm::convert {

struct CheckpointTensor {
  const safetensors::TensorInfo* info = nullptr;
  size_t shard = 0;
  TensorType type = TensorType::f32;  // F32, F16 or BF16
};

// Every header is checked against its file; a shard that the index names must be there and hold the tensors
// it names there. Immutable.
class Checkpoint {
 public:
  static Result<Checkpoint> open(const std::string& folder);

  // Shard after shard in the order of their names, within a shard in the order of the data.
  const std::vector<CheckpointTensor>& tensors() const { return tensors_; }
  const CheckpointTensor* find(std::string_view name) const;  // null when absent
  const std::string& path(const CheckpointTensor& tensor) const { return shards_[tensor.shard].file.path(); }
  std::span<const std::byte> data(const CheckpointTensor& tensor) const {
    return shards_[tensor.shard].file.tensor_data(*tensor.info);
  }
  // Where the data lies, for hints to the kernel.
  const MappedFile& mapping(const CheckpointTensor& tensor) const { return shards_[tensor.shard].mapping; }

 private:
  struct Shard {
    MappedFile mapping;
    safetensors::File file;
  };
  Status add_shard(const std::string& path);
  Status add_indexed(const std::string& folder, const std::string& index_path);

  std::vector<Shard> shards_;
  std::vector<CheckpointTensor> tensors_;
  std::map<std::string, size_t, std::less<>> by_name_;
};

// The file names of "weight_map" in model.safetensors.index.json: tensor -> file. Refuses names that lead out
// of the folder.
Result<std::map<std::string, std::string>> read_weight_map(const Json& index, const std::string& path);

inline constexpr char kWeightsFile[] = "model.safetensors";
inline constexpr char kIndexFile[] = "model.safetensors.index.json";

}  // namespace plm::convert
