// Measuring: what is run, how often, what is counted; with the bundled model and a peer that is a script.
#include "bench/speed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bench/against.h"
#include "bench/machine.h"

namespace plm::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<runtime::Engine> bundled_model() {
  auto engine = runtime::Engine::load({.model_path = PLM_SOURCE_DIR "/models/story-7m-f16.gguf",
                                       .n_threads = 2,
                                       .context_length = 0,
                                       .batch_size = 64,
                                       .cache_type = {}});
  EXPECT_TRUE(engine.ok()) << engine.error().message;
  return std::move(*engine);
}

// Notes what it is asked.
class NotedRunner final : public SpeedRunner {
 public:
  Result<double> run(const SpeedTest& test) override {
    asked.push_back(test.name());
    return 0.25;
  }
  std::vector<std::string> asked;
};

TEST(MeasureSpeed, WarmsUpAndThenTakesTurns) {
  const auto engine = bundled_model();
  const std::vector<SpeedTest> tests = {{.n_prompt = 80, .depth = 5}, {.n_generate = 6}};
  auto ours = EngineRunner::create(*engine, tests);
  ASSERT_TRUE(ours.ok()) << ours.error().message;
  const auto probe = MachineProbe::create(engine->kernels().isa);
  ASSERT_TRUE(probe.ok());
  NotedRunner theirs;
  std::vector<int64_t> told;
  const auto results =
      measure_speed({.ours = *ours,
                     .theirs = &theirs,
                     .probe = *probe,
                     .n_repetitions = 2,
                     .progress = [&](const SpeedProgress& p) { told.push_back(p.repetition); }},
                    tests);
  ASSERT_TRUE(results.ok()) << results.error().message;
  EXPECT_THAT(told, ElementsAre(-1, 0, 1, -1, 0, 1));
  EXPECT_THAT(theirs.asked, ElementsAre("pp64 @ d5", "pp80 @ d5", "pp80 @ d5", "tg4", "tg6", "tg6"));
  ASSERT_EQ(results->size(), 2U);
  for (const ContestResult& result : *results) {
    EXPECT_EQ(result.ours.seconds.size(), 2U);
    EXPECT_EQ(result.theirs->seconds.size(), 2U);
    EXPECT_EQ(result.ours.zero_rate_of_layer.size(), static_cast<size_t>(engine->config().n_layers));
    EXPECT_GT(result.ours.zero_rate(), 0.3);
    EXPECT_LT(result.ours.zero_rate(), 1);
    EXPECT_GT(result.ours.limits.read_bytes.median, 1e8);
    EXPECT_GT(result.ours.limits.int8_operations.median, 1e8);
    EXPECT_GT(result.ratio(), 0);
  }
  // An F16 model: nothing is multiplied in integers.
  EXPECT_EQ((*results)[0].ours.operations_per_token, 0);
  EXPECT_EQ((*results)[0].ours.bytes_per_token, 0);
  EXPECT_GT((*results)[1].ours.bytes_per_token, 0);
}

TEST(EngineRunner, BytesOfATokenAreWeightsLiveNeuronsAndCache) {
  const auto engine = bundled_model();
  const SpeedTest shallow{.n_generate = 4}, deep{.n_generate = 4, .depth = 100};
  auto runner = EngineRunner::create(*engine, {deep});
  ASSERT_TRUE(runner.ok());
  ASSERT_TRUE(runner->run(shallow).ok());
  const model::WeightBytes weights = engine->model().weight_bytes();
  const auto bytes = runner->bytes_per_token(shallow);
  EXPECT_GT(bytes, static_cast<double>(weights.dense_per_token));
  EXPECT_LT(bytes, static_cast<double>(weights.dense_per_token + weights.down_per_token));
  const auto cache =
      static_cast<double>(engine->model().cache_layout().bytes_per_token(engine->cache_type()));
  EXPECT_NEAR(runner->bytes_per_token(deep) - bytes, 100 * cache, 1e-3);
  EXPECT_EQ(runner->bytes_per_token({.n_generate = 4, .n_sequences = 2}), 0);
}

TEST(EngineRunner, SeveralSequencesRunAtADepth) {
  const auto engine = bundled_model();
  const std::vector<SpeedTest> tests = {{.n_generate = 3, .depth = 40, .n_sequences = 4},
                                        {.n_prompt = 20, .n_generate = 2, .depth = 10, .n_sequences = 2}};
  auto runner = EngineRunner::create(*engine, tests);
  ASSERT_TRUE(runner.ok());
  for (const SpeedTest& test : tests) {
    for (int i = 0; i < 2; ++i) {
      const auto seconds = runner->run(test);
      ASSERT_TRUE(seconds.ok()) << seconds.error().message;
      EXPECT_GT(*seconds, 0);
      EXPECT_EQ(engine->model().sparsity().n_tokens, test.n_tokens());
    }
  }
}

TEST(Machine, CountsUpInStepsThatEndAtAllThreads) {
  EXPECT_THAT(probed_thread_counts(1), ElementsAre(1));
  EXPECT_THAT(probed_thread_counts(2), ElementsAre(1, 2));
  EXPECT_THAT(probed_thread_counts(3), ElementsAre(1, 2, 3));
  EXPECT_THAT(probed_thread_counts(16), ElementsAre(1, 2, 3, 4, 6, 8, 12, 16));
}

TEST(Machine, ShowsALineForEachNumberOfThreads) {
  const auto probe = MachineProbe::create(kernels::available_isas().back());
  ASSERT_TRUE(probe.ok());
  const auto lines = probe_machine(*probe, 2, 1);
  ASSERT_EQ(lines.size(), 2U);
  const MachineName name{.cpu = "A CPU", .version = "1", .time = "now"};
  EXPECT_THAT(render_machine(name, *probe, lines), HasSubstr("A CPU"));
  const std::string json = machine_as_json(name, *probe, lines);
  EXPECT_THAT(json, HasSubstr("\"n_threads\": 2"));
  EXPECT_THAT(json, HasSubstr("\"int8_operations_per_second\""));
}

TEST(BenchToken, StaysInTheVocabularyAndDiffersBySequence) {
  for (const int64_t W : {1, 2, 100, 152000}) {
    for (int64_t i = 0; i < 1000; ++i) {
      const int32_t token = bench_token(i % 8, i * i, W);
      ASSERT_TRUE(token >= 0 && token < W);
    }
  }
  EXPECT_NE(bench_token(0, 5, 152000), bench_token(1, 5, 152000));
}

class Peer : public ::testing::Test {
 protected:
  void SetUp() override {
    script_ = std::filesystem::path(::testing::TempDir()) /
              (std::string("plm_peer_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  void TearDown() override { std::filesystem::remove(script_); }

  Result<std::unique_ptr<LlamaCppRunner>> start(const std::string& text) {
    std::ofstream(script_) << text;
    return LlamaCppRunner::start(
        {.python = "/bin/sh",
         .script = script_.string(),
         .model_path = "model.gguf",
         .n_threads = 3,
         .tests = {{.n_prompt = 10, .depth = 90}, {.n_generate = 5, .n_sequences = 4}}});
  }

 private:
  std::filesystem::path script_;
};

const char* const kReady = "echo noise\necho 'ready {\"version\": \"9\", \"seconds_to_first_token\": 0.5}'\n";

TEST_F(Peer, IsAskedLineByLine) {
  const auto peer = start(std::string("set -- $1 $2 $3 $4\n") + kReady +
                          "read a b c d e && echo $a $b $c $d $e >&2 && echo seconds $b.$4\n"
                          "read a && echo bytes $2$3\n");
  ASSERT_TRUE(peer.ok()) << peer.error().message;
  EXPECT_EQ((*peer)->version(), "9");
  EXPECT_EQ((*peer)->seconds_to_first_token(), 0.5);
  const auto seconds = (*peer)->run({.n_prompt = 10, .depth = 90});
  ASSERT_TRUE(seconds.ok()) << seconds.error().message;
  EXPECT_DOUBLE_EQ(*seconds, 10.4) << "four sequences at most";
  const auto bytes = (*peer)->peak_resident_bytes();
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*bytes, 3100) << "three threads, 100 positions";
}

TEST_F(Peer, ThatFailsIsAnError) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"exit 1\n", "process ended"},
      {"echo 'ready nonsense'\n", "expected its version"},
      {"echo 'ready {}'\n", "expected its version"},
      {"echo 'ready [1]'\n", "expected its version"}};
  for (const auto& [text, message] : wrong) {
    const auto peer = start(text);
    ASSERT_FALSE(peer.ok()) << text;
    EXPECT_THAT(peer.error().message, HasSubstr(message));
  }
  const auto peer = start(std::string(kReady) + "read a && echo seconds -1\n");
  ASSERT_TRUE(peer.ok());
  EXPECT_FALSE((*peer)->run({.n_prompt = 1}).ok());
}

}  // namespace
}  // namespace plm::bench
