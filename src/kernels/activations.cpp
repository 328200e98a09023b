#include "kernels/activations.h"

#include <algorithm>

namespace plm::kernels {

namespace {

// Blocks of one token lie pitch * 32 bytes apart: an odd number of cache lines, or they would share
// few sets. For a few tokens everything fits anyway.
int64_t pitch_for(int64_t n_tokens) {
  return n_tokens <= kFineTokens ? n_tokens : (n_tokens + 1) / 4 * 4 + 2;
}

}  // namespace

Result<Activations> Activations::allocate(int64_t max_tokens, int64_t max_width, Precision many) {
  Activations a;
  a.max_tokens = max_tokens;
  a.max_width = max_width;
  // The plane of low bytes exists only for a few tokens.
  const int64_t n_blocks = (max_width + 31) / 32;
  const int64_t n_coarse = n_blocks * pitch_for(max_tokens);
  const int64_t n_fine = n_blocks * std::min(max_tokens, kFineTokens);
  size_t size = 0;
  const auto reserve = [&size](int64_t count, size_t bytes) {
    const size_t offset = size;
    size += (static_cast<size_t>(count) * bytes + 63) / 64 * 64;
    return offset;
  };
  const size_t high_at = reserve(n_coarse, 32), low_at = reserve(n_fine, 32), scale_at = reserve(n_coarse, 4);
  const size_t half_at = reserve(n_coarse, 8), sum_at = reserve(n_coarse, 4),
               half_sum_at = reserve(n_coarse, 8);
  const size_t sum8_at = reserve(n_coarse, 4);
  const size_t bf16_at = reserve(many == Precision::bf16 ? n_coarse : 0, 64);
  PLM_TRY(a.storage,
          AlignedBuffer::allocate(size + 64));  // kernels may read one vector past the end of a tile
  std::byte* base = a.storage.data();
  a.high = reinterpret_cast<int8_t*>(base + high_at);
  a.low = reinterpret_cast<int8_t*>(base + low_at);
  a.scale = reinterpret_cast<float*>(base + scale_at);
  a.half_sum = reinterpret_cast<int32_t*>(base + half_at);
  a.block_sum8 = reinterpret_cast<int32_t*>(base + sum8_at);
  a.scaled_sum = reinterpret_cast<float*>(base + sum_at);
  a.scaled_half_sum = reinterpret_cast<float*>(base + half_sum_at);
  if (many == Precision::bf16) a.bf16 = reinterpret_cast<uint16_t*>(base + bf16_at);
  return a;
}

Activations Activations::unrounded(const float* values_TK, int64_t n_tokens, int64_t width,
                                   int64_t value_stride) {
  Activations a;
  a.values = values_TK;
  a.value_stride = value_stride;
  a.n_tokens = n_tokens;
  a.width = width;
  return a;
}

void Activations::begin(const float* values_TK, int64_t tokens, int64_t columns, int64_t stride,
                        Precision wanted) {
  PLM_CHECK(tokens <= max_tokens && columns <= max_width);
  PLM_CHECK(wanted != Precision::fine || tokens <= kFineTokens);
  PLM_CHECK(wanted != Precision::bf16 || bf16 != nullptr);
  values = values_TK;
  value_stride = stride;
  n_tokens = tokens;
  pitch = pitch_for(tokens);
  width = columns;
  precision = wanted;
}

}  // namespace plm::kernels
