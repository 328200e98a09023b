// Sizes told by a header.
#include "inspect/model_summary.h"

#include <gtest/gtest.h>

#include "../gguf/crafted.h"

namespace plm::inspect {
namespace {

using namespace gguf::crafted;

// Embedding 8 x 4, up 4 x 8 and down 8 x 4, all float32 and whole multiples of the alignment.
Contents model(const std::string& extra_tensor = "") {
  Contents contents{
      .tensors = {tensor("token_embd.weight", {4, 8}, 0, 0), tensor("blk.0.ffn_up.weight", {4, 8}, 0, 128),
                  tensor("blk.0.ffn_down.weight", {8, 4}, 0, 256)},
      .data_bytes = 3 * 128};
  if (extra_tensor.empty()) return contents;
  contents.tensors.push_back(tensor(extra_tensor, {4, 8}, 0, contents.data_bytes));
  contents.data_bytes += 128;
  return contents;
}

TEST(ModelSummary, ZerosSpareTheirRowsOfTheDownProjection) {
  const std::string bytes = file(model());
  const ModelSummary summary = *summarize(*parse(bytes));
  EXPECT_EQ(summary.all.n_parameters, 96);
  EXPECT_TRUE(summary.is_output_tied);
  EXPECT_EQ(summary.bytes_per_token, 384);
  EXPECT_EQ(summary.activated_parameters(0), 96);
  EXPECT_EQ(summary.activated_parameters(0.75), 96 - 24);
  EXPECT_EQ(summary.activated_parameters_with_up(0.75), 96 - 48);
  EXPECT_EQ(summary.activated_bytes(0.75), 384 - 96);
  EXPECT_EQ(summary.by_part.at("feed-forward").n_parameters, 64);
}

TEST(ModelSummary, AGatedFeedForwardHasNoZeros) {
  const std::string bytes = file(model("blk.0.ffn_gate.weight"));
  const ModelSummary summary = *summarize(*parse(bytes));
  EXPECT_TRUE(summary.is_gated);
  EXPECT_EQ(summary.activated_parameters(0.9), 128);
  EXPECT_EQ(summary.activated_parameters_with_up(0.9), 128);
}

TEST(ModelSummary, OfAnUntiedEmbeddingARowIsRead) {
  const std::string bytes = file(model("output.weight"));
  const ModelSummary summary = *summarize(*parse(bytes));
  EXPECT_FALSE(summary.is_output_tied);
  EXPECT_EQ(summary.bytes_per_token, 4 * 128 - 128);
}

}  // namespace
}  // namespace plm::inspect
