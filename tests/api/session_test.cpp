#include <gtest/gtest.h>

#include <filesystem>

#include "../gguf/temporary_folder.h"
#include "story_model.h"

namespace plm {
namespace {

class SessionTest : public TemporaryFolder {
 protected:
  static Model load(const ModelOptions& options = story_options()) {
    auto model = Model::load(options);
    if (!model.ok()) ADD_FAILURE() << model.error().message;
    return *std::move(model);
  }
  static constexpr const char* kPrompt =
      "Once upon a time there was a little girl who lived near the river, and one day she went to the wood "
      "to "
      "look for her brother, who had gone there in the morning to cut trees for the winter, and had not come "
      "home. She took bread and an apple with her,";
};

TEST_F(SessionTest, ARestoredOneIsNotRunAgain) {
  const Model first = load();
  const auto answer = first.generate(kPrompt, greedy(10));
  ASSERT_TRUE(answer.ok());
  const auto saved = first.save_session(path("session"));
  ASSERT_TRUE(saved.ok()) << saved.error().message;
  EXPECT_GE(std::ssize(saved->tokens), answer->n_prompt + 9);
  EXPECT_EQ(static_cast<std::uint64_t>(saved->n_bytes), std::filesystem::file_size(path("session")));

  const Model second = load();
  const auto loaded = second.load_session(path("session"));
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->tokens, saved->tokens);
  const auto again = second.generate(kPrompt, greedy(10));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->text, answer->text);
  EXPECT_EQ(again->n_reused, answer->n_prompt - 1);
}

TEST_F(SessionTest, WithoutAStoreOfPrefixesItIsTakenUpAllTheSame) {
  ModelOptions options = story_options();
  options.prefix_bytes = 0;
  options.n_parallel = 2;
  const Model first = load(options), second = load(options);
  const auto answer = first.generate(kPrompt, greedy(4));
  ASSERT_TRUE(answer.ok() && first.save_session(path("session")).ok());
  ASSERT_TRUE(second.load_session(path("session")).ok());
  EXPECT_EQ(second.generate(kPrompt, greedy(4))->n_reused, answer->n_prompt - 1);
}

TEST_F(SessionTest, WhatWasLoadedCanBeSavedAgain) {
  const Model first = load();
  ASSERT_TRUE(first.generate(kPrompt, greedy(4)).ok() && first.save_session(path("one")).ok());
  const Model second = load();
  ASSERT_TRUE(second.load_session(path("one")).ok() && second.save_session(path("two")).ok());
  EXPECT_EQ(read(path("one")), read(path("two")));
}

TEST_F(SessionTest, ThereIsNoneBeforeTheFirstAnswer) {
  const auto saved = load().save_session(path("session"));
  ASSERT_FALSE(saved.ok());
  EXPECT_EQ(saved.error().kind, ErrorKind::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(path("session")));
}

TEST_F(SessionTest, AnotherModelsFileIsRefused) {
  const Model first = load();
  ASSERT_TRUE(first.generate(kPrompt, greedy(4)).ok() && first.save_session(path("session")).ok());
  ModelOptions options = story_options();
  options.cache_type = "f32";
  const Model other = load(options);
  for (const auto& refused :
       {other.load_session(path("session")), other.load_session(story_options().path)}) {
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::bad_data);
  }
  const auto missing = other.load_session(path("no such file"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  const auto nowhere = first.save_session(path("no such folder/session"));
  EXPECT_FALSE(nowhere.ok());
}

TEST_F(SessionTest, SavingWaitsForTheAnswerUnderWay) {
  const Model model = load();
  ASSERT_TRUE(model.generate("The dog", greedy(2)).ok());
  GenerateOptions endless = greedy(-1);
  endless.ignores_end = true;
  auto stream = model.stream("A king", endless);
  Piece piece;
  ASSERT_EQ(stream->next(piece), Stream::Next::piece);  // now the slot is taken
  const auto saved = model.save_session(path("session"));
  ASSERT_TRUE(saved.ok());
  EXPECT_EQ(std::ssize(saved->tokens), model.info().context_length);
}

TEST_F(SessionTest, NothingIsSavedOrLoadedThatNobodyWantsAnyMore) {
  const Model model = load();
  ASSERT_TRUE(model.generate("The dog", greedy(2)).ok() && model.save_session(path("one")).ok());
  const KeepGoing unwanted = [] { return false; };
  for (const auto& given_up :
       {model.save_session(path("two"), unwanted), model.load_session(path("one"), unwanted)}) {
    ASSERT_FALSE(given_up.ok());
    EXPECT_EQ(given_up.error().kind, ErrorKind::cancelled);
  }
  EXPECT_FALSE(std::filesystem::exists(path("two")));
}

}  // namespace
}  // namespace plm
