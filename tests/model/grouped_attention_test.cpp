// Models with grouped-query attention: what must be equal whatever the form, the threads, the cache and the
// company in a step. That the numbers are right says tests/python/test_architectures.py.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "kernels/cache_row.h"
#include "model/model.h"
#include "model/synth/synth.h"

namespace plm::model {
namespace {

using Logits = std::vector<float>;

constexpr int64_t kLargestStep = 600, kCapacity = 4200;

std::vector<int32_t> some_tokens(int64_t n, int64_t seed = 7) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < n; ++i) tokens.push_back(static_cast<int32_t>((i * i * 31 + i * 17 + seed) % 2000));
  return tokens;
}

float largest_difference(const Logits& a, const Logits& b) {
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(a[i] - b[i]));
  return largest;
}

// A model and its threads. The parameter is a preset.
class GroupedAttention : public testing::TestWithParam<std::string> {
 protected:
  struct Loaded {
    explicit Loaded(const gguf::File& file, int n_threads)
        : pool(n_threads),
          model(
              *load_model(file, {.kernels = *kernels::select_kernels(), .max_tokens = kLargestStep}, pool)) {}
    Cache cache(TensorType type = TensorType::f32) const {
      return *Cache::create(model->cache_layout(), type, kCapacity);
    }

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

  void SetUp() override {
    path_ = (std::filesystem::path(testing::TempDir()) /
             ("plm_grouped_" + GetParam() + std::to_string(::getpid()) + ".gguf"))
                .string();
    SynthOptions options{.preset = *find_synth_preset(GetParam()), .type = "F32", .progress = {}};
    options.preset.n_layers = 2;
    ASSERT_TRUE(write_synthetic_model(path_, options).ok());
    file_.emplace(*gguf::File::open(path_));
  }
  void TearDown() override { std::filesystem::remove(path_); }

  const gguf::File& file() const { return *file_; }

  // Logits of deviation 3 and float32 everywhere: docs/numerics.md, "The whole model".
  static constexpr float kFloatTolerance = 5e-5f;

 private:
  std::string path_;
  std::optional<gguf::File> file_;
};

TEST_P(GroupedAttention, BothFormsAndAnySplitAgree) {
  Loaded loaded(file(), 2);
  const std::vector<int32_t> tokens = some_tokens(560);  // more than one decoded stretch
  Cache whole = loaded.cache();
  const Logits expected = loaded.run(whole, tokens, AttentionForm::expanded);
  for (const AttentionForm form :
       {AttentionForm::absorbed, AttentionForm::expanded, AttentionForm::automatic}) {
    Cache cache = loaded.cache();
    for (const auto& [begin, end] : {std::pair{0, 500}, {500, 501}, {501, 530}, {530, 560}}) {
      const Logits logits = loaded.run(cache, std::span(tokens).subspan(begin, end - begin), form);
      if (end < 560) continue;
      EXPECT_LE(largest_difference(logits, expected), kFloatTolerance);
    }
  }
}

// From 4,096 positions to 4,097 stretches become longer and half as many: the tokens of a step across that
// border need different room for their parts.
TEST_P(GroupedAttention, AStepAcrossLongerStretchesHasRoomForAllParts) {
  Loaded loaded(file(), 2);
  const std::vector<int32_t> tokens = some_tokens(4100);
  Cache cache = loaded.cache();
  for (size_t begin = 0; begin < 4088; begin += 584) {
    loaded.run(cache, std::span(tokens).subspan(begin, 584), AttentionForm::expanded);
  }
  const Logits absorbed = loaded.run(cache, std::span(tokens).subspan(4088), AttentionForm::absorbed);
  cache.truncate(4088);
  const Logits expanded = loaded.run(cache, std::span(tokens).subspan(4088), AttentionForm::expanded);
  EXPECT_LE(largest_difference(absorbed, expanded), kFloatTolerance);
}

TEST_P(GroupedAttention, AnyNumberOfThreadsGivesTheSameBits) {
  const std::vector<int32_t> tokens = some_tokens(150);
  std::vector<Logits> answers;
  for (const int n_threads : {1, 2, 3}) {
    Loaded loaded(file(), n_threads);
    Cache cache = loaded.cache(TensorType::bf16);
    loaded.run(cache, std::span(tokens).first(140));
    loaded.run(cache, std::span(tokens).subspan(140, 4));
    answers.push_back(loaded.run(cache, std::span(tokens).subspan(144)));
  }
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_EQ(answers[0], answers[2]);
}

TEST_P(GroupedAttention, SequencesInOneStepAnswerAsEachAlone) {
  Loaded loaded(file(), 2);
  const std::vector<int64_t> lengths = {3, 40, 1};
  std::vector<Cache> caches;
  std::vector<int32_t> tokens;
  std::vector<int64_t> last;
  std::vector<Logits> alone;
  for (size_t i = 0; i < lengths.size(); ++i) {
    const std::vector<int32_t> before = some_tokens(20, static_cast<int64_t>(i));
    const std::vector<int32_t> now = some_tokens(lengths[i], 100 + static_cast<int64_t>(i));
    caches.push_back(loaded.cache());
    loaded.run(caches.back(), before);
    Cache own = loaded.cache();
    loaded.run(own, before);
    alone.push_back(loaded.run(own, now));
    tokens.insert(tokens.end(), now.begin(), now.end());
    last.push_back(static_cast<int64_t>(tokens.size()) - 1);
  }
  std::vector<SequenceSlice> slices;
  for (size_t i = 0; i < lengths.size(); ++i) slices.push_back({&caches[i], lengths[i]});
  const auto W = static_cast<size_t>(loaded.model->config().vocabulary_size);
  Logits together(lengths.size() * W);
  loaded.model->run({.tokens = tokens, .sequences = slices, .logits_of = last, .logits = together.data()},
                    loaded.pool);
  for (size_t i = 0; i < lengths.size(); ++i) {
    const Logits mine(together.begin() + static_cast<int64_t>(i * W),
                      together.begin() + static_cast<int64_t>((i + 1) * W));
    EXPECT_LE(largest_difference(mine, alone[i]), kFloatTolerance) << "sequence " << i;
    EXPECT_EQ(caches[i].n_tokens(), 20 + lengths[i]);
  }
}

// In the first layer keys depend on their token and position alone, so those of a shifted context must be
// those of a fresh one.
TEST_P(GroupedAttention, AShiftedContextHasTheKeysOfAFreshOne) {
  Loaded loaded(file(), 1);
  std::vector<int32_t> tokens = some_tokens(50);
  Cache cache = loaded.cache();
  loaded.run(cache, tokens);
  cache.shift(4, 20);
  tokens.erase(tokens.begin() + 4, tokens.begin() + 24);
  Cache fresh = loaded.cache();
  loaded.run(fresh, tokens);
  ASSERT_EQ(cache.n_tokens(), fresh.n_tokens());
  const int64_t width = cache.layout().row_width;
  Logits shifted_row(static_cast<size_t>(width)), fresh_row(shifted_row.size());
  for (int64_t head = 0; head < loaded.model->config().n_kv_heads; ++head) {
    for (int64_t position = 0; position < cache.n_tokens(); ++position) {
      kernels::decode_cache_row(TensorType::f32, cache.row(head, position), width, shifted_row.data());
      kernels::decode_cache_row(TensorType::f32, fresh.row(head, position), width, fresh_row.data());
      EXPECT_LE(largest_difference(shifted_row, fresh_row), 1e-5f) << head << " " << position;
    }
  }
}

// Against a float32 cache: f16 and bf16 round to 11 and 8 bits, q8_0 to 1/254 of a block's largest.
TEST_P(GroupedAttention, SmallerCachesAnswerNearly) {
  Loaded loaded(file(), 2);
  const std::vector<int32_t> tokens = some_tokens(90);
  Cache exact = loaded.cache();
  const Logits expected = loaded.run(exact, tokens);
  for (const auto& [type, tolerance] :
       {std::pair{TensorType::f16, 1e-2f}, {TensorType::bf16, 8e-2f}, {TensorType::q8_0, 8e-2f}}) {
    Cache cache = loaded.cache(type);
    loaded.run(cache, std::span(tokens).first(80));
    for (size_t i = 80; i < 90; ++i) {
      const Logits logits = loaded.run(cache, std::span(tokens).subspan(i, 1));
      if (i < 89) continue;
      EXPECT_LE(largest_difference(logits, expected), tolerance) << tensor_type_name(type);
    }
    EXPECT_LT(cache.bytes_per_token(), exact.bytes_per_token() * 6 / 10);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GroupedAttention, testing::Values("qwen2-tiny", "llama-tiny"),
                         [](const auto& one) { return one.param == "qwen2-tiny" ? "qwen2" : "llama"; });

}  // namespace
}  // namespace plm::model
