// How a packed format (packed_format.h) is read on Arm: 16 rows are four registers of four rows, so a
// "quad" of rows, four bytes of each, is what the dot product instructions take. Internal linkage: see
// simd_neon.h.
#pragma once

#include "kernels/arm/simd_neon.h"
#include "kernels/packed_format.h"

namespace plm::kernels::neon {
namespace {

// Codes are multiplied as signed bytes: those of `bytes` become so by turning their highest bit, those
// of tables are looked up so. This much is still to be taken off every code.
constexpr int dot_offset(PackedFormat format) { return format.codes == CodeKind::bytes ? 0 : format.offset; }

// The codes of a block for the four rows of a quad; `at` is where the quad's first 16 bytes lie. Step s,
// four rows x four columns, in codes[s].
template <CodeKind kKind>
[[gnu::always_inline]] inline void load_codes(const std::byte* at, int8x16_t (&codes)[8]) {
  if constexpr (kKind == CodeKind::bytes) {
    const uint8x16_t turn = vdupq_n_u8(0x80);
    unrolled<8>([&]<int s>() __attribute__((always_inline)) {
      codes[s] = vreinterpretq_s8_u8(veorq_u8(load_bytes(at + 64 * s), turn));
    });
    return;
  }
  const uint8x16_t low_mask = vdupq_n_u8(15);
  uint8x16_t unsigned_codes[8];
  unrolled<4>([&]<int i>() __attribute__((always_inline)) {
    const uint8x16_t pair = load_bytes(at + 64 * i);
    unsigned_codes[i] = vandq_u8(pair, low_mask);
    unsigned_codes[i + 4] = vshrq_n_u8(pair, 4);
  });
  if constexpr (kKind == CodeKind::nibble_table) {
    const int8x16_t table = vld1q_s8(kIq4Values.data());
    unrolled<8>([&]<int s>()
                    __attribute__((always_inline)) { codes[s] = vqtbl1q_s8(table, unsigned_codes[s]); });
    return;
  }
  if constexpr (kKind == CodeKind::nibbles_high1) {
    const uint8x16_t high = load_bytes(at + 256), fifth = vdupq_n_u8(16);
    unrolled<8>([&]<int s>() __attribute__((always_inline)) {
      unsigned_codes[s] = vorrq_u8(unsigned_codes[s], vandq_u8(shift_bytes<4 - s>(high), fifth));
    });
  }
  if constexpr (kKind == CodeKind::nibbles_high2) {
    const uint8x16_t high[2] = {load_bytes(at + 256), load_bytes(at + 320)}, mask = vdupq_n_u8(48);
    unrolled<8>([&]<int s>() __attribute__((always_inline)) {
      const uint8x16_t shifted = shift_bytes<4 - (s & ~1)>(high[s & 1]);
      unsigned_codes[s] = vorrq_u8(unsigned_codes[s], vandq_u8(shifted, mask));
    });
  }
  unrolled<8>([&]<int s>()
                  __attribute__((always_inline)) { codes[s] = vreinterpretq_s8_u8(unsigned_codes[s]); });
}

// The scales and minima of kQuads quads of rows from first_quad on, unit by unit and block by block.
template <TensorType kType, int kQuads>
struct Scales {
  static constexpr PackedFormat kFormat = packed_format(kType);
  static constexpr int kPerBlock = kFormat.scale_per_16() ? 2 : 1;
  static constexpr bool kSigned = !kFormat.has_minimum();  // sub-scales

  const int first_quad;
  float32x4_t d[kQuads], dmin[kQuads];  // of the unit (super formats)
  float32x4_t scale[kPerBlock][kQuads], minimum[kPerBlock][kQuads];

  explicit Scales(int first) : first_quad(first) {}

  [[gnu::always_inline]] void load_unit(const std::byte* header) {
    if constexpr (kFormat.super()) {
      load_half_numbers(header, d);
      if constexpr (kFormat.has_minimum()) load_half_numbers(header + 32, dmin);
    }
  }

  [[gnu::always_inline]] void load_block(const std::byte* at) {
    if constexpr (!kFormat.super()) {
      load_half_numbers(at, scale[0]);
      if constexpr (kFormat.has_minimum()) load_half_numbers(at + 32, minimum[0]);
    } else {
#pragma GCC unroll 2
      for (int i = 0; i < kPerBlock; ++i) {
        load_sub_scales<kSigned>(at + 16 * i, d, scale[i]);
        if constexpr (kFormat.has_minimum()) {
          load_sub_scales<false>(at + 16 * (kPerBlock + i), dmin, minimum[i]);
        }
      }
    }
  }

 private:
  [[gnu::always_inline]] void load_half_numbers(const std::byte* at, float32x4_t (&out)[kQuads]) const {
#pragma GCC unroll 4
    for (int q = 0; q < kQuads; ++q) out[q] = load_halves(at + 8 * (first_quad + q));
  }

  template <bool kSignedBytes>
  [[gnu::always_inline]] void load_sub_scales(const std::byte* at, const float32x4_t (&factor)[kQuads],
                                              float32x4_t (&out)[kQuads]) const {
    if constexpr (kQuads == 4) {
      load_sixteen_bytes<kSignedBytes>(at, out);
    } else {
#pragma GCC unroll 4
      for (int q = 0; q < kQuads; ++q) out[q] = load_four_bytes<kSignedBytes>(at + 4 * (first_quad + q));
    }
#pragma GCC unroll 4
    for (int q = 0; q < kQuads; ++q) out[q] = vmulq_f32(out[q], factor[q]);
  }
};

}  // namespace
}  // namespace plm::kernels::neon
