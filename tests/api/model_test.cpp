#include <gtest/gtest.h>

#include <cmath>

#include "story_model.h"

namespace plm {
namespace {

using ModelTest = StoryModelTest;

TEST_F(ModelTest, TellsWhatItIs) {
  const ModelInfo& info = model_.info();
  EXPECT_EQ(info.architecture, "plm");
  EXPECT_EQ(info.context_length, 256);
  EXPECT_GT(info.trained_context_length, 0);
  EXPECT_GT(info.vocabulary_size, 0);
  EXPECT_GT(info.width, 0);
  EXPECT_GT(info.n_layers, 0);
  EXPECT_EQ(info.n_parallel, 1);
  EXPECT_GE(info.n_threads, 1);
  ModelOptions options = story_options();
  options.cache_type = "q8_0";
  EXPECT_EQ(load(options).info().cache_type, "q8_0");
  EXPECT_FALSE(version().empty());
}

TEST_F(ModelTest, RefusesFilesAndOptionsThatCannotBe) {
  const auto refusal = [](auto&& change) {
    ModelOptions options = story_options();
    change(options);
    return failure(Model::load(options));
  };
  EXPECT_EQ(refusal([](ModelOptions& o) { o.path = "no such file.gguf"; }), ErrorKind::not_found);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.path = ""; }), ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.path += std::string_view("\0.bak", 5); }),
            ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.path = PLM_SOURCE_DIR "/README.md"; }), ErrorKind::bad_data);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.n_threads = -1; }), ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.context_length = -1; }), ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.context_length = INT64_MAX; }), ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.batch_size = 0; }), ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.cache_type = "q9"; }), ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.cache_type = "q4_0"; }), ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.n_parallel = 0; }), ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.n_parallel = INT32_MAX; }), ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.prefix_bytes = -1; }), ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.adapters = {{.path = "no such adapter"}}; }),
            ErrorKind::not_found);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.draft_path = "no such file.gguf"; }), ErrorKind::not_found);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.adapters = {{.path = "adapter", .scale = NAN}}; }),
            ErrorKind::invalid_argument);
  EXPECT_EQ(refusal([](ModelOptions& o) { o.chat_template = "{% if %}"; }), ErrorKind::invalid_argument);
}

TEST_F(ModelTest, TellsHowFarLoadingIs) {
  ModelOptions options = story_options();
  double last = 0;
  options.progress = [&last](double fraction) { last = fraction; };
  load(options);
  EXPECT_EQ(last, 1);
}

TEST_F(ModelTest, CopiesAreTheSameModel) {
  std::optional<Model> first = load();
  const Model second = *first;
  EXPECT_EQ(&first->info(), &second.info());
  first.reset();
  EXPECT_TRUE(second.generate("The dog", greedy(2)).ok());
}

TEST_F(ModelTest, TwoModelsDoNotKnowEachOther) {
  const Model other = load();
  const auto a = model_.generate("The dog", greedy(8)), b = other.generate("The dog", greedy(8));
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->text, b->text);
}

TEST_F(ModelTest, TokensComeBackAsText) {
  const std::string text = "The dog, a → and 🙂\n";
  const auto ids = model_.tokenize(text, {.add_special = false});
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ(*model_.detokenize(*ids), text);
  EXPECT_EQ(failure(model_.detokenize(std::vector<TokenId>{-1})), ErrorKind::invalid_argument);
  EXPECT_TRUE(model_.tokenize("", {.add_special = false})->empty());
}

TEST_F(ModelTest, ScoresEachTokenGivenThoseBefore) {
  const auto scores = model_.score("Once upon a time");
  ASSERT_TRUE(scores.ok()) << scores.error().message;
  const auto ids = model_.tokenize("Once upon a time");
  ASSERT_EQ(scores->size(), ids->size());
  EXPECT_FALSE(scores->front().log_probability.has_value());
  for (size_t i = 1; i < scores->size(); ++i) {
    EXPECT_EQ((*scores)[i].id, (*ids)[i]);
    ASSERT_TRUE((*scores)[i].log_probability.has_value());
    EXPECT_LE(*(*scores)[i].log_probability, 0);
  }
  // "a time" is what every story goes on with.
  EXPECT_GT(*scores->back().log_probability, -1);
}

TEST_F(ModelTest, AScoreIsTheProbabilityThatWritingTells) {
  GenerateOptions options = greedy(6);
  options.n_top = 0;
  const auto answer = model_.generate("The dog", options);
  std::vector<TokenId> ids = *model_.tokenize("The dog");
  const size_t n_prompt = ids.size();
  for (const TokenScore& token : answer->tokens) ids.push_back(token.id);
  const auto scores = model_.score(ids, {.n_top = 2});
  ASSERT_TRUE(scores.ok());
  for (size_t i = 0; i < answer->tokens.size(); ++i) {
    // Two ways to round the same sums (docs/numerics.md).
    EXPECT_NEAR(*(*scores)[n_prompt + i].log_probability, *answer->tokens[i].log_probability, 0.05);
    EXPECT_EQ((*scores)[n_prompt + i].top.size(), 2);
  }
}

TEST_F(ModelTest, ScoresAWholeContextAndNoMore) {
  EXPECT_EQ(model_.score(std::vector<TokenId>(256, 5))->size(), 256);
  EXPECT_EQ(failure(model_.score(std::vector<TokenId>(257, 5))), ErrorKind::invalid_argument);
  EXPECT_EQ(failure(model_.score(std::vector<TokenId>{})), ErrorKind::invalid_argument);
}

TEST_F(ModelTest, EmbedsTextsAsVectorsOfLengthOne) {
  const std::vector<Prompt> texts = {"The dog ran home.", "The dog ran home.", "A king sat on his throne."};
  for (const Pooling pooling : {Pooling::mean, Pooling::cls, Pooling::last}) {
    const auto rows = model_.embed_all(texts, {.pooling = pooling});
    ASSERT_TRUE(rows.ok()) << rows.error().message;
    ASSERT_EQ(rows->size(), 3);
    for (const auto& row : *rows) {
      ASSERT_EQ(std::ssize(row), model_.info().width);
      double sum = 0;
      for (const float number : row) sum += static_cast<double>(number) * static_cast<double>(number);
      EXPECT_NEAR(sum, 1, 1e-5);
    }
    EXPECT_EQ((*rows)[0], (*rows)[1]);
    if (pooling != Pooling::cls) {
      EXPECT_NE((*rows)[0], (*rows)[2]);
    }
  }
}

TEST_F(ModelTest, EmbedsOneAsAmongMany) {
  const auto one = model_.embed("The dog ran home.");
  ASSERT_TRUE(one.ok());
  const std::vector<Prompt> texts = {"The dog ran home."};
  EXPECT_EQ(*one, model_.embed_all(texts)->front());
  EXPECT_TRUE(model_.embed_all({})->empty());
  EXPECT_EQ(failure(model_.embed(std::vector<TokenId>{})), ErrorKind::invalid_argument);
}

TEST_F(ModelTest, StopsScoringWhenNobodyWantsItAnyMore) {
  const ScoreOptions unwanted{.keep_going = [] { return false; }};
  EXPECT_EQ(failure(model_.score("The dog", unwanted)), ErrorKind::cancelled);
  const EmbedOptions unwanted_too{.keep_going = [] { return false; }};
  EXPECT_EQ(failure(model_.embed("The dog", unwanted_too)), ErrorKind::cancelled);
}

}  // namespace
}  // namespace plm
