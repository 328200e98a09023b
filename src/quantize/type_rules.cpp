#include "quantize/type_rules.h"

#include <array>

namespace plm::quantize {
namespace {

using enum TensorType;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// The first and last eighth of the layers and every third between.
bool use_more_bits(int64_t i, int64_t n) {
  const int64_t eighth = n / 8;
  return i < eighth || i >= 7 * n / 8 || (i - eighth) % 3 == 2;
}

TensorType output_type(const FileType& kind, const TensorPlace& tensor) {
  if (tensor.row % tensor_type_info(kind.main).block_elements != 0) return q8_0;
  return kind.main == q8_0 ? q8_0 : q6_k;
}

TensorType value_type(std::string_view kind, TensorType main, const ModelTraits& model,
                      const TensorPlace& tensor) {
  if (model.n_experts == 8) return q8_0;
  const bool shared = model.heads_per_kv_head >= 4;  // few rows that many heads read
  if (kind == "Q2_K") return shared ? q4_k : q3_k;
  if (kind == "Q3_K_M") return tensor.ordinal < 2 ? q5_k : q4_k;
  if (kind == "Q3_K_L") return q5_k;
  if ((kind == "IQ4_NL" || kind == "IQ4_XS") && shared) return q5_k;
  if (kind == "Q4_K_M" || kind == "Q5_K_M")
    return use_more_bits(tensor.ordinal, tensor.n_alike) ? q6_k : main;
  if (kind == "Q4_K_S" && tensor.ordinal < 4) return q5_k;
  return main;
}

TensorType down_type(std::string_view kind, TensorType main, const ModelTraits& model, int64_t layer) {
  const int64_t n = model.n_layers;
  if (kind == "Q2_K") return q3_k;
  if (kind == "Q3_K_M") return layer < n / 16 ? q5_k : q4_k;
  if (kind == "Q3_K_L") return q5_k;
  if (kind == "Q4_K_M" || kind == "Q5_K_M") return use_more_bits(layer, n) ? q6_k : main;
  if (layer >= n / 8) return main;
  if ((kind == "IQ4_NL" || kind == "IQ4_XS") && !model.has_importance) return q5_k;
  if (kind == "Q4_K_S") return q5_k;
  if (kind == "Q4_0" && model.has_importance) return q4_1;
  if (kind == "Q5_0" && model.has_importance) return q5_1;
  return main;
}

TensorType attention_out_type(std::string_view kind, TensorType main, const ModelTraits& model) {
  if (model.n_experts == 8) {
    constexpr std::array<std::string_view, 7> kRaised = {"Q2_K",   "Q3_K_S", "Q3_K_M", "Q4_K_S",
                                                         "Q4_K_M", "IQ4_NL", "IQ4_XS"};
    for (const std::string_view raised : kRaised) {
      if (kind == raised) return q5_k;
    }
    return main;
  }
  if (kind == "Q2_K") return q3_k;
  if (kind == "Q3_K_M") return q4_k;
  if (kind == "Q3_K_L") return q5_k;
  return main;
}

}  // namespace

Role role_of(std::string_view tensor) {
  if (tensor == "output.weight") return Role::output;
  if (tensor == "token_embd.weight" || tensor == "per_layer_token_embd.weight") return Role::embedding;
  if (contains(tensor, "attn_qkv.weight")) return Role::attention_qkv;
  if (contains(tensor, "attn_kv_b.weight") || contains(tensor, "attn_v.weight")) return Role::attention_v;
  if (contains(tensor, "attn_k.weight")) return Role::attention_k;
  if (contains(tensor, "attn_q.weight")) return Role::attention_q;
  if (contains(tensor, "attn_output.weight")) return Role::attention_out;
  if (contains(tensor, "ffn_down")) return Role::ffn_down;
  return Role::other;
}

bool may_be_quantized(std::string_view tensor, int n_dims) {
  if (n_dims < 2 || !ends_with(tensor, "weight")) return false;
  constexpr std::array<std::string_view, 12> kKept = {"_norm.weight",
                                                      "ffn_gate_inp.weight",
                                                      "altup",
                                                      "laurel",
                                                      "per_layer_model_proj",
                                                      "ssm_conv1d",
                                                      "shortconv.conv.weight",
                                                      "attn_rel_b.weight",
                                                      "position_embd",
                                                      "token_types.weight",
                                                      "time_mix_",
                                                      "patch_embd"};
  for (const std::string_view kept : kKept) {
    if (contains(tensor, kept)) return false;
  }
  return true;
}

TensorType type_by_rule(const FileType& kind, const ModelTraits& model, const TensorPlace& tensor) {
  if (tensor_type_info(kind.main).block_elements == 1) return kind.main;
  switch (tensor.role) {
    case Role::output:
      return output_type(kind, tensor);
    case Role::embedding:
      return model.output_is_tied ? output_type(kind, tensor) : kind.main;
    case Role::attention_k:
      return model.n_experts == 8 ? q8_0 : kind.main;
    case Role::attention_v:
    case Role::attention_qkv:
      return value_type(kind.name, kind.main, model, tensor);
    case Role::ffn_down:
      return down_type(kind.name, kind.main, model, tensor.ordinal);
    case Role::attention_out:
      return attention_out_type(kind.name, kind.main, model);
    case Role::attention_q:
    case Role::other:
      break;
  }
  return kind.main;
}

TensorType fallback_type(TensorType type, int64_t row) {
  if (row % tensor_type_info(type).block_elements == 0) return type;
  TensorType smaller = type;
  switch (type) {
    case iq4_xs:
      smaller = iq4_nl;
      break;
    case q2_k:
    case q3_k:
      smaller = q4_0;
      break;
    case q4_k:
      smaller = q5_0;
      break;
    case q5_k:
      smaller = q5_1;
      break;
    case q6_k:
      smaller = q8_0;
      break;
    default:
      break;
  }
  return row % tensor_type_info(smaller).block_elements == 0 ? smaller : f16;
}

}  // namespace plm::quantize
