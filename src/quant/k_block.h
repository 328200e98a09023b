// What the encoders of the K formats share: 256 numbers brought to a common size with their weights.
#pragma once

#include <cstdint>

namespace plm::quant {

// The numbers of a super-block times a power of two (greatest magnitude in [1, 2)), so that the
// search neither overflows nor loses denormals, and their weights around 1, all above zero.
struct KBlock {
  alignas(16) float x[256];
  alignas(16) float weight[256];
  float unit;  // in = x * unit, a power of two

  // importance may be null. Numbers that are not finite count as zero.
  KBlock(const float* in, const float* importance);
};

// A factor of the packed block as f16 keeps it, and as the search sees it.
struct HalfFactor {
  uint16_t bits;
  float value;  // in units of KBlock::unit
};

// Rounds a factor to f16; one too small for it becomes the least f16 above zero, one too large the
// greatest.
HalfFactor round_factor(float value, float unit);

}  // namespace plm::quant
