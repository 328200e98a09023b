#include "kernels/activations.h"

#include <algorithm>

namespace plm::kernels {

Result<Activations> Activations::allocate(int64_t max_tokens, int64_t max_width) {
  Activations a;
  a.max_tokens = max_tokens;
  a.max_width = max_width;
  // The plane of low bytes exists only for a few tokens.
  const int64_t n_blocks = (max_width + 31) / 32;
  const int64_t fine_tokens = std::min(max_tokens, kFineTokens);
  const size_t high_bytes = static_cast<size_t>(n_blocks * max_tokens * 32);
  const size_t low_bytes = static_cast<size_t>(n_blocks * fine_tokens * 32);
  const size_t scale_bytes = (static_cast<size_t>(n_blocks * max_tokens) * sizeof(float) + 63) / 64 * 64;
  const size_t sum_bytes = static_cast<size_t>(n_blocks * max_tokens) * 2 * sizeof(int32_t);
  // Kernels may read one vector past the end of a tile.
  PLM_TRY(a.storage, AlignedBuffer::allocate(high_bytes + low_bytes + scale_bytes + sum_bytes + 64));
  std::byte* at = a.storage.data();
  a.high = reinterpret_cast<int8_t*>(at);
  at += high_bytes;
  a.low = reinterpret_cast<int8_t*>(at);
  at += low_bytes;
  a.scale = reinterpret_cast<float*>(at);
  at += scale_bytes;
  a.half_sum = reinterpret_cast<int32_t*>(at);
  return a;
}

void Activations::begin(const float* values_TK, int64_t tokens, int64_t columns, int64_t stride,
                        Precision wanted) {
  PLM_CHECK(tokens <= max_tokens && columns <= max_width);
  PLM_CHECK(wanted == Precision::coarse || tokens <= kFineTokens);
  values = values_TK;
  value_stride = stride;
  n_tokens = tokens;
  width = columns;
  precision = wanted;
}

}  // namespace plm::kernels
