#include "model/synth/quant_mix.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace plm::model {
namespace {

using enum TensorType;

struct NamedMix {
  std::string_view name;
  QuantMix mix;
};

// File types of the K formats are those of llama.cpp's "small" mixes, the nearest to all of one type.
// Q4_K_M is the mix of the published PLM-1.8B file: 97 F32, 176 Q4_K and 17 Q6_K tensors.
constexpr std::array kMixes = {
    NamedMix{"F32", {f32, f32, f32, 0}},        NamedMix{"F16", {f16, f16, f16, 1}},
    NamedMix{"BF16", {bf16, bf16, bf16, 32}},   NamedMix{"Q8_0", {q8_0, q8_0, q8_0, 7}},
    NamedMix{"Q4_0", {q4_0, q6_k, q4_0, 2}},    NamedMix{"Q4_1", {q4_1, q6_k, q4_1, 3}},
    NamedMix{"Q5_0", {q5_0, q6_k, q5_0, 8}},    NamedMix{"Q5_1", {q5_1, q6_k, q5_1, 9}},
    NamedMix{"Q2_K", {q2_k, q6_k, q2_k, 10}},   NamedMix{"Q3_K", {q3_k, q6_k, q3_k, 11}},
    NamedMix{"Q4_K", {q4_k, q6_k, q4_k, 14}},   NamedMix{"Q5_K", {q5_k, q6_k, q5_k, 16}},
    NamedMix{"Q4_K_M", {q4_k, q6_k, q6_k, 15}}, NamedMix{"Q6_K", {q6_k, q6_k, q6_k, 18}},
};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

// The number in "blk.<number>.", or -1.
int64_t layer_of(std::string_view tensor) {
  constexpr std::string_view kPrefix = "blk.";
  int64_t layer = -1;
  if (tensor.substr(0, kPrefix.size()) != kPrefix) return -1;
  std::from_chars(tensor.data() + kPrefix.size(), tensor.data() + tensor.size(), layer);
  return layer;
}

}  // namespace

std::string quant_mix_names() {
  std::string names;
  for (const NamedMix& named : kMixes) {
    if (!names.empty()) names += ", ";
    names += named.name;
  }
  return names;
}

std::optional<QuantMix> find_quant_mix(std::string_view name) {
  for (const NamedMix& named : kMixes) {
    if (equal_ignoring_case(named.name, name)) return named.mix;
  }
  return std::nullopt;
}

bool use_more_bits(int64_t layer, int64_t n_layers) {
  const int64_t eighth = n_layers / 8;
  return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

TensorType type_in_mix(const QuantMix& mix, std::string_view tensor, size_t n_dimensions, int64_t n_layers) {
  if (n_dimensions < 2) return TensorType::f32;
  if (tensor == "token_embd.weight") return mix.embedding;
  const bool down = tensor.find(".ffn_down.") != std::string_view::npos;
  return down && use_more_bits(layer_of(tensor), n_layers) ? mix.some_down : mix.matrices;
}

}  // namespace plm::model
