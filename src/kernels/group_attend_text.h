// Grouped-query attention in float32, one text for every instruction set: `Simd` is a small vocabulary
// of vectors, given by group_attend_avx2.cpp and its like.
//
// Scores: the numbers of a key are the lanes, so a row is read in order and once for up to kMaxHeads heads;
// the lanes of as many rows as there are lanes are then added up together. Sums: the numbers of a value are
// the lanes, a few vectors of some heads in registers over all rows. Heads that share nothing (one head a
// group) wait for memory, so the row is asked for ahead, its value too.
//
// Internal linkage: the linker must never serve one file with a function compiled for another.
#pragma once

#include "kernels/kernels.h"
#include "kernels/reference/reference.h"

namespace plm::kernels {
namespace {

template <class Simd, TensorType kType>
class GroupAttention {
 public:
  explicit GroupAttention(const GroupAttendArgs& args)
      : args_(args),
        padded_rows_((args.n_rows + 31) / 32 * 32),
        scores_HS_(reinterpret_cast<float*>(args.scratch)) {}

  void run() const {
    for (int64_t h = 0; h < args_.n_heads;) {
      // Blocks of nearly the same number of heads: seven are 4 and 3.
      const int64_t left = args_.n_heads - h;
      const int64_t n_blocks = (left + Simd::kMaxHeads - 1) / Simd::kMaxHeads;
      const int64_t n_heads = (left + n_blocks - 1) / n_blocks;
      attend_heads<1>(h, n_heads);
      h += n_heads;
    }
  }

 private:
  using Vector = typename Simd::Vector;
  static constexpr int kLanes = Simd::kLanes;
  static constexpr int64_t kAskAheadBytes = 4096;

  template <int kHeads>
  void attend_heads(int64_t h, int64_t n_heads) const {
    if constexpr (kHeads < Simd::kMaxHeads) {
      if (n_heads > kHeads) return attend_heads<kHeads + 1>(h, n_heads);
    }
    score<kHeads>(h);
    for (int64_t i = h; i < h + kHeads; ++i) {
      args_.max_H[i] = -__builtin_inff();
      args_.sum_H[i] = 0;
      Simd::softmax_step(scores_HS_ + i * padded_rows_, args_.n_rows, padded_rows_, args_.max_H[i],
                         args_.sum_H[i]);
    }
    int64_t v = 0;
    for (; v + kLanes * Simd::kValueVectors <= args_.value_width; v += kLanes * Simd::kValueVectors) {
      sum_values<kHeads, Simd::kValueVectors>(h, v);
    }
    for (; v < args_.value_width; v += kLanes) sum_values<kHeads, 1>(h, v);
  }

  template <int kHeads>
  void score(int64_t h) const {
    const int64_t Q = args_.key_width;
    for (int64_t s = 0; s < args_.n_rows; s += kLanes) {
      Vector of_row[kHeads][kLanes];
      for (int r = 0; r < kLanes; ++r) {
        // Beyond the last row it is read again; the softmax does not look there.
        const std::byte* row =
            args_.rows + (s + r < args_.n_rows ? s + r : args_.n_rows - 1) * args_.row_bytes;
        if (h == 0) {
          for (int64_t i = 0; i < args_.row_bytes; i += 64) __builtin_prefetch(row + kAskAheadBytes + i);
        }
        Vector sums[kHeads];
#pragma GCC unroll 8
        for (int i = 0; i < kHeads; ++i) sums[i] = Simd::zero();
        for (int64_t q = 0; q < Q; q += kLanes) {
          const Vector key = Simd::template load<kType>(row, q);
#pragma GCC unroll 8
          for (int i = 0; i < kHeads; ++i) {
            sums[i] = Simd::multiply_add(key, Simd::load_floats(args_.q_HQ + (h + i) * Q + q), sums[i]);
          }
        }
#pragma GCC unroll 8
        for (int i = 0; i < kHeads; ++i) of_row[i][r] = sums[i];
      }
#pragma GCC unroll 8
      for (int i = 0; i < kHeads; ++i) {
        Simd::store(scores_HS_ + (h + i) * padded_rows_ + s, Simd::sums_of_lanes(of_row[i]));
      }
    }
  }

  template <int kHeads, int kVectors>
  void sum_values(int64_t h, int64_t v) const {
    Vector out[kHeads][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kHeads; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) out[i][j] = Simd::zero();
    }
    const float* weights = scores_HS_ + h * padded_rows_;
    for (int64_t s = 0; s < args_.n_rows; ++s) {
      const std::byte* row = args_.rows + s * args_.row_bytes;
      Vector value[kVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) {
        value[j] = Simd::template load<kType>(row, args_.key_width + v + j * kLanes);
      }
#pragma GCC unroll 8
      for (int i = 0; i < kHeads; ++i) {
        const Vector weight = Simd::broadcast(weights[i * padded_rows_ + s]);
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) out[i][j] = Simd::multiply_add(value[j], weight, out[i][j]);
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < kHeads; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) {
        Simd::store(args_.out_HV + (h + i) * args_.value_width + v + j * kLanes, out[i][j]);
      }
    }
  }

  const GroupAttendArgs& args_;
  int64_t padded_rows_;
  float* scores_HS_;
};

// Widths that do not divide into vectors occur in no model we know: the plain version serves them.
template <class Simd>
void group_attend_by(const GroupAttendArgs& args) {
  if (args.key_width % Simd::kLanes != 0 || args.value_width % Simd::kLanes != 0) {
    reference::group_attend(args);
    return;
  }
  switch (args.cache_type) {
    case TensorType::f32:
      return GroupAttention<Simd, TensorType::f32>(args).run();
    case TensorType::f16:
      return GroupAttention<Simd, TensorType::f16>(args).run();
    case TensorType::bf16:
      return GroupAttention<Simd, TensorType::bf16>(args).run();
    default:
      return GroupAttention<Simd, TensorType::q8_0>(args).run();
  }
}

}  // namespace
}  // namespace plm::kernels
