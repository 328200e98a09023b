// The input of a matrix product, rounded once and shared by all matrices that read it.
//
// Quantised weights are multiplied in integers, so the input is rounded to integers in blocks of 32
// with one scale each: x ~ scale * q. Two precisions:
//   fine    q has 16 bits, kept as two planes of signed bytes, q = 256 high + low. For few tokens:
//           decode waits for memory anyway, and the rounding costs nothing that can be seen.
//   coarse  q has 8 bits. For prefill, which is bound by arithmetic.
//   bf16    x is rounded to bfloat16 and multiplied as such: for prefill on a CPU with matrix units, where
//           this is both faster and, without a scale shared by 32 numbers, nearer to x than coarse.
// Plain weights (F32, F16, BF16) read the numbers themselves.
#pragma once

#include <cstdint>

#include "base/aligned_buffer.h"
#include "base/error.h"

namespace plm::kernels {

enum class Precision { fine, coarse, bf16 };

// Up to this many tokens the input of a product is kept fine.
inline constexpr int64_t kFineTokens = 8;

struct Activations {
  // Room for that many tokens of that width, for more than kFineTokens of them in the precision `many`
  // (Kernels::many_tokens). The fields below are set up by begin().
  static Result<Activations> allocate(int64_t max_tokens, int64_t max_width,
                                      Precision many = Precision::coarse);

  // Starts a new input: values stay with the caller, rows value_stride apart.
  void begin(const float* values_TK, int64_t n_tokens, int64_t width, int64_t value_stride,
             Precision precision);

  int64_t n_blocks() const { return (width + 31) / 32; }

  // Numbers for products with plain weights, which round nothing. They stay with the caller.
  static Activations unrounded(const float* values_TK, int64_t n_tokens, int64_t width, int64_t value_stride);

  const float* values = nullptr;
  int64_t value_stride = 0;
  int64_t n_tokens = 0;
  int64_t width = 0;
  Precision precision = Precision::fine;

  // Order [block][token], so that a tile of tokens reads one stretch; block b of token t is number
  // b * pitch + t. The pitch is a little more than n_tokens where the blocks of a tile would else fall
  // into the same few sets of a cache. A last block that is not full is filled with zeros.
  int64_t pitch = 0;
  int8_t* high = nullptr;         // [block][token][32]; the only plane when coarse
  int8_t* low = nullptr;          // [block][token][32]
  uint16_t* bf16 = nullptr;       // [block][token][32]; instead of all the other planes
  float* scale = nullptr;         // [block][token]
  int32_t* half_sum = nullptr;    // [block][token][2]: sums of q over the two halves of the block
  int32_t* block_sum8 = nullptr;  // [block][token]: -8 times the sum over the whole block, a start value
  // The sums in float, times the scale, for kernels that take a minimum off at the end.
  float* scaled_sum = nullptr;       // [block][token]: of the whole block
  float* scaled_half_sum = nullptr;  // [block][token][2]

  // The sums of the block at `at`, once its scale is set. Inlined by force: files of every instruction
  // set include this.
  [[gnu::always_inline]] void set_sums(int64_t at, int32_t first, int32_t second) {
    half_sum[2 * at] = first;
    half_sum[2 * at + 1] = second;
    block_sum8[at] = -8 * (first + second);
    scaled_half_sum[2 * at] = scale[at] * static_cast<float>(first);
    scaled_half_sum[2 * at + 1] = scale[at] * static_cast<float>(second);
    scaled_sum[at] = scale[at] * static_cast<float>(first + second);
  }

  AlignedBuffer storage;
  int64_t max_tokens = 0, max_width = 0;
};

}  // namespace plm::kernels
