#include "quant/q6_k.h"

#include <cstring>

#include "base/half.h"
#include "quant/centered_search.h"
#include "quant/packing.h"

namespace plm::quant {
namespace {

constexpr CenteredGrid kGrid{
    .half = 32, .scale_half = 128, .below = 2.0f, .above = 2.0f, .step = 0.25f, .n_tops = 1};

}  // namespace

void unpack_codes_q6_k(const BlockQ6K& block, uint8_t codes[256]) {
  uint8_t high[256];
  unpack_bit_pairs(block.high, high);
  for (int half = 0; half < 2; ++half) unpack_nibbles(block.low + 64 * half, 64, codes + 128 * half);
  for (int i = 0; i < 256; ++i) codes[i] = static_cast<uint8_t>(codes[i] | (high[i] << 4));
}

void unpack_q6_k(const BlockQ6K& block, uint8_t codes[256], float scales[16]) {
  const float d = f16_to_f32(block.d);
  for (int b = 0; b < 16; ++b) scales[b] = d * static_cast<float>(block.scales[b]);
  unpack_codes_q6_k(block, codes);
}

void decode_q6_k(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockQ6K*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ6K, ++block) {
    uint8_t codes[kElementsQ6K];
    float scales[16];
    unpack_q6_k(*block, codes, scales);
    for (int b = 0; b < 16; ++b) {
      for (int i = 16 * b; i < 16 * (b + 1); ++i)
        out[begin + i] = scales[b] * static_cast<float>(codes[i] - 32);
    }
  }
}

void encode_weighted_q6_k(const float* in, const float* importance, void* blocks, int64_t n) {
  with_widest_vectors([=] {
    auto* block = static_cast<BlockQ6K*>(blocks);
    for (int64_t begin = 0; begin < n; begin += kElementsQ6K, ++block) {
      CenteredBlock found;
      CenteredSearch<kGrid>(in + begin, importance != nullptr ? importance + begin : nullptr).run(&found);
      block->d = found.d;
      std::memcpy(block->scales, found.scales, sizeof(block->scales));
      for (int half = 0; half < 2; ++half) pack_nibbles(found.codes + 128 * half, 64, block->low + 64 * half);
      uint8_t high[256];
      for (int i = 0; i < 256; ++i) high[i] = found.codes[i] >> 4;
      pack_bit_pairs(high, block->high);
    }
  });
}

void encode_q6_k(const float* in, void* blocks, int64_t n) { encode_weighted_q6_k(in, nullptr, blocks, n); }

}  // namespace plm::quant
