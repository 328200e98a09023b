#include "quant/iq4_nl.h"

#include "base/half.h"
#include "quant/packing.h"

namespace plm::quant {

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

}  // namespace plm::quant
