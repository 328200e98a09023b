#include "quantize/adapter_changes.h"

namespace plm::quantize {

void RowChange::add_to(int64_t row, float* values) const {
  std::vector<float> b_Z;
  for (const Part& part : parts_) {
    b_Z.resize(static_cast<size_t>(part.b_YZ->cols));
    part.b_YZ->decode_row(row, b_Z.data());
    const float* a_K = part.a_ZK.data();
    for (const float b : b_Z) {
      for (int64_t k = 0; k < width_; ++k) values[k] += b * a_K[k];
      a_K += width_;
    }
  }
}

Result<AdapterChanges> AdapterChanges::create(const gguf::File& base,
                                              std::span<const model::ScaledAdapter> adapters) {
  PLM_TRY(const std::string_view architecture, base.get_string("general.architecture"));
  const bool is_tied = base.find_tensor("output.weight") == nullptr;
  for (const model::ScaledAdapter& scaled : adapters) {
    const model::Adapter& adapter = *scaled.adapter;
    PLM_TRY_STATUS(model::check_adapter_architecture(adapter, architecture));
    for (const model::AdapterPair& pair : adapter.pairs) {
      const gguf::TensorInfo* tensor = base.find_tensor(pair.tensor);
      const bool is_output_too = is_tied && pair.tensor == "token_embd.weight";
      if (tensor == nullptr || tensor->n_dims != 2 || is_output_too) {
        return model::misplaced_pair(adapter, pair, architecture);
      }
      PLM_TRY_STATUS(model::check_pair_shape(adapter, pair, tensor->shape[1], tensor->shape[0]));
    }
  }
  AdapterChanges changes;
  changes.adapters_ = adapters;
  return changes;
}

std::optional<RowChange> AdapterChanges::of(std::string_view tensor) const {
  RowChange change;
  for (const model::ScaledAdapter& scaled : adapters_) {
    for (const model::AdapterPair& pair : scaled.adapter->pairs) {
      if (pair.tensor != tensor) continue;
      change.width_ = pair.a_ZK.cols;
      RowChange::Part part{.b_YZ = &pair.b_YZ, .a_ZK = {}};
      part.a_ZK.resize(static_cast<size_t>(pair.rank() * change.width_));
      for (int64_t z = 0; z < pair.rank(); ++z) pair.a_ZK.decode_row(z, part.a_ZK.data() + z * change.width_);
      for (float& a : part.a_ZK) a *= scaled.scale * pair.scale;
      change.parts_.push_back(std::move(part));
    }
  }
  return change.parts_.empty() ? std::nullopt : std::optional(std::move(change));
}

bool AdapterChanges::contains(std::string_view tensor) const {
  for (const model::ScaledAdapter& scaled : adapters_) {
    for (const model::AdapterPair& pair : scaled.adapter->pairs) {
      if (pair.tensor == tensor) return true;
    }
  }
  return false;
}

}  // namespace plm::quantize
