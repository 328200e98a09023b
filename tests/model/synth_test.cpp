#include "model/synth/synth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "gguf/gguf_file.h"
#include "model/model.h"
#include "model/synth/quant_mix.h"
#include "model/synth/random_weights.h"
#include "model/synth/tensor_plan.h"
#include "model/synth/vocabulary.h"

namespace plm::model {
namespace {

class Synth : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("plm_synth_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  static SynthOptions tiny(const std::string& type) {
    return {.preset = *find_synth_preset("plm-tiny"), .type = type, .progress = {}};
  }

  static std::string bytes_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Of the last of n_tokens tokens.
  static std::vector<float> logits_of(const std::string& file_path, int64_t n_tokens) {
    auto file = gguf::File::open(file_path);
    EXPECT_TRUE(file.ok()) << file.error().message;
    ThreadPool pool(2);
    auto model = load_model(*file, {.kernels = *kernels::select_kernels()}, pool);
    EXPECT_TRUE(model.ok()) << model.error().message;
    auto cache = Cache::create((*model)->cache_layout(), TensorType::f32, n_tokens);
    EXPECT_TRUE(cache.ok());
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < n_tokens; ++i) tokens.push_back(static_cast<int32_t>((i * 131 + 7) % 2000));
    std::vector<float> logits(static_cast<size_t>((*model)->config().vocabulary_size));
    const SequenceSlice slice{&*cache, n_tokens};
    const int64_t last = n_tokens - 1;
    (*model)->run(
        {.tokens = tokens, .sequences = {&slice, 1}, .logits_of = {&last, 1}, .logits = logits.data()}, pool);
    return logits;
  }

  // The share of squared-ReLU outputs that are zero over `n_tokens` tokens of a file.
  static double zero_rate(const std::string& file_path, int64_t n_tokens) {
    auto file = gguf::File::open(file_path);
    EXPECT_TRUE(file.ok()) << file.error().message;
    auto kernels = kernels::select_kernels("reference");
    EXPECT_TRUE(kernels.ok());
    ThreadPool pool(2);
    auto model = load_model(*file, {.kernels = *kernels}, pool);
    EXPECT_TRUE(model.ok()) << model.error().message;
    auto cache = Cache::create((*model)->cache_layout(), TensorType::f32, n_tokens);
    EXPECT_TRUE(cache.ok());
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < n_tokens; ++i) tokens.push_back(static_cast<int32_t>((i * 131 + 7) % 2000));
    const SequenceSlice slice{&*cache, n_tokens};
    (*model)->run({.tokens = tokens, .sequences = {&slice, 1}, .logits_of = {}}, pool);
    double live = 0;
    for (const int64_t count : (*model)->sparsity().live_of_layer) live += static_cast<double>(count);
    const Config& config = (*model)->config();
    return 1 - live / static_cast<double>(n_tokens * config.n_layers * config.ffn_width);
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(Synth, ZeroRateIsTheOneAskedWithinTwoPoints) {
  for (const std::string type : {"F32", "Q8_0", "Q4_0", "Q4_K_M", "Q2_K"}) {
    ASSERT_TRUE(write_synthetic_model(path(type), tiny(type)).ok());
    EXPECT_NEAR(zero_rate(path(type), 64), 0.9, 0.02) << type;
  }
  for (const double sparsity : {0.0, 0.5, 0.97}) {
    SynthOptions options = tiny("Q4_0");
    options.sparsity = sparsity;
    options.seed = 5;
    ASSERT_TRUE(write_synthetic_model(path("rate"), options).ok());
    EXPECT_NEAR(zero_rate(path("rate"), 64), sparsity, 0.02);
  }
}

TEST_F(Synth, BytesDoNotDependOnTheNumberOfThreads) {
  SynthOptions options = tiny("Q4_K_M");
  ASSERT_TRUE(write_synthetic_model(path("one"), options).ok());
  options.n_threads = 3;
  ASSERT_TRUE(write_synthetic_model(path("three"), options).ok());
  EXPECT_EQ(bytes_of(path("one")), bytes_of(path("three")));
  options.seed = 2;
  ASSERT_TRUE(write_synthetic_model(path("other"), options).ok());
  EXPECT_NE(bytes_of(path("one")), bytes_of(path("other")));
}

TEST_F(Synth, EveryTypeIsReadBackWithItsTensors) {
  for (const std::string type : {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K",
                                 "Q4_K", "Q5_K", "Q6_K", "q4_k_m"}) {
    ASSERT_TRUE(write_synthetic_model(path(type), tiny(type)).ok()) << type;
    auto file = gguf::File::open(path(type));
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ(file->tensors().size(), 2U + 4U * 9U);
    EXPECT_EQ(*file->get_uint("general.file_type"), find_quant_mix(type)->file_type);
    EXPECT_EQ(file->find_tensor("blk.1.ffn_up.weight")->type, find_quant_mix(type)->matrices);
    EXPECT_EQ(file->find_tensor("blk.1.ffn_norm.weight")->type, TensorType::f32);
  }
}

TEST_F(Synth, RefusesWhatItCannotWriteAndLeavesNoFile) {
  SynthOptions options = tiny("Q9_9");
  Status status = write_synthetic_model(path("bad"), options);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::invalid_argument);
  EXPECT_NE(status.error().message.find("Q9_9"), std::string::npos);
  for (const double sparsity : {-0.1, 1.5, std::nan("")}) {
    options = tiny("Q4_0");
    options.sparsity = sparsity;
    EXPECT_FALSE(write_synthetic_model(path("bad"), options).ok());
  }
  options = tiny("Q4_K");
  options.preset.kv_lora_rank = 120;
  status = write_synthetic_model(path("bad"), options);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("attn_kv_b"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path("bad")));
}

TEST_F(Synth, ProgressRisesToOneAndCanCancel) {
  SynthOptions options = tiny("Q8_0");
  std::vector<double> seen;
  options.progress = [&](double fraction) {
    seen.push_back(fraction);
    return true;
  };
  ASSERT_TRUE(write_synthetic_model(path("whole"), options).ok());
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_DOUBLE_EQ(seen.back(), 1.0);

  options.progress = [](double) { return false; };
  const Status status = write_synthetic_model(path("none"), options);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::cancelled);
  EXPECT_FALSE(std::filesystem::exists(path("none")));
}

TEST(SynthPlan, Of1_8BHasTheTensorsAndTypesOfThePublishedFile) {
  const SynthPreset& preset = *find_synth_preset("plm-1.8b");
  const QuantMix mix = *find_quant_mix("Q4_K_M");
  std::map<TensorType, int> count;
  int64_t parameters = 0;
  for (const TensorPlan& plan : plan_tensors(preset, {})) {
    const auto& description = plan.description;
    ++count[type_in_mix(mix, description.name, description.shape.size(), preset.n_layers)];
    parameters += plan.row_length() * plan.n_rows();
  }
  EXPECT_EQ(count[TensorType::f32], 97);
  EXPECT_EQ(count[TensorType::q4_k], 176);
  EXPECT_EQ(count[TensorType::q6_k], 17);
  EXPECT_EQ(parameters, 1825458176);
}

TEST(SynthPlan, MakesNoOutliers) {
  const SynthPreset& preset = *find_synth_preset("plm-tiny");
  for (const TensorPlan& plan : plan_tensors(preset, {.sparsity = 0.97})) {
    for (const float head : plan.head) {
      if (plan.mean != 0) continue;  // norms are 1 there
      ASSERT_LT(std::fabs(head), 4 * plan.deviation) << plan.description.name;
    }
  }
}

// MiniCPM's feed-forward is 22.5 blocks wide, so its rows take formats of blocks of 32.
TEST(SynthPlan, EveryPresetFitsEveryBlockFormat) {
  for (const SynthPreset& preset : synth_presets()) {
    const int64_t block = preset.architecture == "minicpm" ? 32 : 256;
    for (const TensorPlan& plan : plan_tensors(preset, {})) {
      if (plan.n_rows() == 1) continue;  // norms and biases are F32
      EXPECT_EQ(plan.row_length() % block, 0) << preset.name << " " << plan.description.name;
    }
  }
}

TEST_F(Synth, RowsThatAKFormatDoesNotFitTakeTheNearestOfBlocksOf32) {
  SynthOptions options = tiny("Q4_K");
  options.preset = *find_synth_preset("llama-tiny");
  options.preset.ffn_width = 480;
  ASSERT_TRUE(write_synthetic_model(path("narrow"), options).ok());
  auto file = gguf::File::open(path("narrow"));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->find_tensor("blk.1.ffn_down.weight")->type, TensorType::q5_0);
  EXPECT_EQ(file->find_tensor("blk.1.ffn_up.weight")->type, TensorType::q4_k);
}

TEST_F(Synth, SpreadsTheLogitsOfEveryArchitecture) {
  for (const std::string preset : {"plm-tiny", "qwen2-tiny", "llama-tiny", "minicpm-2b", "qwen3-1.7b"}) {
    SynthOptions options = tiny("Q8_0");
    options.preset = *find_synth_preset(preset);
    options.preset.n_layers = 2;  // of the large ones
    options.preset.width = std::min<int64_t>(options.preset.width, 256);
    options.preset.ffn_width = std::min<int64_t>(options.preset.ffn_width, 512);
    options.preset.vocabulary_size = 2048;
    options.preset.n_unused_tokens = 5;
    ASSERT_TRUE(write_synthetic_model(path("spread"), options).ok());
    const std::vector<float> logits = logits_of(path("spread"), 16);
    double sum = 0, square = 0;
    for (const float x : logits) {
      sum += static_cast<double>(x);
      square += static_cast<double>(x) * static_cast<double>(x);
    }
    const double n = static_cast<double>(logits.size()), mean = sum / n;
    EXPECT_NEAR(std::sqrt(square / n - mean * mean), 3.0, 0.8) << preset;
  }
}

TEST(SynthRandom, NumbersAreNormalAndDifferByRow) {
  std::vector<float> values(100000), others(values.size());
  fill_normal(row_key(1, "a", 0), 2.0f, values.data(), static_cast<int64_t>(values.size()));
  fill_normal(row_key(1, "a", 1), 2.0f, others.data(), static_cast<int64_t>(others.size()));
  double sum = 0, square = 0, fourth = 0, product = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double x = values[i];
    sum += x;
    square += x * x;
    fourth += x * x * x * x;
    product += x * static_cast<double>(others[i]);
  }
  const auto n = static_cast<double>(values.size());
  // Five standard errors of each moment.
  EXPECT_NEAR(sum / n, 0, 5 * 2 / std::sqrt(n));
  EXPECT_NEAR(square / n, 4, 5 * 4 * std::sqrt(2 / n));
  EXPECT_NEAR(fourth / n / 48, 1, 5 * std::sqrt(96.0 / 9 / n) + 0.01);  // the cut-off tails lack under 1 %
  EXPECT_NEAR(product / n, 0, 5 * 4 / std::sqrt(n));
}

TEST(SynthRandom, QuantileInvertsTheNormalDistribution) {
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-12);
  EXPECT_NEAR(normal_quantile(0.9), 1.2815515655446004, 1e-12);
  EXPECT_NEAR(normal_quantile(0.001), -3.090232306167813, 1e-12);
}

TEST(SynthVocabularyTest, MergesBuildTokensAndAllTokensDiffer) {
  const SynthVocabulary vocabulary = make_synth_vocabulary(151936, 290);
  ASSERT_EQ(vocabulary.tokens.size(), 151936U);
  ASSERT_EQ(vocabulary.types.size(), vocabulary.tokens.size());
  const std::set<std::string> tokens(vocabulary.tokens.begin(), vocabulary.tokens.end());
  EXPECT_EQ(tokens.size(), vocabulary.tokens.size());
  EXPECT_FALSE(vocabulary.merges.empty());
  for (const std::string& merge : vocabulary.merges) {
    const size_t space = merge.find(' ');
    EXPECT_TRUE(tokens.count(merge.substr(0, space))) << merge;
    EXPECT_TRUE(tokens.count(merge.substr(space + 1))) << merge;
    EXPECT_TRUE(tokens.count(merge.substr(0, space) + merge.substr(space + 1))) << merge;
  }
  EXPECT_EQ(vocabulary.end_of_text, 151643U);
  EXPECT_EQ(vocabulary.tokens[151644], "<|im_start|>");
  EXPECT_EQ(vocabulary.tokens[151645], "<|im_end|>");
  EXPECT_EQ(vocabulary.types[151645], 3);
  EXPECT_EQ(vocabulary.types[151646], 5);
}

TEST(SynthMix, FollowsTheRuleForMoreBits) {
  std::vector<int64_t> picked;
  for (int64_t layer = 0; layer < 32; ++layer) {
    if (use_more_bits(layer, 32)) picked.push_back(layer);
  }
  EXPECT_EQ(picked, (std::vector<int64_t>{0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31}));
}

}  // namespace
}  // namespace plm::model
