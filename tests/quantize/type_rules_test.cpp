#include "quantize/type_rules.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace plm::quantize {
namespace {

using enum TensorType;

constexpr int64_t kLayers = 32;
constexpr ModelTraits kPlm{.n_layers = kLayers, .output_is_tied = true};

// The types of one role in all layers of a model, and how many layers have each.
std::map<TensorType, int> types_of(std::string_view kind, Role role, const ModelTraits& model = kPlm) {
  std::map<TensorType, int> count;
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    ++count[type_by_rule(*find_file_type(kind), model,
                         {.role = role, .row = 2048, .ordinal = layer, .n_alike = kLayers})];
  }
  return count;
}

using Count = std::map<TensorType, int>;

TEST(FileTypes, AreFoundInAnyCaseAndByTheNameOfTheirFamily) {
  EXPECT_EQ(find_file_type("q4_k_m")->id, 15U);
  EXPECT_EQ(find_file_type("Q4_K"), find_file_type("Q4_K_M"));
  EXPECT_EQ(find_file_type("q3_k"), find_file_type("Q3_K_M"));
  EXPECT_EQ(find_file_type("Q5_K")->name, "Q5_K_M");
  EXPECT_EQ(find_file_type("IQ1_S"), nullptr);
  EXPECT_EQ(find_file_type(""), nullptr);
}

TEST(TypeRules, KnowTheRolesOfTensorsByTheirNames) {
  EXPECT_EQ(role_of("output.weight"), Role::output);
  EXPECT_EQ(role_of("output_norm.weight"), Role::other);
  EXPECT_EQ(role_of("token_embd.weight"), Role::embedding);
  EXPECT_EQ(role_of("blk.3.attn_kv_b.weight"), Role::attention_v);
  EXPECT_EQ(role_of("blk.3.attn_kv_a_mqa.weight"), Role::other);
  EXPECT_EQ(role_of("blk.3.ffn_down.weight"), Role::ffn_down);
  EXPECT_EQ(role_of("blk.3.ffn_up.weight"), Role::other);
}

TEST(TypeRules, LeaveVectorsNormsAndRoutersAlone) {
  EXPECT_TRUE(may_be_quantized("blk.0.ffn_up.weight", 2));
  EXPECT_FALSE(may_be_quantized("blk.0.ffn_up.weight", 1));
  EXPECT_FALSE(may_be_quantized("blk.0.ffn_up.bias", 2));
  EXPECT_FALSE(may_be_quantized("blk.0.attn_kv_a_norm.weight", 2));
  EXPECT_FALSE(may_be_quantized("blk.0.ffn_gate_inp.weight", 2));
}

TEST(TypeRules, GiveHalfOfTheDownProjectionsMoreBitsInQ4_K_M) {
  EXPECT_EQ(types_of("Q4_K_M", Role::ffn_down), (Count{{q4_k, 16}, {q6_k, 16}}));
  EXPECT_EQ(types_of("Q4_K_M", Role::attention_v), (Count{{q4_k, 16}, {q6_k, 16}}));
  EXPECT_EQ(types_of("Q4_K_M", Role::attention_q), (Count{{q4_k, 32}}));
  EXPECT_EQ(types_of("Q5_K_M", Role::ffn_down), (Count{{q5_k, 16}, {q6_k, 16}}));
}

TEST(TypeRules, RaiseTheFirstLayersInTheSmallKinds) {
  EXPECT_EQ(types_of("Q4_K_S", Role::ffn_down), (Count{{q5_k, 4}, {q4_k, 28}}));
  EXPECT_EQ(types_of("Q4_K_S", Role::attention_v), (Count{{q5_k, 4}, {q4_k, 28}}));
  EXPECT_EQ(types_of("Q3_K_M", Role::ffn_down), (Count{{q5_k, 2}, {q4_k, 30}}));
  EXPECT_EQ(types_of("Q2_K", Role::attention_out), (Count{{q3_k, 32}}));
}

TEST(TypeRules, RaiseTheFirstDownProjectionsOfQ4_0OnlyWithImportance) {
  ModelTraits informed = kPlm;
  informed.has_importance = true;
  EXPECT_EQ(types_of("Q4_0", Role::ffn_down), (Count{{q4_0, 32}}));
  EXPECT_EQ(types_of("Q4_0", Role::ffn_down, informed), (Count{{q4_1, 4}, {q4_0, 28}}));
  EXPECT_EQ(types_of("IQ4_NL", Role::ffn_down), (Count{{q5_k, 4}, {iq4_nl, 28}}));
  EXPECT_EQ(types_of("IQ4_NL", Role::ffn_down, informed), (Count{{iq4_nl, 32}}));
}

TEST(TypeRules, KeepTheOutputMatrixAtSixBitsOrMore) {
  const TensorPlace embedding{.role = Role::embedding, .row = 2048};
  ModelTraits untied = kPlm;
  untied.output_is_tied = false;
  EXPECT_EQ(type_by_rule(*find_file_type("Q4_0"), kPlm, embedding), q6_k);
  EXPECT_EQ(type_by_rule(*find_file_type("Q8_0"), kPlm, embedding), q8_0);
  EXPECT_EQ(type_by_rule(*find_file_type("F16"), kPlm, embedding), f16);
  EXPECT_EQ(type_by_rule(*find_file_type("Q4_0"), untied, embedding), q4_0);
  EXPECT_EQ(type_by_rule(*find_file_type("Q4_K_M"), kPlm, {.role = Role::embedding, .row = 2080}), q8_0);
}

TEST(TypeRules, SpendMoreOnValuesThatManyHeadsShare) {
  const ModelTraits grouped{.n_layers = kLayers, .heads_per_kv_head = 8};
  EXPECT_EQ(types_of("Q2_K", Role::attention_v, grouped), (Count{{q4_k, 32}}));
  EXPECT_EQ(types_of("IQ4_NL", Role::attention_v, grouped), (Count{{q5_k, 32}}));
}

TEST(TypeRules, FallBackToSmallBlocksWhereARowHasNoWholeOnes) {
  EXPECT_EQ(fallback_type(q4_k, 512), q4_k);
  EXPECT_EQ(fallback_type(q4_k, 128), q5_0);
  EXPECT_EQ(fallback_type(q5_k, 128), q5_1);
  EXPECT_EQ(fallback_type(q6_k, 128), q8_0);
  EXPECT_EQ(fallback_type(q2_k, 96), q4_0);
  EXPECT_EQ(fallback_type(iq4_xs, 96), iq4_nl);
  EXPECT_EQ(fallback_type(q4_k, 40), f16);
  EXPECT_EQ(fallback_type(q8_0, 40), f16);
}

}  // namespace
}  // namespace plm::quantize
