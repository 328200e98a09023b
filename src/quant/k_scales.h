// The 12 bytes in which Q4_K and Q5_K keep eight 6-bit scales and eight 6-bit minima.
//
//   byte j     (0..3): bits 0-5 scale j,      bits 6-7 = bits 4-5 of scale j + 4
//   byte j + 4 (0..3): bits 0-5 minimum j,    bits 6-7 = bits 4-5 of minimum j + 4
//   byte j + 8 (0..3): low nibble = bits 0-3 of scale j + 4, high nibble = those of minimum j + 4
#pragma once

#include <cstdint>

namespace plm::quant {

inline void unpack_k_scales(const uint8_t packed[12], uint8_t scales[8], uint8_t mins[8]) {
  for (int j = 0; j < 4; ++j) {
    scales[j] = packed[j] & 63;
    mins[j] = packed[j + 4] & 63;
    scales[j + 4] = static_cast<uint8_t>((packed[j + 8] & 15) | ((packed[j] >> 6) << 4));
    mins[j + 4] = static_cast<uint8_t>((packed[j + 8] >> 4) | ((packed[j + 4] >> 6) << 4));
  }
}

inline void pack_k_scales(const uint8_t scales[8], const uint8_t mins[8], uint8_t packed[12]) {
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<uint8_t>(scales[j] | ((scales[j + 4] >> 4) << 6));
    packed[j + 4] = static_cast<uint8_t>(mins[j] | ((mins[j + 4] >> 4) << 6));
    packed[j + 8] = static_cast<uint8_t>((scales[j + 4] & 15) | ((mins[j + 4] & 15) << 4));
  }
}

}  // namespace plm::quant
