// Encodes the rows of one tensor in another type, with what is known about its inputs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.h"
#include "gguf/gguf_file.h"
#include "quant/formats.h"
#include "quantize/adapter_changes.h"
#include "quantize/importance.h"
#include "quantize/plan.h"
#include "quantize/refine.h"

namespace plm::quantize {

// How neurons of a feed-forward layer move: the rows of ffn_up, the columns of ffn_down.
struct NeuronMove {
  enum class Axis { rows, columns };
  const std::vector<int32_t>* order = nullptr;  // null: as they are
  Axis axis = Axis::rows;
};

// What the importance's neuron order, if any, means for a tensor of the file. Layers whose neurons have a
// gate or a bias keep theirs.
NeuronMove neuron_move(const gguf::File& file, std::string_view tensor, const Importance* importance);

class MatrixEncoder {
 public:
  // file and importance must outlive the encoder; importance may be null or not know the tensor.
  // Refuses importance or an order of another width than the tensor's.
  static Result<MatrixEncoder> create(const gguf::File& file, const PlannedTensor& tensor,
                                      const Importance* importance, const NeuronMove& move);

  // Rows are changed before they are encoded. Null: as they are. Must outlive the encoder.
  void set_change(const RowChange* change) { change_ = change; }

  int64_t rows() const { return rows_; }
  int64_t row_elements() const { return width_; }
  int64_t out_row_bytes() const { return out_row_bytes_; }
  bool is_weighted() const { return !weights_.empty(); }

  struct Scratch {
    std::vector<float> row, moved, weights;
  };
  // Encodes rows [begin, end) to `out`. Any number of threads, each with its own scratch.
  void encode(int64_t begin, int64_t end, std::byte* out, Scratch& scratch);

  // Weights met so far that are not finite numbers, and those that the new type would make infinite. Rows
  // with the former are not encoded.
  int64_t n_not_finite() const { return met_->not_finite.load(); }
  int64_t n_too_large() const { return met_->too_large.load(); }

 private:
  MatrixEncoder() = default;
  const float* read_row(int64_t row, Scratch& scratch) const;
  void encode_row(const float* values, int64_t row, std::byte* out, Scratch& scratch) const;

  const std::byte* data_ = nullptr;
  const quant::Format* from_ = nullptr;
  const quant::Format* to_ = nullptr;
  int64_t rows_ = 0, width_ = 0, rows_of_matrix_ = 0;
  int64_t in_row_bytes_ = 0, out_row_bytes_ = 0;
  NeuronMove move_;
  const RowChange* change_ = nullptr;
  std::vector<float> weights_;  // [stacked matrix][width], in the order of the output; empty: none
  SecondMoments moments_;       // empty: none known
  struct Met {
    std::atomic<int64_t> not_finite = 0, too_large = 0;
  };
  std::unique_ptr<Met> met_ = std::make_unique<Met>();
};

}  // namespace plm::quantize
