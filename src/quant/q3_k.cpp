#include "quant/q3_k.h"

#include "base/half.h"
#include "quant/centered_search.h"
#include "quant/packing.h"

namespace plm::quant {
namespace {

constexpr CenteredGrid kGrid{
    .half = 4, .scale_half = 32, .below = 1.5f, .above = 1.5f, .step = 0.2f, .n_tops = 2};

void pack_scales(const int8_t scales[16], uint8_t packed[12]) {
  int stored[16];
  for (int b = 0; b < 16; ++b) stored[b] = scales[b] + 32;
  for (int b = 0; b < 8; ++b)
    packed[b] = static_cast<uint8_t>((stored[b] & 15) | ((stored[b + 8] & 15) << 4));
  for (int j = 0; j < 4; ++j) {
    int byte = 0;
    for (int k = 0; k < 4; ++k) byte |= (stored[4 * k + j] >> 4) << (2 * k);
    packed[8 + j] = static_cast<uint8_t>(byte);
  }
}

}  // namespace

void unpack_scales_q3_k(const BlockQ3K& block, int8_t scales[16]) {
  for (int b = 0; b < 16; ++b) {
    const int low = (block.scales[b % 8] >> (b < 8 ? 0 : 4)) & 15;
    const int high = (block.scales[8 + b % 4] >> (2 * (b / 4))) & 3;
    scales[b] = static_cast<int8_t>((low | (high << 4)) - 32);
  }
}

void unpack_codes_q3_k(const BlockQ3K& block, uint8_t codes[256]) {
  unpack_bit_pairs(block.low, codes);
  add_bit_plane(block.high, 2, codes);
}

void unpack_q3_k(const BlockQ3K& block, uint8_t codes[256], float scales[16]) {
  int8_t scale_codes[16];
  unpack_scales_q3_k(block, scale_codes);
  const float d = f16_to_f32(block.d);
  for (int b = 0; b < 16; ++b) scales[b] = d * static_cast<float>(scale_codes[b]);
  unpack_codes_q3_k(block, codes);
}

void decode_q3_k(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockQ3K*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ3K, ++block) {
    uint8_t codes[kElementsQ3K];
    float scales[16];
    unpack_q3_k(*block, codes, scales);
    for (int b = 0; b < 16; ++b) {
      for (int i = 16 * b; i < 16 * (b + 1); ++i)
        out[begin + i] = scales[b] * static_cast<float>(codes[i] - 4);
    }
  }
}

void encode_weighted_q3_k(const float* in, const float* importance, void* blocks, int64_t n) {
  with_widest_vectors([=] {
    auto* block = static_cast<BlockQ3K*>(blocks);
    for (int64_t begin = 0; begin < n; begin += kElementsQ3K, ++block) {
      CenteredBlock found;
      CenteredSearch<kGrid>(in + begin, importance != nullptr ? importance + begin : nullptr).run(&found);
      block->d = found.d;
      pack_scales(found.scales, block->scales);
      pack_bit_pairs(found.codes, block->low);
      pack_bit_plane(found.codes, 2, block->high);
    }
  });
}

void encode_q3_k(const float* in, void* blocks, int64_t n) { encode_weighted_q3_k(in, nullptr, blocks, n); }

}  // namespace plm::quant
