// Which type each tensor of a file gets: llama.cpp's rules for its named kinds of file, so that a file
// called Q4_K_M holds what users of that name expect.
//
// Followed are those of llama.cpp b-series of 2026 (llama-quant.cpp) as far as they concern the types we
// write and dense models or mixtures of experts; its special cases for Falcon and for 70B Llama are not.
// PLM's latent attention falls under them like this: attn_kv_b counts as a value projection, attn_q
// and attn_kv_a_mqa have no rule, and the embedding, which is the output matrix too, gets the output's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/tensor_type.h"
#include "quantize/file_type.h"

namespace plm::quantize {

enum class Role {
  embedding,
  output,
  attention_q,
  attention_k,
  attention_v,
  attention_qkv,
  attention_out,
  ffn_down,
  other
};

// By the tensor's name in GGUF.
Role role_of(std::string_view tensor);

// False for what must stay as it is: vectors, norms, routing tables, small convolutions.
bool may_be_quantized(std::string_view tensor, int n_dims);

// What the rules look at besides the tensor.
struct ModelTraits {
  int64_t n_layers = 0;
  int64_t heads_per_kv_head = 1;
  int64_t n_experts = 0;
  bool output_is_tied = false;  // no output.weight: the embedding is the output matrix
  bool has_importance = false;
};

struct TensorPlace {
  Role role = Role::other;
  int64_t row = 0;      // length of a row
  int64_t ordinal = 0;  // which of the model's tensors of this role, layer by layer
  int64_t n_alike = 0;  // value projections in all
};

// The type that a file of this kind gives the tensor, before fallback_type().
TensorType type_by_rule(const FileType& file_type, const ModelTraits& model, const TensorPlace& tensor);

// The type itself where a row is whole blocks; else the one llama.cpp takes instead: of blocks of 32
// for those of 256, F16 where even that does not divide.
TensorType fallback_type(TensorType type, int64_t row);

}  // namespace plm::quantize
