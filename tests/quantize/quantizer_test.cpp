#include "quantize/quantizer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/half.h"
#include "gguf/gguf_writer.h"
#include "quant/formats.h"

namespace plm::quantize {
namespace {

constexpr int64_t kWidth = 256, kNeurons = 512;

class Quantizing : public testing::Test {
 protected:
  Quantizing()
      : folder_(std::filesystem::path(testing::TempDir()) / ("plm_quantizer_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0.0f, 0.02f);
    up_.resize(kWidth * kNeurons);
    down_.resize(kWidth * kNeurons);
    for (float& x : up_) x = f16_to_f32(f32_to_f16(normal(random)));
    for (float& x : down_) x = f16_to_f32(f32_to_f16(normal(random)));
  }
  ~Quantizing() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // A file of one feed-forward layer.
  gguf::File model() {
    gguf::MetadataBuilder metadata;
    metadata.set_string("general.architecture", "plm");
    metadata.set_u32("plm.block_count", 1);
    metadata.set_u32("split.count", 0);
    auto writer = gguf::Writer::create(path("in.gguf"), metadata,
                                       {{"blk.0.ffn_up.weight", TensorType::f16, {kWidth, kNeurons}},
                                        {"blk.0.ffn_norm.weight", TensorType::f32, {kWidth}},
                                        {"blk.0.ffn_down.weight", TensorType::f16, {kNeurons, kWidth}}});
    PLM_CHECK(writer.ok());
    append_halves(*writer, up_);
    const std::vector<float> norm(kWidth, 1.0f);
    PLM_CHECK(writer->append(std::as_bytes(std::span(norm))).ok());
    append_halves(*writer, down_);
    PLM_CHECK(writer->finish().ok());
    return *gguf::File::open(path("in.gguf"));
  }

  static void append_halves(gguf::Writer& writer, const std::vector<float>& values) {
    std::vector<uint16_t> halves;
    for (const float value : values) halves.push_back(f32_to_f16(value));
    PLM_CHECK(writer.append(std::as_bytes(std::span(halves))).ok());
  }

  static std::vector<float> decoded(const gguf::File& file, std::string_view name) {
    const gguf::TensorInfo& tensor = *file.find_tensor(name);
    std::vector<float> values(static_cast<size_t>(tensor.n_elements));
    quant::find_format(tensor.type)
        ->decode(file.tensor_data(tensor).data(), values.data(), tensor.n_elements);
    return values;
  }

  Result<QuantizeSummary> quantize(std::string_view type, const std::string& out,
                                   const QuantizeOptions& options = {}, int n_threads = 2) {
    const gguf::File file = model();
    PLM_TRY(const Plan plan,
            make_plan(file, {.file_type = find_file_type(type), .importance = options.importance}));
    ThreadPool pool(n_threads);
    return quantize_file(file, plan, options, path(out), pool);
  }

  std::string bytes_of(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  Importance importance() const {
    Importance result;
    result.tensors["blk.0.ffn_up.weight"] = {
        .sums = std::vector<float>(kWidth, 2.0f), .counts = {4}, .correlations = {}};
    result.tensors["blk.0.ffn_down.weight"] = {
        .sums = std::vector<float>(kNeurons, 2.0f), .counts = {4}, .correlations = {}};
    return result;
  }

  std::filesystem::path folder_;
  std::vector<float> up_, down_;
};

TEST_F(Quantizing, WritesTypesSizesAndMetadata) {
  const auto summary = quantize("Q4_K_M", "out.gguf");
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_EQ(summary->n_unweighted, 2U);
  const auto file = gguf::File::open(path("out.gguf"));
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->find_tensor("blk.0.ffn_up.weight")->type, TensorType::q4_k);
  EXPECT_EQ(file->find_tensor("blk.0.ffn_down.weight")->type, TensorType::q6_k);
  EXPECT_EQ(file->find_tensor("blk.0.ffn_norm.weight")->type, TensorType::f32);
  EXPECT_EQ(*file->get_uint("general.file_type"), 15U);
  EXPECT_EQ(*file->get_uint("general.quantization_version"), 2U);
  EXPECT_EQ(file->find("split.count"), nullptr);
  const std::vector<float> up = decoded(*file, "blk.0.ffn_up.weight");
  double error = 0, size = 0;
  for (size_t i = 0; i < up.size(); ++i) {
    error += (up[i] - up_[i]) * (up[i] - up_[i]);
    size += up_[i] * up_[i];
  }
  EXPECT_LT(error / size, 0.01);
}

TEST_F(Quantizing, DoesNotDependOnTheNumberOfThreads) {
  ASSERT_TRUE(quantize("Q3_K_M", "one.gguf", {}, 1).ok());
  ASSERT_TRUE(quantize("Q3_K_M", "four.gguf", {}, 4).ok());
  EXPECT_EQ(bytes_of("one.gguf"), bytes_of("four.gguf"));
}

TEST_F(Quantizing, CopiesWhatHasItsTypeAlready) {
  ASSERT_TRUE(quantize("F16", "out.gguf").ok());
  const auto file = gguf::File::open(path("out.gguf"));
  EXPECT_EQ(decoded(*file, "blk.0.ffn_down.weight"), down_);
}

TEST_F(Quantizing, MovesNeuronsInBothMatricesAlike) {
  Importance known = importance();
  std::vector<int32_t>& order = known.neuron_order[0];
  for (int32_t i = 0; i < kNeurons; ++i) order.push_back(static_cast<int32_t>((i * 5 + 3) % kNeurons));
  ASSERT_TRUE(quantize("F16", "out.gguf", {.importance = &known, .order_neurons = true}).ok());
  const auto file = gguf::File::open(path("out.gguf"));
  const std::vector<float> up = decoded(*file, "blk.0.ffn_up.weight"),
                           down = decoded(*file, "blk.0.ffn_down.weight");
  for (size_t i = 0; i < kNeurons; ++i) {
    const auto from = static_cast<size_t>(order[i]);
    for (size_t d = 0; d < kWidth; ++d) {
      ASSERT_EQ(up[i * kWidth + d], up_[from * kWidth + d]);
      ASSERT_EQ(down[d * kNeurons + i], down_[d * kNeurons + from]);
    }
  }
}

TEST_F(Quantizing, NamesTheTensorWhoseWeightsAreNotFinite) {
  down_[77] = HUGE_VALF;
  down_[78] = std::nanf("");
  const auto summary = quantize("Q4_0", "out.gguf");
  ASSERT_FALSE(summary.ok());
  EXPECT_NE(summary.error().message.find("blk.0.ffn_down.weight: found 2 weights"), std::string::npos)
      << summary.error().message;
  EXPECT_FALSE(std::filesystem::exists(path("out.gguf")));
}

TEST_F(Quantizing, RefusesImportanceOfAnotherModel) {
  Importance known = importance();
  known.tensors["blk.0.ffn_down.weight"].sums.resize(64);
  const auto summary = quantize("Q4_0", "out.gguf", {.importance = &known});
  ASSERT_FALSE(summary.ok());
  EXPECT_EQ(summary.error().kind, ErrorKind::bad_data);
}

TEST_F(Quantizing, LeavesNothingWhenStopped) {
  const auto summary =
      quantize("Q4_0", "out.gguf", {.progress = [](const QuantizeProgress& p) { return p.index < 2; }});
  ASSERT_FALSE(summary.ok());
  EXPECT_EQ(summary.error().kind, ErrorKind::cancelled);
  EXPECT_FALSE(std::filesystem::exists(path("out.gguf")));
}

TEST_F(Quantizing, RefusesToLosePrecisionTwice) {
  ASSERT_TRUE(quantize("Q4_0", "out.gguf").ok());
  const auto file = gguf::File::open(path("out.gguf"));
  EXPECT_FALSE(make_plan(*file, {.file_type = find_file_type("Q8_0")}).ok());
  EXPECT_TRUE(make_plan(*file, {.file_type = find_file_type("Q8_0"), .may_requantize = true}).ok());
  EXPECT_TRUE(make_plan(*file, {.file_type = find_file_type("Q4_0"), .pure = true}).ok());
}

TEST_F(Quantizing, FollowsTheUsersTypes) {
  const gguf::File file = model();
  PlanOptions options{.file_type = find_file_type("Q4_K_M")};
  options.rules.push_back(*TensorRule::parse("FFN_DOWN=q5_0"));
  options.rules.push_back(*TensorRule::parse("ffn_.*=Q2_K"));
  const auto plan = make_plan(file, options);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->tensors[0].type, TensorType::q2_k);
  EXPECT_EQ(plan->tensors[2].type, TensorType::q5_0);
  EXPECT_FALSE(TensorRule::parse("ffn").ok());
  EXPECT_FALSE(TensorRule::parse("ffn=Q9").ok());
  EXPECT_FALSE(TensorRule::parse("ffn=IQ4_XS").ok());
  EXPECT_FALSE(TensorRule::parse("(=Q8_0").ok());
}

}  // namespace
}  // namespace plm::quantize
