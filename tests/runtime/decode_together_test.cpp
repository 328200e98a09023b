// Several sequences in one step: each must get what it would get alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/engine.h"

namespace plm::runtime {
namespace {

constexpr int64_t kContext = 64;
constexpr int kSteps = 24;

std::unique_ptr<Engine> bundled_model(int64_t batch_size = 64) {
  auto engine = Engine::load({.model_path = PLM_SOURCE_DIR "/models/story-7m-f16.gguf",
                              .n_threads = 2,
                              .context_length = kContext,
                              .batch_size = batch_size,
                              .cache_type = {}});
  EXPECT_TRUE(engine.ok()) << engine.error().message;
  return std::move(*engine);
}

TokenId best(const Session& session) {
  const auto logits = session.logits();
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Prompts of different lengths, so that the sequences stand at different positions.
std::vector<std::vector<TokenId>> prompts(const Engine& engine, size_t n) {
  const std::vector<std::string> texts = {"Once upon a time",
                                          "The dog",
                                          "There was a little girl who lived near the river, and",
                                          "One day the king said to his men that they should go and",
                                          "I",
                                          "In the morning the bird sang",
                                          "Why do you cry, said the",
                                          "Far away, behind the mountains, there was"};
  std::vector<std::vector<TokenId>> ids;
  for (size_t i = 0; i < n; ++i) ids.push_back(engine.tokenizer().encode(texts[i]));
  return ids;
}

std::vector<TokenId> greedy_alone(Engine& engine, const std::vector<TokenId>& prompt) {
  auto session = engine.new_session();
  EXPECT_TRUE(session->decode(prompt).ok());
  std::vector<TokenId> answer;
  for (int i = 0; i < kSteps; ++i) {
    answer.push_back(best(*session));
    EXPECT_TRUE(session->decode(std::span(&answer.back(), 1)).ok());
  }
  return answer;
}

TEST(DecodeTogether, GreedyAnswersDoNotDependOnWhoElseIsInTheStep) {
  const auto engine = bundled_model();
  std::vector<std::vector<TokenId>> alone;
  for (const auto& prompt : prompts(*engine, 8)) alone.push_back(greedy_alone(*engine, prompt));
  for (const size_t n : {1U, 2U, 3U, 8U}) {
    const auto texts = prompts(*engine, n);
    std::vector<Session> sessions;
    for (const auto& prompt : texts) {
      sessions.push_back(*engine->new_session());
      ASSERT_TRUE(sessions.back().decode(prompt).ok());
    }
    for (int step = 0; step < kSteps; ++step) {
      std::vector<TokenId> next;
      for (size_t i = 0; i < n; ++i) {
        next.push_back(best(sessions[i]));
        ASSERT_EQ(next[i], alone[i][static_cast<size_t>(step)]) << n << " sequences, number " << i;
      }
      std::vector<Turn> turns;
      for (size_t i = 0; i < n; ++i) turns.push_back({&sessions[i], std::span(&next[i], 1)});
      ASSERT_TRUE(engine->decode_together(turns).ok());
    }
    for (size_t i = 0; i < n; ++i) {
      EXPECT_EQ(sessions[i].position(), static_cast<int64_t>(texts[i].size()) + kSteps);
    }
  }
}

TEST(DecodeTogether, APromptAndASingleTokenShareAStep) {
  const auto engine = bundled_model();
  const auto ids = prompts(*engine, 4);
  auto talking = *engine->new_session(), starting = *engine->new_session(), alone = *engine->new_session();
  ASSERT_TRUE(talking.decode(ids[2]).ok());
  ASSERT_TRUE(alone.decode(ids[2]).ok());
  const TokenId next = best(talking);
  ASSERT_TRUE(engine->decode_together({{{&talking, std::span(&next, 1)}, {&starting, ids[3]}}}).ok());
  ASSERT_TRUE(alone.decode(std::span(&next, 1)).ok());
  EXPECT_EQ(best(talking), best(alone));
  alone.truncate(0);
  ASSERT_TRUE(alone.decode(ids[3]).ok());
  EXPECT_EQ(best(starting), best(alone));
}

TEST(DecodeTogether, LogitsStayWhileOthersGoOn) {
  const auto engine = bundled_model();
  const auto ids = prompts(*engine, 2);
  auto first = *engine->new_session(), second = *engine->new_session();
  ASSERT_TRUE(engine->decode_together({{{&first, ids[0]}, {&second, ids[1]}}}).ok());
  const std::vector<float> before(first.logits().begin(), first.logits().end());
  const TokenId next = best(second);
  ASSERT_TRUE(engine->decode_together({{{&second, std::span(&next, 1)}}}).ok());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), first.logits().begin()));
}

TEST(DecodeTogether, NothingIsRunWhenOneOfThemCannot) {
  const auto engine = bundled_model(8);
  auto first = *engine->new_session(), second = *engine->new_session();
  const std::vector<TokenId> good(3, 1), outside = {1 << 30}, long_one(kContext + 1, 1), many(6, 1);
  const std::vector<TokenId> empty;
  for (const auto& wrong : {outside, long_one, many, empty}) {
    const auto status = engine->decode_together({{{&first, good}, {&second, wrong}}});
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::invalid_argument) << status.error().message;
    EXPECT_EQ(first.position(), 0);
  }
  EXPECT_FALSE(engine->decode_together({}).ok());
}

}  // namespace
}  // namespace plm::runtime
