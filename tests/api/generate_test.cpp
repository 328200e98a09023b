#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <thread>

#include "api/state.h"
#include "story_model.h"

namespace plm {
namespace {

using std::chrono::milliseconds;

using GenerateTest = StoryModelTest;

constexpr const char* kPrompt = "Once upon a time";

TEST_F(GenerateTest, PiecesTogetherAreTheAnswer) {
  std::string text;
  size_t n_tokens = 0;
  const auto answer = model_.generate(kPrompt, greedy(24), [&](const Piece& piece) {
    text += piece.text;
    n_tokens += piece.tokens.size();
    return true;
  });
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->text, text);
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(answer->tokens.size(), 24);
  EXPECT_EQ(n_tokens, 24);
  EXPECT_EQ(answer->reason, StopReason::max_tokens);
  EXPECT_FALSE(answer->tokens.front().log_probability.has_value());
}

TEST_F(GenerateTest, IdsAndTheirTextContinueAlike) {
  const auto ids = model_.tokenize(kPrompt);
  ASSERT_TRUE(ids.ok());
  const auto of_ids = model_.generate(*ids, greedy(12)), of_text = model_.generate(kPrompt, greedy(12));
  ASSERT_TRUE(of_ids.ok() && of_text.ok());
  EXPECT_EQ(of_ids->text, of_text->text);
  EXPECT_EQ(of_ids->n_prompt, std::ssize(*ids));
}

TEST_F(GenerateTest, ACallbackStopsIt) {
  int n_pieces = 0;
  const auto answer = model_.generate(kPrompt, greedy(200), [&](const Piece&) { return ++n_pieces < 3; });
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->reason, StopReason::stopped);
  EXPECT_EQ(n_pieces, 3);
  EXPECT_EQ(answer->tokens.size(), 3);
}

TEST_F(GenerateTest, ACallbackMayStopAtOnce) {
  const auto answer = model_.generate(kPrompt, greedy(200), [](const Piece&) { return false; });
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->tokens.size(), 1);
  EXPECT_TRUE(model_.generate(kPrompt, greedy(2)).ok());
}

TEST_F(GenerateTest, WhatACallbackThrowsReachesTheCallerAndStopsTheWork) {
  const auto throwing = [](const Piece&) -> bool { throw std::runtime_error("mine"); };
  EXPECT_THROW((void)model_.generate(kPrompt, greedy(-1), throwing), std::runtime_error);
  EXPECT_TRUE(model_.generate(kPrompt, greedy(2)).ok());
}

TEST_F(GenerateTest, ACallbackMayUseTheModel) {
  std::vector<TokenId> ids;
  const auto answer = model_.generate(kPrompt, greedy(4), [&](const Piece& piece) {
    ids = *model_.tokenize(piece.text);
    return true;
  });
  EXPECT_TRUE(answer.ok());
  EXPECT_FALSE(ids.empty());
}

TEST_F(GenerateTest, ItStopsWhenNobodyWantsItAnyMore) {
  GenerateOptions options = greedy(-1);
  options.ignores_end = true;
  int n_asked = 0;
  options.keep_going = [&] { return ++n_asked < 3; };
  EXPECT_EQ(failure(model_.generate(kPrompt, options)), ErrorKind::cancelled);
}

TEST_F(GenerateTest, ASeedGivesTheSameAgain) {
  const GenerateOptions options{.max_tokens = 30, .temperature = 1.2F, .seed = 5};
  const auto first = model_.generate(kPrompt, options);
  ASSERT_TRUE(model_.generate("The dog", greedy(5)).ok());
  const auto second = model_.generate(kPrompt, options);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->text, second->text);
  EXPECT_EQ(first->seed, 5);
}

TEST_F(GenerateTest, GuessesChangeNothingButTheirCount) {
  const std::string refrain = "The dog ran home. The dog ran home. The dog ran home. The dog";
  const auto plain = model_.generate(refrain, greedy(40));
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->n_drafted, 0);
  ModelOptions lookup = story_options();
  lookup.prompt_lookup = true;
  ModelOptions draft = story_options();
  draft.draft_path = draft.path;  // a model that always agrees with itself
  ModelOptions both = draft;
  both.prompt_lookup = true;
  for (const ModelOptions& options : {lookup, draft, both}) {
    const auto guessed = load(options).generate(refrain, greedy(40));
    ASSERT_TRUE(guessed.ok()) << guessed.error().message;
    EXPECT_EQ(guessed->text, plain->text);
    EXPECT_EQ(guessed->tokens.size(), 40);
    EXPECT_GT(guessed->n_accepted, 0);
    EXPECT_GE(guessed->n_drafted, guessed->n_accepted);
  }
}

TEST_F(GenerateTest, StopTextsEndIt) {
  const auto whole = model_.generate(kPrompt, greedy(24));
  ASSERT_TRUE(whole.ok());
  const size_t middle = whole->text.size() / 2;
  GenerateOptions options = greedy(24);
  options.stop = {whole->text.substr(middle, 4)};
  const auto cut = model_.generate(kPrompt, options);
  ASSERT_TRUE(cut.ok());
  EXPECT_EQ(cut->reason, StopReason::stop_text);
  EXPECT_EQ(cut->stop_text, options.stop.front());
  EXPECT_EQ(cut->text, whole->text.substr(0, whole->text.find(options.stop.front())));
}

TEST_F(GenerateTest, TellsLogProbabilities) {
  GenerateOptions options = greedy(5);
  options.n_top = 3;
  const auto answer = model_.generate(kPrompt, options);
  ASSERT_TRUE(answer.ok());
  for (const TokenScore& token : answer->tokens) {
    ASSERT_TRUE(token.log_probability.has_value());
    ASSERT_EQ(token.top.size(), 3);
    EXPECT_EQ(token.top.front().first, token.id);
    EXPECT_LE(*token.log_probability, 0);
  }
}

TEST_F(GenerateTest, KeepsToAGrammar) {
  GenerateOptions options;
  options.regex = " (happy|sad)\\.";
  const auto by_regex = model_.generate("The dog was", options);
  ASSERT_TRUE(by_regex.ok()) << by_regex.error().message;
  EXPECT_TRUE(by_regex->text == " happy." || by_regex->text == " sad.") << by_regex->text;

  GenerateOptions schema;
  schema.json_schema = R"({"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"]})";
  const auto by_schema = model_.generate("The dog was", schema);
  ASSERT_TRUE(by_schema.ok()) << by_schema.error().message;
  EXPECT_NE(by_schema->text.find("\"n\""), std::string::npos);
}

TEST_F(GenerateTest, RefusesSettingsThatCannotBe) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<GenerateOptions> bad = {{.temperature = nan},
                                            {.top_p = nan},
                                            {.min_p = 2},
                                            {.repeat_penalty = 0},
                                            {.logit_bias = {{-1, 1}}},
                                            {.logit_bias = {{1 << 30, 1}}},
                                            {.logit_bias = {{1, nan}}},
                                            {.grammar = "root ="},
                                            {.json_schema = "{"},
                                            {.regex = "("},
                                            {.grammar = "root ::= \"a\"", .regex = "a"}};
  for (const GenerateOptions& options : bad) {
    EXPECT_EQ(failure(model_.generate(kPrompt, options)), ErrorKind::invalid_argument)
        << "number " << (&options - bad.data());
  }
}

TEST_F(GenerateTest, RefusesPromptsThatCannotBe) {
  EXPECT_EQ(failure(model_.generate(std::vector<TokenId>{})), ErrorKind::invalid_argument);
  EXPECT_EQ(failure(model_.generate(std::vector<TokenId>{-1})), ErrorKind::invalid_argument);
  EXPECT_EQ(failure(model_.generate(std::vector<TokenId>{1 << 30})), ErrorKind::invalid_argument);
  EXPECT_EQ(failure(model_.generate(std::vector<TokenId>(256, 5))), ErrorKind::invalid_argument);
  EXPECT_TRUE(model_.generate(std::vector<TokenId>(255, 5), greedy(1)).ok());
}

TEST_F(GenerateTest, ReadsNoMoreOfATextThanShowsThatItIsTooLong) {
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += "Once more. ";
  const std::string expected = "the prompt: found more than 512 tokens, the context holds 256";
  EXPECT_EQ(model_.generate(text).error().message, expected);
  EXPECT_EQ(model_.score(text).error().message, expected);
  EXPECT_EQ(model_.embed(text).error().message, expected);
  EXPECT_GT(model_.tokenize(text)->size(), 1'000'000U);
}

TEST_F(GenerateTest, EndsWhereTheContextIsFull) {
  GenerateOptions options = greedy(-1);
  options.ignores_end = true;
  const auto answer = model_.generate(std::vector<TokenId>(250, 5), options);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->reason, StopReason::context_full);
  EXPECT_EQ(answer->tokens.size(), 7);
}

TEST_F(GenerateTest, AStreamEndsAndSaysSo) {
  auto stream = model_.stream(kPrompt, greedy(8));
  ASSERT_TRUE(stream.ok());
  EXPECT_EQ(failure(stream->answer()), ErrorKind::invalid_argument);
  std::string text;
  Piece piece;
  while (stream->next(piece) == Stream::Next::piece) text += piece.text;
  EXPECT_EQ(stream->next(piece), Stream::Next::finished);
  const auto answer = stream->answer();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->text, text);
}

TEST_F(GenerateTest, AStreamWaitsNoLongerThanAsked) {
  GenerateOptions options = greedy(-1);
  options.ignores_end = true;
  auto first = model_.stream(kPrompt, options);
  ASSERT_TRUE(first.ok());
  auto second = model_.stream(kPrompt, greedy(1));  // there is one slot, and it is taken
  ASSERT_TRUE(second.ok());
  Piece piece;
  EXPECT_NE(second->next(piece, milliseconds(-5)), Stream::Next::finished);
  first->stop();
  while (second->next(piece) != Stream::Next::finished) {
  }
  EXPECT_TRUE(second->answer().ok());
}

TEST_F(GenerateTest, AStreamThatIsDroppedStopsItsWork) {
  const auto work = std::make_shared<scheduler::Answer>();
  std::make_unique<Stream::State>()->work = work;
  EXPECT_TRUE(work->is_cancelled());

  GenerateOptions options = greedy(-1);
  options.ignores_end = true;
  {
    auto dropped = model_.stream(kPrompt, options);
    ASSERT_TRUE(dropped.ok());
    auto taken_over = *std::move(dropped);
    taken_over = *model_.stream(kPrompt, options);  // and the first is dropped
  }
  EXPECT_TRUE(model_.generate(kPrompt, greedy(2)).ok());
}

TEST_F(GenerateTest, AStreamOutlivesItsModelsHandle) {
  auto stream = load().stream(kPrompt, greedy(8));
  ASSERT_TRUE(stream.ok());
  Piece piece;
  while (stream->next(piece) != Stream::Next::finished) {
  }
  EXPECT_EQ(stream->answer()->tokens.size(), 8);
}

TEST_F(GenerateTest, StopAllEndsWhatIsUnderWayAndNothingLater) {
  GenerateOptions options = greedy(-1);
  options.ignores_end = true;
  auto stream = model_.stream(std::vector<TokenId>(4, 5), options);
  ASSERT_TRUE(stream.ok());
  model_.stop_all();
  Piece piece;
  while (stream->next(piece) != Stream::Next::finished) {
  }
  EXPECT_EQ(failure(stream->answer()), ErrorKind::cancelled);
  EXPECT_TRUE(model_.generate(kPrompt, greedy(2)).ok());
}

TEST_F(GenerateTest, ManyThreadsGetTheAnswersOfOne) {
  const std::vector<std::string> prompts = {"Once upon a time", "The dog", "In the morning",
                                            "One day the king"};
  std::vector<std::string> alone, together(prompts.size() * 4);
  for (const std::string& prompt : prompts) alone.push_back(model_.generate(prompt, greedy(16))->text);
  ModelOptions options = story_options();
  options.n_parallel = 3;
  const Model shared = load(options);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < together.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto answer = shared.generate(prompts[i % prompts.size()], greedy(16));
      if (answer.ok()) together[i] = answer->text;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < together.size(); ++i) EXPECT_EQ(together[i], alone[i % prompts.size()]) << i;
}

TEST_F(GenerateTest, PiecesEndAtWholeCharacters) {
  // Bytes of characters of two to four bytes, as the only tokens allowed.
  GenerateOptions options = greedy(12);
  options.grammar = "root ::= (\"é\" | \"→\" | \"🙂\")+";
  std::string text;
  const auto answer = model_.generate(kPrompt, options, [&](const Piece& piece) {
    // A character begins with a byte that is no continuation, and is whole.
    if (!piece.text.empty()) {
      EXPECT_NE(static_cast<unsigned char>(piece.text.front()) & 0xC0, 0x80);
    }
    text += piece.text;
    return true;
  });
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_GE(text.size(), 2);
}

}  // namespace
}  // namespace plm
