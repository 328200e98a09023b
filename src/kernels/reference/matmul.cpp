// Matrix products, dense and over live neurons, from the numbers of the file in double precision.
// The input is not rounded here: what a faster kernel loses by rounding it shows against this.
#include <vector>

#include "kernels/pack.h"
#include "kernels/reference/reference.h"

namespace plm::kernels::reference {

void matmul(const MatmulArgs& args) {
  const PackedMatrix& w = *args.weight;
  const Activations& x = *args.x;
  PLM_CHECK(x.width == w.cols && args.group_end <= w.n_groups());
  static thread_local std::vector<float> row;
  row.resize(static_cast<size_t>(w.cols));
  const int64_t row_end = std::min(args.group_end * kGroupRows, w.rows);
  for (int64_t r = args.group_begin * kGroupRows; r < row_end; ++r) {
    unpack_row(w, r, row.data());
    for (int64_t i = 0; i < args.n_tokens; ++i) {
      const float* values = x.values + (args.first_token + i * args.token_stride) * x.value_stride;
      double sum = 0;
      for (int64_t k = 0; k < w.cols; ++k)
        sum += static_cast<double>(row[static_cast<size_t>(k)]) * values[k];
      float& y = args.y[i * args.y_stride + r];
      y = static_cast<float>(args.add ? y + sum : sum);
    }
  }
}

void combine_rows(const CombineRowsArgs& args) {
  const PackedMatrix& w = *args.weight;
  PLM_CHECK(w.rows <= kCombineRows);
  static thread_local std::vector<float> row;
  static thread_local std::vector<double> sums;
  row.resize(static_cast<size_t>(w.cols));
  sums.assign(static_cast<size_t>(w.cols), 0.0);
  for (int64_t r = 0; r < w.rows; ++r) {
    unpack_row(w, r, row.data());
    for (size_t k = 0; k < row.size(); ++k) sums[k] += static_cast<double>(args.coefficient_R[r]) * row[k];
  }
  for (size_t k = 0; k < row.size(); ++k) {
    args.y_K[k] = static_cast<float>(args.add ? args.y_K[k] + sums[k] : sums[k]);
  }
}

void sparse_matmul(const SparseMatmulArgs& args) {
  const NeuronMajorMatrix& w = *args.weight;
  PLM_CHECK(args.begin % kNeuronMajorOutputs == 0 && args.end <= w.n_outputs);
  static thread_local std::vector<float> neuron;
  static thread_local std::vector<double> sums;
  neuron.resize(static_cast<size_t>(w.n_outputs));
  sums.assign(static_cast<size_t>(w.n_outputs), 0.0);
  for (int64_t i = 0; i < args.live.count; ++i) {
    unpack_neuron(w, args.live.index[i], neuron.data());
    for (int64_t o = args.begin; o < args.end; ++o) {
      sums[static_cast<size_t>(o)] +=
          static_cast<double>(args.live.value[i]) * neuron[static_cast<size_t>(o)];
    }
  }
  for (int64_t o = args.begin; o < args.end; ++o) {
    args.y[o] = static_cast<float>(args.y[o] + sums[static_cast<size_t>(o)]);
  }
}

}  // namespace plm::kernels::reference
