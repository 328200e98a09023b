#include "quant/iq4_nl.h"

#include "base/half.h"
#include "quant/packing.h"
#include "quant/small_block_search.h"

namespace plm::quant {
namespace {

struct CodebookLevels {
  static constexpr bool kHasMinimum = false;
  static constexpr TrialScales kScales{.below = 20.0f, .above = 20.0f, .step = 4.0f};
  static constexpr float kExtreme = 120.0f;  // between the outermost values of either sign

  template <class L>
  static typename L::Float nearest(typename L::Float v) {
    typename L::Float level = L::splat(kIq4Values[0]);
    for (int code = 1; code < 16; ++code) {
      const float middle = 0.5f * static_cast<float>(kIq4Values[code - 1] + kIq4Values[code]);
      level = L::select(v > L::splat(middle), L::splat(kIq4Values[code]), level);
    }
    return level;
  }
  static uint8_t code_of(float level) {
    return static_cast<uint8_t>(std::lower_bound(kIq4Values, kIq4Values + 15, static_cast<int>(level)) -
                                kIq4Values);
  }
};

}  // namespace

void unpack_iq4_nl(const BlockIq4Nl& block, uint8_t codes[32], float* scale) {
  *scale = f16_to_f32(block.d);
  unpack_nibbles(block.codes, 16, codes);
}

void decode_iq4_nl(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockIq4Nl*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsIq4Nl, ++block) {
    uint8_t codes[kElementsIq4Nl];
    float scale;
    unpack_iq4_nl(*block, codes, &scale);
    for (int i = 0; i < kElementsIq4Nl; ++i)
      out[begin + i] = scale * static_cast<float>(kIq4Values[codes[i]]);
  }
}

void encode_weighted_iq4_nl(const float* in, const float* importance, void* blocks, int64_t n) {
  encode_small_blocks<CodebookLevels, BlockIq4Nl>(in, importance, blocks, n,
                                                  [](const SmallBlock& found, BlockIq4Nl& block) {
                                                    block.d = found.d;
                                                    pack_nibbles(found.codes, 16, block.codes);
                                                  });
}

void encode_iq4_nl(const float* in, void* blocks, int64_t n) {
  encode_weighted_iq4_nl(in, nullptr, blocks, n);
}

}  // namespace plm::quant
