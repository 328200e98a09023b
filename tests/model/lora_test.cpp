// LoRA adapters while a model runs: what must be equal whatever the form, the threads and the company in a
// step, and that a step does not allocate. That the numbers are right says tests/python/test_lora.py.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

#include "model/lora/adapter_builder.h"
#include "model/model.h"
#include "model/synth/synth.h"

namespace plm::model {
namespace {

using Logits = std::vector<float>;

constexpr int64_t kLargestStep = 600, kCapacity = 700;

std::vector<int32_t> some_tokens(int64_t n) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < n; ++i) tokens.push_back(static_cast<int32_t>((i * i * 31 + i * 17 + 7) % 2000));
  return tokens;
}

float largest_difference(const Logits& a, const Logits& b) {
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(a[i] - b[i]));
  return largest;
}

AdapterMatrix random_matrix(int64_t rows, int64_t cols, float size, std::mt19937& random) {
  std::vector<float> numbers(static_cast<size_t>(rows * cols));
  std::normal_distribution<float> normal(0, size);
  for (float& x : numbers) x = normal(random);
  const auto bytes = std::as_bytes(std::span(numbers));
  return {.type = TensorType::f32, .rows = rows, .cols = cols, .bytes = {bytes.begin(), bytes.end()}};
}

// Changes every matrix of the layers.
ScaledAdapter random_adapter(const gguf::File& file, int64_t rank, unsigned seed) {
  std::mt19937 random(seed);
  Adapter adapter{
      .path = "test", .architecture = std::string(*file.get_string("general.architecture")), .pairs = {}};
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    if (tensor.n_dims != 2 || !tensor.name.starts_with("blk.")) continue;
    const int64_t rows = tensor.shape[1], cols = tensor.shape[0];
    const float a = 1 / std::sqrt(static_cast<float>(cols)), b = 0.3F / std::sqrt(static_cast<float>(rank));
    adapter.pairs.push_back({.tensor = std::string(tensor.name),
                             .a_ZK = random_matrix(rank, cols, a, random),
                             .b_YZ = random_matrix(rows, rank, b, random)});
  }
  return {std::make_shared<const Adapter>(std::move(adapter)), 1.0F};
}

struct Loaded {
  Loaded(const gguf::File& file, int n_threads, std::vector<ScaledAdapter> adapters)
      : pool(n_threads),
        model(*load_model(file,
                          {.kernels = *kernels::select_kernels(),
                           .max_tokens = kLargestStep,
                           .adapters = std::move(adapters)},
                          pool)) {}
  Cache cache() const { return *Cache::create(model->cache_layout(), TensorType::f32, kCapacity); }

  // Runs tokens; the logits of the last one.
  Logits run(Cache& cache, std::span<const int32_t> tokens, AttentionForm form = AttentionForm::automatic) {
    Logits logits(static_cast<size_t>(model->config().vocabulary_size));
    const SequenceSlice slice{&cache, static_cast<int64_t>(tokens.size())};
    const int64_t last = slice.n_tokens - 1;
    model->run({.tokens = tokens,
                .sequences = {&slice, 1},
                .logits_of = {&last, 1},
                .logits = logits.data(),
                .attention = form},
               pool);
    return logits;
  }

  ThreadPool pool;
  std::unique_ptr<Model> model;
};

// The parameter is a preset.
class AdaptedModel : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::path(testing::TempDir()) /
             ("plm_lora_" + GetParam() + std::to_string(::getpid()) + ".gguf"))
                .string();
    SynthOptions options{.preset = *find_synth_preset(GetParam()), .type = "F32", .progress = {}};
    options.preset.n_layers = 2;
    ASSERT_TRUE(write_synthetic_model(path_, options).ok());
    file_.emplace(*gguf::File::open(path_));
    adapters_ = {random_adapter(*file_, 5, 1), random_adapter(*file_, 16, 2)};
  }
  void TearDown() override { std::filesystem::remove(path_); }

  const gguf::File& file() const { return *file_; }
  const std::vector<ScaledAdapter>& adapters() const { return adapters_; }

  // docs/numerics.md, "The whole model".
  static constexpr float kFloatTolerance = 5e-5F;

 private:
  std::string path_;
  std::optional<gguf::File> file_;
  std::vector<ScaledAdapter> adapters_;
};

TEST_P(AdaptedModel, BothFormsAndAnySplitAgree) {
  Loaded loaded(file(), 2, adapters());
  const std::vector<int32_t> tokens = some_tokens(560);
  Cache whole = loaded.cache();
  const Logits expected = loaded.run(whole, tokens, AttentionForm::expanded);
  float range = 0;
  for (const float x : expected) range = std::max(range, std::fabs(x));
  for (const AttentionForm form : {AttentionForm::absorbed, AttentionForm::expanded}) {
    Cache cache = loaded.cache();
    Logits logits;
    for (const auto& [begin, end] : {std::pair{0, 500}, {500, 501}, {501, 530}, {530, 560}}) {
      logits = loaded.run(cache, std::span(tokens).subspan(begin, end - begin), form);
    }
    EXPECT_LE(largest_difference(logits, expected), kFloatTolerance * std::max(1.0F, range / 15));
  }
}

TEST_P(AdaptedModel, AnyNumberOfThreadsGivesTheSameBits) {
  const std::vector<int32_t> tokens = some_tokens(150);
  std::vector<Logits> answers;
  for (const int n_threads : {1, 2, 3}) {
    Loaded loaded(file(), n_threads, adapters());
    Cache cache = loaded.cache();
    loaded.run(cache, std::span(tokens).first(140));
    loaded.run(cache, std::span(tokens).subspan(140, 9));
    answers.push_back(loaded.run(cache, std::span(tokens).last(1)));
  }
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_EQ(answers[0], answers[2]);
}

TEST_P(AdaptedModel, SequencesInOneStepAnswerAsAlone) {
  Loaded loaded(file(), 2, adapters());
  const std::vector<int32_t> tokens = some_tokens(60);
  Cache a = loaded.cache(), b = loaded.cache();
  const Logits alone_a = loaded.run(a, std::span(tokens).first(20));
  const Logits alone_b = loaded.run(b, std::span(tokens).last(40));
  Cache again_a = loaded.cache(), again_b = loaded.cache();
  const SequenceSlice slices[] = {{&again_a, 20}, {&again_b, 40}};
  const int64_t last[] = {19, 59};
  Logits logits(2 * alone_a.size());
  loaded.model->run({.tokens = tokens, .sequences = slices, .logits_of = last, .logits = logits.data()},
                    loaded.pool);
  const auto middle = logits.begin() + static_cast<std::ptrdiff_t>(alone_a.size());
  EXPECT_LE(largest_difference(Logits(logits.begin(), middle), alone_a), kFloatTolerance);
  EXPECT_LE(largest_difference(Logits(middle, logits.end()), alone_b), kFloatTolerance);
}

INSTANTIATE_TEST_SUITE_P(Presets, AdaptedModel, testing::Values("plm-tiny", "qwen2-tiny", "llama-tiny"),
                         [](const auto& preset) {
                           std::string name = preset.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

std::vector<std::byte> bytes_of(const std::vector<float>& numbers) {
  const auto bytes = std::as_bytes(std::span(numbers));
  return {bytes.begin(), bytes.end()};
}

TEST(AdapterBuilder, TurnsAndReordersMatrices) {
  AdapterBuilder builder("test");
  const auto a = bytes_of({1, 2, 3, 4, 5, 6}), b = bytes_of({10, 20});
  ASSERT_TRUE(builder
                  .add({.name = "a",
                        .tensor = "t",
                        .half = AdapterBuilder::Half::a,
                        .rows = 1,
                        .cols = 6,
                        .bytes = a,
                        .is_transposed = true})
                  .ok());
  ASSERT_TRUE(builder
                  .add({.name = "b",
                        .tensor = "t",
                        .half = AdapterBuilder::Half::b,
                        .rows = 2,
                        .cols = 1,
                        .bytes = b,
                        .row_of = [](int64_t row) { return 1 - row; }})
                  .ok());
  const auto adapter = builder.finish("plm", [](int64_t rank) { return 3.0F * static_cast<float>(rank); });
  ASSERT_TRUE(adapter.ok());
  ASSERT_EQ(adapter->pairs.size(), 1U);
  const AdapterPair& pair = adapter->pairs[0];
  EXPECT_EQ(pair.rank(), 1);
  EXPECT_EQ(pair.scale, 3.0F);
  EXPECT_EQ(pair.b_YZ.bytes, bytes_of({20, 10}));
}

TEST(AdapterBuilder, RefusesAHalfGivenTwice) {
  AdapterBuilder builder("test");
  const auto a = bytes_of({1, 2});
  const AdapterBuilder::Part part{
      .name = "a", .tensor = "t", .half = AdapterBuilder::Half::a, .rows = 1, .cols = 2, .bytes = a};
  EXPECT_TRUE(builder.add(part).ok());
  const Status again = builder.add(part);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().message, "test: tensor a: found a second time, expected once");
}

}  // namespace
}  // namespace plm::model
