#include "quant/formats.h"

#include <array>

#include "quant/bf16.h"
#include "quant/f16.h"
#include "quant/f32.h"
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

namespace plm::quant {
namespace {

constexpr std::array kFormats = {
    Format{TensorType::f32, decode_f32, encode_f32, nullptr},
    Format{TensorType::f16, decode_f16, encode_f16, nullptr},
    Format{TensorType::q4_0, decode_q4_0, encode_q4_0, encode_weighted_q4_0},
    Format{TensorType::q4_1, decode_q4_1, encode_q4_1, encode_weighted_q4_1},
    Format{TensorType::q5_0, decode_q5_0, encode_q5_0, encode_weighted_q5_0},
    Format{TensorType::q5_1, decode_q5_1, encode_q5_1, encode_weighted_q5_1},
    Format{TensorType::q8_0, decode_q8_0, encode_q8_0, nullptr},
    Format{TensorType::q2_k, decode_q2_k, encode_q2_k, encode_weighted_q2_k},
    Format{TensorType::q3_k, decode_q3_k, encode_q3_k, encode_weighted_q3_k},
    Format{TensorType::q4_k, decode_q4_k, encode_q4_k, encode_weighted_q4_k},
    Format{TensorType::q5_k, decode_q5_k, encode_q5_k, encode_weighted_q5_k},
    Format{TensorType::q6_k, decode_q6_k, encode_q6_k, encode_weighted_q6_k},
    Format{TensorType::iq4_nl, decode_iq4_nl, encode_iq4_nl, encode_weighted_iq4_nl},
    Format{TensorType::iq4_xs, decode_iq4_xs, nullptr, nullptr},
    Format{TensorType::bf16, decode_bf16, encode_bf16, nullptr},
};

}  // namespace

std::span<const Format> all_formats() { return kFormats; }

const Format* find_format(TensorType type) {
  for (const Format& format : kFormats) {
    if (format.type == type) return &format;
  }
  return nullptr;
}

}  // namespace plm::quant
