// Finds what adapters change in the matrices of a model, checks it against them and plans its packing.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "model/lora/adapter.h"
#include "model/lora/low_rank.h"
#include "model/weights.h"

namespace plm::model {

class LowRankLoader {
 public:
  // The loader packs the narrow matrices with the others; this must outlive its pack().
  LowRankLoader(std::span<const ScaledAdapter> adapters, WeightLoader& loader)
      : adapters_(adapters), loader_(loader) {}

  // Rows of B in an order of their own, as WeightLoader::add_packed takes it.
  struct Part {
    std::vector<int64_t> row_map;
    kernels::PackedMatrix* b = nullptr;
  };
  struct Target {
    std::string tensor;  // of the file: `rows` rows of `cols` numbers
    int64_t rows = 0, cols = 0;
    kernels::PackedMatrix* a = nullptr;
    std::vector<float>* scale = nullptr;
    std::vector<Part> parts;
  };
  // Leaves everything as it is where no adapter changes the tensor.
  Status add(const Target& target);
  // The same for a matrix as a whole.
  Status add(const std::string& tensor, int64_t rows, int64_t cols, std::vector<int64_t> row_map,
             LowRank& out) {
    return add({tensor, rows, cols, &out.a_ZK, &out.scale_Z, {{std::move(row_map), &out.b_YZ}}});
  }

  // After all tensors: refuses changes of others, naming the first.
  Status refuse_others(std::string_view architecture) const;

  int64_t largest_rank() const { return largest_rank_; }

 private:
  std::span<const ScaledAdapter> adapters_;
  WeightLoader& loader_;
  std::set<std::string, std::less<>> seen_;
  std::vector<std::unique_ptr<std::vector<std::byte>>> joined_;  // until they are packed
  int64_t largest_rank_ = 0;
};

}  // namespace plm::model
