#include "model/lora/low_rank_loader.h"

#include <algorithm>
#include <cstring>

namespace plm::model {
namespace {

struct Change {
  const AdapterPair* pair = nullptr;
  float scale = 1;
};

// F32 holds what F16 and BF16 hold: where they differ nothing is lost.
TensorType common_type(std::span<const Change> changes, AdapterMatrix AdapterPair::* half) {
  const TensorType first = (changes.front().pair->*half).type;
  const bool is_common = std::all_of(changes.begin(), changes.end(), [&](const Change& change) {
    return (change.pair->*half).type == first;
  });
  return is_common ? first : TensorType::f32;
}

// A row in `type`, at `out`.
void put_row(const AdapterMatrix& matrix, int64_t row, TensorType type, std::byte* out) {
  if (type != matrix.type) return matrix.decode_row(row, reinterpret_cast<float*>(out));
  const int64_t bytes = row_bytes(type, matrix.cols);
  std::memcpy(out, matrix.bytes.data() + row * bytes, static_cast<size_t>(bytes));
}

}  // namespace

Status LowRankLoader::add(const Target& target) {
  seen_.insert(target.tensor);
  std::vector<Change> changes;
  int64_t Z = 0;
  for (const ScaledAdapter& scaled : adapters_) {
    for (const AdapterPair& pair : scaled.adapter->pairs) {
      if (pair.tensor != target.tensor) continue;
      PLM_TRY_STATUS(check_pair_shape(*scaled.adapter, pair, target.rows, target.cols));
      changes.push_back({&pair, scaled.scale * pair.scale});
      Z += pair.rank();
      target.scale->insert(target.scale->end(), static_cast<size_t>(pair.rank()), changes.back().scale);
    }
  }
  if (changes.empty()) return {};
  largest_rank_ = std::max(largest_rank_, Z);

  const auto join = [&](TensorType type, int64_t rows, int64_t cols) {
    joined_.push_back(
        std::make_unique<std::vector<std::byte>>(static_cast<size_t>(rows * row_bytes(type, cols))));
    return kernels::FileMatrix{.type = type, .data = joined_.back()->data(), .rows = rows, .cols = cols};
  };
  const kernels::FileMatrix a_ZK = join(common_type(changes, &AdapterPair::a_ZK), Z, target.cols);
  std::byte* out = joined_.back()->data();
  for (const Change& change : changes) {
    for (int64_t z = 0; z < change.pair->rank(); ++z, out += row_bytes(a_ZK.type, a_ZK.cols)) {
      put_row(change.pair->a_ZK, z, a_ZK.type, out);
    }
  }
  const kernels::FileMatrix b_YZ = join(common_type(changes, &AdapterPair::b_YZ), target.rows, Z);
  out = joined_.back()->data();
  for (int64_t y = 0; y < target.rows; ++y) {
    for (const Change& change : changes) {
      put_row(change.pair->b_YZ, y, b_YZ.type, out);
      out += row_bytes(b_YZ.type, change.pair->rank());
    }
  }
  loader_.add_packed(a_ZK, {}, target.a);
  for (const Part& part : target.parts) loader_.add_packed(b_YZ, part.row_map, part.b);
  return {};
}

Status LowRankLoader::refuse_others(std::string_view architecture) const {
  for (const ScaledAdapter& scaled : adapters_) {
    for (const AdapterPair& pair : scaled.adapter->pairs) {
      if (!seen_.contains(pair.tensor)) return misplaced_pair(*scaled.adapter, pair, architecture);
    }
  }
  return {};
}

}  // namespace plm::model
