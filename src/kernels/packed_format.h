// The layout the fast kernels read: 16 rows of a weight matrix interleaved, so that one 512-bit
// register (or two of 256, four of 128 bits) holds four columns of 16 rows, as the int8 dot product
// instructions of x86 and Arm want them. Repacking loses nothing: the quants and scales of the file
// are kept as they are. docs/kernels/packed_layout.md shows it as a picture.
//
// A group of 16 rows is one stream. Plain numbers (F32, F16, BF16): for each column, the numbers of
// the 16 rows. Quantised: for each unit of 32 or 256 columns
//   header   [K-quants] 16 x f16 d, then with a minimum 16 x f16 dmin
//   blocks   of 32 columns, each
//     scales   half:  16 x f16 d [, 16 x f16 minimum]
//              super: 16 x 8 bit for each 32 (or twice for each 16) columns [, the same of minima]
//     codes    16 rows x 32 columns, below
//
// Codes of one block: "steps" of four columns, step s = columns 4s .. 4s+3, 8 steps. A vector is 64
// bytes: byte 4r + j belongs to row r and column 4s + j.
//   nibbles  4 vectors; the low half of vector i is step i, the high half step i + 4
//   high1    1 vector after the nibbles: bit s of a byte is the fifth bit of step s
//   high2    2 vectors after the nibbles: bits 2p, 2p+1 of vector h are bits 4 and 5 of step 2p + h
//   bytes    8 vectors, vector s is step s
//
// value = scale * (code - offset)            formats without a minimum
// value = scale * code - minimum             formats with one
// where scale = d [* sub-scale], minimum = m or dmin * sub-minimum; the signed value of a code of
// the IQ4 formats is looked up in a table.
#pragma once

#include <array>
#include <cstdint>

#include "base/tensor_type.h"

namespace plm::kernels {

inline constexpr int64_t kGroupRows = 16;
inline constexpr int64_t kBlockCols = 32;

enum class CodeKind { plain, nibbles, nibbles_high1, nibbles_high2, bytes, nibble_table };

enum class ScaleKind {
  none,
  half_32,       // f16 for each 32 columns
  half_32_min,   // and an f16 minimum
  super_32,      // f16 for each 256, times a signed 8-bit number for each 32
  super_32_min,  // f16 scale and minimum for each 256, times unsigned 8-bit numbers for each 32
  super_16,      // f16 for each 256, times a signed 8-bit number for each 16
  super_16_min,  // f16 scale and minimum for each 256, times unsigned 8-bit numbers for each 16
};

struct PackedFormat {
  CodeKind codes = CodeKind::plain;
  ScaleKind scales = ScaleKind::none;
  int offset = 0;  // of the codes as packed

  constexpr bool has_minimum() const {
    return scales == ScaleKind::half_32_min || scales == ScaleKind::super_32_min ||
           scales == ScaleKind::super_16_min;
  }
  constexpr bool scale_per_16() const {
    return scales == ScaleKind::super_16 || scales == ScaleKind::super_16_min;
  }
  constexpr bool super() const {
    return scales != ScaleKind::none && scales != ScaleKind::half_32 && scales != ScaleKind::half_32_min;
  }
  constexpr int64_t unit_cols() const { return super() ? 256 : kBlockCols; }
  constexpr int64_t blocks_per_unit() const { return unit_cols() / kBlockCols; }
  constexpr int64_t header_bytes() const { return super() ? (has_minimum() ? 64 : 32) : 0; }
  constexpr int64_t scale_bytes() const {  // of one block
    const int64_t one = super() ? (scale_per_16() ? 32 : 16) : 32;
    return has_minimum() ? 2 * one : one;
  }
  constexpr int64_t code_bytes() const {  // of one block
    switch (codes) {
      case CodeKind::nibbles:
      case CodeKind::nibble_table:
        return 256;
      case CodeKind::nibbles_high1:
        return 256 + 64;
      case CodeKind::nibbles_high2:
        return 256 + 128;
      case CodeKind::bytes:
        return 512;
      case CodeKind::plain:
        return 0;
    }
    return 0;
  }
  constexpr int64_t block_bytes() const { return scale_bytes() + code_bytes(); }
  constexpr int64_t unit_bytes() const { return header_bytes() + blocks_per_unit() * block_bytes(); }
};

// The packed form of a tensor type; codes == plain for F32, F16, BF16 and for types that no kernel
// computes with (is_packable tells them apart).
constexpr PackedFormat packed_format(TensorType type) {
  switch (type) {
    case TensorType::q4_0:
      return {CodeKind::nibbles, ScaleKind::half_32, 8};
    case TensorType::q4_1:
      return {CodeKind::nibbles, ScaleKind::half_32_min, 0};
    case TensorType::q5_0:
      return {CodeKind::nibbles_high1, ScaleKind::half_32, 16};
    case TensorType::q5_1:
      return {CodeKind::nibbles_high1, ScaleKind::half_32_min, 0};
    case TensorType::q8_0:
      return {CodeKind::bytes, ScaleKind::half_32, 128};
    case TensorType::q2_k:
      return {CodeKind::nibbles, ScaleKind::super_16_min, 0};
    case TensorType::q3_k:
      return {CodeKind::nibbles, ScaleKind::super_16, 4};
    case TensorType::q4_k:
      return {CodeKind::nibbles, ScaleKind::super_32_min, 0};
    case TensorType::q5_k:
      return {CodeKind::nibbles_high1, ScaleKind::super_32_min, 0};
    case TensorType::q6_k:
      return {CodeKind::nibbles_high2, ScaleKind::super_16, 32};
    case TensorType::iq4_nl:
      return {CodeKind::nibble_table, ScaleKind::half_32, 0};
    case TensorType::iq4_xs:
      return {CodeKind::nibble_table, ScaleKind::super_32, 0};
    default:
      return {};
  }
}

constexpr bool is_packable(TensorType type) {
  return type == TensorType::f32 || type == TensorType::f16 || type == TensorType::bf16 ||
         packed_format(type).codes != CodeKind::plain;
}

// f.operator()<type>() for a quantised type; false if `type` is another one.
template <class Function>
[[gnu::always_inline]] inline bool with_quantised_type(TensorType type, const Function& f) {
  switch (type) {
    case TensorType::q4_0:
      return f.template operator()<TensorType::q4_0>(), true;
    case TensorType::q4_1:
      return f.template operator()<TensorType::q4_1>(), true;
    case TensorType::q5_0:
      return f.template operator()<TensorType::q5_0>(), true;
    case TensorType::q5_1:
      return f.template operator()<TensorType::q5_1>(), true;
    case TensorType::q8_0:
      return f.template operator()<TensorType::q8_0>(), true;
    case TensorType::q2_k:
      return f.template operator()<TensorType::q2_k>(), true;
    case TensorType::q3_k:
      return f.template operator()<TensorType::q3_k>(), true;
    case TensorType::q4_k:
      return f.template operator()<TensorType::q4_k>(), true;
    case TensorType::q5_k:
      return f.template operator()<TensorType::q5_k>(), true;
    case TensorType::q6_k:
      return f.template operator()<TensorType::q6_k>(), true;
    case TensorType::iq4_nl:
      return f.template operator()<TensorType::iq4_nl>(), true;
    case TensorType::iq4_xs:
      return f.template operator()<TensorType::iq4_xs>(), true;
    default:
      return false;
  }
}

// The signed values of the 16 codes of IQ4_NL and IQ4_XS (llama.cpp's kvalues_iq4nl).
inline constexpr std::array<int8_t, 16> kIq4Values = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                      1,    13,   25,  38,  53,  69,  89,  113};

// Bytes of one group of 16 rows of `cols` columns; cols is a multiple of the type's block. Not inline:
// a copy compiled for one instruction set could be the one the linker keeps for all.
int64_t packed_group_bytes(TensorType type, int64_t cols);

// A packed matrix: y[r] = sum over k of W[r, k] x[k]. Does not own its data. Rows beyond `rows` in
// the last group are zero.
struct PackedMatrix {
  TensorType type = TensorType::f32;
  int64_t rows = 0;
  int64_t cols = 0;
  const std::byte* data = nullptr;

  int64_t n_groups() const { return (rows + kGroupRows - 1) / kGroupRows; }
  int64_t group_bytes() const { return packed_group_bytes(type, cols); }
  const std::byte* group(int64_t index) const { return data + index * group_bytes(); }
  int64_t bytes() const { return n_groups() * group_bytes(); }
};

}  // namespace plm::kernels
