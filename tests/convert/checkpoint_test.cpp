#include "convert/checkpoint.h"

#include <gmock/gmock.h>

#include "../gguf/temporary_folder.h"
#include "safetensors/safetensors_writer.h"

namespace plm::convert {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CheckpointTest : public TemporaryFolder {
 protected:
  void write_weights(std::string_view name,
                     const std::vector<safetensors::TensorDescription>& tensors) const {
    auto writer = safetensors::Writer::create(path(name), tensors);
    ASSERT_TRUE(writer.ok());
    while (const auto* tensor = writer->current()) {
      const std::vector<std::byte> zeros(*safetensors::tensor_bytes(tensor->dtype, tensor->shape));
      ASSERT_TRUE(writer->append(zeros).ok());
    }
    ASSERT_TRUE(writer->finish().ok());
  }
  std::string error() const {
    const auto checkpoint = Checkpoint::open(folder_.string());
    return checkpoint.ok() ? "" : checkpoint.error().message;
  }
};

TEST_F(CheckpointTest, FindsTheTensorsOfOneFile) {
  write_weights("model.safetensors",
                {{"a", safetensors::DType::bf16, {2, 3}}, {"b", safetensors::DType::f32, {4}}});
  const auto checkpoint = Checkpoint::open(folder_.string());
  ASSERT_TRUE(checkpoint.ok());
  ASSERT_NE(checkpoint->find("a"), nullptr);
  EXPECT_EQ(checkpoint->find("a")->type, TensorType::bf16);
  EXPECT_EQ(checkpoint->data(*checkpoint->find("b")).size(), 16U);
  EXPECT_EQ(checkpoint->find("c"), nullptr);
}

TEST_F(CheckpointTest, PutsShardsInTheOrderOfTheirNames) {
  write_weights("two.safetensors", {{"b", safetensors::DType::f32, {1}}});
  write_weights("one.safetensors", {{"z", safetensors::DType::f32, {1}}});
  write("model.safetensors.index.json",
        R"({"weight_map": {"b": "two.safetensors", "z": "one.safetensors"}})");
  const auto checkpoint = Checkpoint::open(folder_.string());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
  ASSERT_EQ(checkpoint->tensors().size(), 2U);
  EXPECT_EQ(checkpoint->tensors()[0].info->name, "z");
}

TEST_F(CheckpointTest, RefusesATensorInTwoShards) {
  write_weights("one.safetensors", {{"a", safetensors::DType::f32, {1}}});
  write_weights("two.safetensors",
                {{"a", safetensors::DType::f32, {1}}, {"b", safetensors::DType::f32, {1}}});
  write("model.safetensors.index.json",
        R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  EXPECT_THAT(error(), AllOf(HasSubstr("tensor a"), HasSubstr("found again"), HasSubstr("one.safetensors")));
}

TEST_F(CheckpointTest, RefusesAnIndexThatIsWrongAboutAShard) {
  write_weights("one.safetensors", {{"a", safetensors::DType::f32, {1}}});
  write("model.safetensors.index.json", R"({"weight_map": {"b": "one.safetensors"}})");
  EXPECT_THAT(error(), AllOf(HasSubstr("tensor b"), HasSubstr("one.safetensors")));
}

TEST_F(CheckpointTest, SaysWhatToDoWithPickles) {
  write("pytorch_model.bin", "x");
  EXPECT_THAT(error(), AllOf(HasSubstr("pytorch_model.bin"), HasSubstr("safetensors")));
}

TEST_F(CheckpointTest, SaysWhenThereAreNoWeights) { EXPECT_THAT(error(), HasSubstr("model.safetensors")); }

TEST_F(CheckpointTest, PassesOverOldRopeTables) {
  write_weights("model.safetensors",
                {{"model.layers.0.self_attn.rotary_emb.inv_freq", safetensors::DType::i64, {2}},
                 {"a", safetensors::DType::f16, {2}}});
  const auto checkpoint = Checkpoint::open(folder_.string());
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_EQ(checkpoint->tensors().size(), 1U);
}

TEST(WeightMap, RefusesNamesThatLeadOutOfTheFolder) {
  for (const char* name :
       {"../model.safetensors", "/etc/passwd", "a/b", "", "..", ".hidden", "a\\\\b", "a\\u0000b"}) {
    const auto json = parse_json_object(fmt::format(R"({{"weight_map": {{"t": "{}"}}}})", name), "index");
    ASSERT_TRUE(json.ok());
    EXPECT_FALSE(read_weight_map(*json, "index").ok()) << name;
  }
}

TEST(WeightMap, RefusesWhatIsNotAMap) {
  for (const char* text :
       {"{}", R"({"weight_map": []})", R"({"weight_map": {}})", R"({"weight_map": {"a": 1}})"}) {
    const auto json = parse_json_object(text, "index");
    ASSERT_TRUE(json.ok());
    EXPECT_FALSE(read_weight_map(*json, "index").ok()) << text;
  }
}

}  // namespace
}  // namespace plm::convert
