// Which type each tensor gets in a file of a named type: "Q4_0", "F16", "Q4_K_M".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/tensor_type.h"

namespace plm::model {

struct QuantMix {
  TensorType matrices;
  // The embedding, which is the output matrix as well. llama.cpp keeps it at 6 bits in files of any
  // quantised type but Q8_0, and so do we, that benchmarks compare like with like.
  TensorType embedding;
  TensorType some_down;  // ffn_down of the layers that use_more_bits() picks
  uint32_t file_type;    // general.file_type, as llama.cpp numbers it
};

// The names that find_quant_mix() knows, for messages.
std::string quant_mix_names();

// By name in upper or lower case; nothing if not known.
std::optional<QuantMix> find_quant_mix(std::string_view name);

// llama.cpp's choice of the layers whose ffn_down is worth more bits: the first and last eighth and
// every third between.
bool use_more_bits(int64_t layer, int64_t n_layers);

// The type of a tensor by its GGUF name and number of dimensions.
TensorType type_in_mix(const QuantMix& mix, std::string_view tensor, size_t n_dimensions, int64_t n_layers);

}  // namespace plm::model
