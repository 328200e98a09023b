// Which tensor of a checkpoint becomes which of a GGUF file. Internal to the folder.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "convert/architecture.h"
#include "convert/checkpoint.h"
#include "convert/tensor_stream.h"
#include "gguf/gguf_writer.h"

namespace plm::convert {

struct PlannedTensor {
  const CheckpointTensor* source = nullptr;
  const TensorRule* rule = nullptr;
  gguf::TensorDescription description;
};

// The arguments must outlive the plan.
class GgufPlan {
 public:
  GgufPlan(const Architecture& architecture, const ModelConfig& config, const Checkpoint& checkpoint,
           const std::string& folder)
      : architecture_(architecture), config_(config), checkpoint_(checkpoint), folder_(folder) {}

  // Every tensor of the checkpoint finds its place, and every place its tensor, of the right shape. Without a
  // `type`, matrices get their own: the one they agree on, or F32.
  Status make(std::optional<TensorType> type);

  // In the order of the checkpoint.
  const std::vector<PlannedTensor>& tensors() const { return tensors_; }
  TensorType type() const { return type_; }

 private:
  struct Match {
    const TensorRule* rule = nullptr;
    int64_t layer = -1;
  };
  Result<Match> match(const CheckpointTensor& tensor) const;
  Status check_shape(const CheckpointTensor& tensor, const Match& match) const;
  Status add(const CheckpointTensor& tensor, const Match& match);
  Status check_copy_of_embedding(const CheckpointTensor& tensor) const;
  Status check_complete() const;
  TensorType choose_type(const TensorRule& rule) const;
  Error problem(const CheckpointTensor& tensor, std::string_view text) const;

  const Architecture& architecture_;
  const ModelConfig& config_;
  const Checkpoint& checkpoint_;
  const std::string& folder_;
  TensorType type_ = TensorType::f32;
  std::vector<PlannedTensor> tensors_;
  std::set<std::string> places_;  // GGUF names taken
};

// The numbers of a checkpoint's tensor, in its own row order.
TensorSource source_of(const Checkpoint& checkpoint, const CheckpointTensor& tensor);

}  // namespace plm::convert
