#include "kernels/row_unit.h"

#include <cstring>

#include "base/error.h"
#include "base/half.h"
#include "kernels/packed_format.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"

namespace plm::kernels {
namespace {

// Low nibbles are the first 16 elements of the block, high nibbles the last 16.
inline void split_nibbles(const uint8_t* packed, uint8_t* codes) {
  for (int j = 0; j < 16; ++j) {
    codes[j] = packed[j] & 15;
    codes[j + 16] = packed[j] >> 4;
  }
}

inline void add_fifth_bits(const uint8_t high[4], uint8_t* codes) {
  for (int j = 0; j < 32; ++j) codes[j] |= static_cast<uint8_t>(((high[j / 8] >> (j % 8)) & 1) << 4);
}

template <class Block>
const Block& as_block(const std::byte* bytes) {
  return *reinterpret_cast<const Block*>(bytes);
}

}  // namespace

int64_t row_unit_file_bytes(TensorType type) { return row_bytes(type, packed_format(type).unit_cols()); }

void read_row_unit(TensorType type, const std::byte* bytes, RowUnit& unit) {
  switch (type) {
    case TensorType::q4_0: {
      const auto& block = as_block<quant::BlockQ4_0>(bytes);
      unit.d = block.d;
      split_nibbles(block.codes, unit.codes);
      break;
    }
    case TensorType::q4_1: {
      const auto& block = as_block<quant::BlockQ4_1>(bytes);
      unit.d = block.d;
      unit.dmin = block.m ^ 0x8000;  // stored as what is added, packed as what is taken away
      split_nibbles(block.codes, unit.codes);
      break;
    }
    case TensorType::q5_0: {
      const auto& block = as_block<quant::BlockQ5_0>(bytes);
      unit.d = block.d;
      split_nibbles(block.low, unit.codes);
      add_fifth_bits(block.high, unit.codes);
      break;
    }
    case TensorType::q5_1: {
      const auto& block = as_block<quant::BlockQ5_1>(bytes);
      unit.d = block.d;
      unit.dmin = block.m ^ 0x8000;  // stored as what is added, packed as what is taken away
      split_nibbles(block.low, unit.codes);
      add_fifth_bits(block.high, unit.codes);
      break;
    }
    case TensorType::q8_0: {
      const auto& block = as_block<quant::BlockQ8_0>(bytes);
      unit.d = block.d;
      for (int j = 0; j < 32; ++j) unit.codes[j] = static_cast<uint8_t>(block.codes[j] + 128);
      break;
    }
    case TensorType::iq4_nl: {
      const auto& block = as_block<quant::BlockIq4Nl>(bytes);
      unit.d = block.d;
      split_nibbles(block.codes, unit.codes);
      break;
    }
    case TensorType::q2_k: {
      const auto& block = as_block<quant::BlockQ2K>(bytes);
      unit.d = block.d;
      unit.dmin = block.dmin;
      quant::unpack_scales_q2_k(block, unit.scales, unit.mins);
      quant::unpack_codes_q2_k(block, unit.codes);
      break;
    }
    case TensorType::q3_k: {
      const auto& block = as_block<quant::BlockQ3K>(bytes);
      unit.d = block.d;
      quant::unpack_scales_q3_k(block, reinterpret_cast<int8_t*>(unit.scales));
      quant::unpack_codes_q3_k(block, unit.codes);
      break;
    }
    case TensorType::q4_k: {
      const auto& block = as_block<quant::BlockQ4K>(bytes);
      unit.d = block.d;
      unit.dmin = block.dmin;
      quant::unpack_scales_q4_k(block, unit.scales, unit.mins);
      quant::unpack_codes_q4_k(block, unit.codes);
      break;
    }
    case TensorType::q5_k: {
      const auto& block = as_block<quant::BlockQ5K>(bytes);
      unit.d = block.d;
      unit.dmin = block.dmin;
      quant::unpack_scales_q5_k(block, unit.scales, unit.mins);
      quant::unpack_codes_q5_k(block, unit.codes);
      break;
    }
    case TensorType::q6_k: {
      const auto& block = as_block<quant::BlockQ6K>(bytes);
      unit.d = block.d;
      std::memcpy(unit.scales, block.scales, 16);
      quant::unpack_codes_q6_k(block, unit.codes);
      break;
    }
    case TensorType::iq4_xs: {
      const auto& block = as_block<quant::BlockIq4Xs>(bytes);
      unit.d = block.d;
      quant::unpack_scales_iq4_xs(block, reinterpret_cast<int8_t*>(unit.scales));
      quant::unpack_codes_iq4_xs(block, unit.codes);
      break;
    }
    default:
      PLM_CHECK(!"a type with a packed format");
  }
}

void decode_row_unit(TensorType type, const RowUnit& unit, float* out) {
  const PackedFormat format = packed_format(type);
  const float d = f16_to_f32(unit.d);
  const float dmin = f16_to_f32(unit.dmin);
  const int64_t cols_per_scale = format.scale_per_16() ? 16 : 32;
  for (int64_t i = 0; i < format.unit_cols(); ++i) {
    const int64_t sub = i / cols_per_scale;
    float scale = d, minimum = dmin;
    if (format.super()) {
      const int sub_scale = format.has_minimum() ? unit.scales[sub] : static_cast<int8_t>(unit.scales[sub]);
      scale = d * static_cast<float>(sub_scale);
      minimum = dmin * static_cast<float>(unit.mins[sub]);
    }
    const int code =
        format.codes == CodeKind::nibble_table ? kIq4Values[unit.codes[i]] : unit.codes[i] - format.offset;
    out[i] = scale * static_cast<float>(code);
    if (format.has_minimum()) out[i] -= minimum;
  }
}

}  // namespace plm::kernels
