// Drafts change nothing about a text: whatever is guessed, rightly or wrongly, the tokens, the end and what
// the session holds are those of writing token after token.
#include "cli/drafting.h"

#include <gtest/gtest.h>

#include "cli/generate.h"
#include "grammar/gbnf.h"
#include "runtime/sampler_text.h"

namespace plm::cli {
namespace {

constexpr int64_t kContext = 96;

// Guesses from a text known beforehand, every n-th time wrongly.
class KnownText final : public runtime::Drafter {
 public:
  KnownText(std::vector<TokenId> text, int64_t wrong_at) : text_(std::move(text)), wrong_at_(wrong_at) {}

  void begin(int, std::span<const TokenId>) override {}
  void append(int, TokenId) override { ++n_; }
  Status propose(std::span<runtime::DraftAsk> asks) override {
    auto& tokens = asks[0].tokens;
    tokens.clear();
    for (int64_t i = n_; std::ssize(tokens) < asks[0].most; ++i) {
      const bool is_known = i < std::ssize(text_) && i % wrong_at_ != wrong_at_ - 1;
      tokens.push_back(is_known ? text_[static_cast<size_t>(i)] : 5);
    }
    return {};
  }

 private:
  std::vector<TokenId> text_;
  int64_t wrong_at_, n_ = 0;
};

class DraftingTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    engine_ = *runtime::Engine::load({.model_path = PLM_SOURCE_DIR "/models/story-7m-f16.gguf",
                                      .n_threads = 1,
                                      .context_length = kContext,
                                      .cache_type = {}});
  }
  static void TearDownTestSuite() { engine_.reset(); }

  struct Written {
    Generated generated;
    std::vector<TokenId> tokens;     // chosen
    std::vector<std::string> shown;  // pieces
    int64_t position = 0;
    std::vector<float> logits;  // of one token more: what the session's rows are worth
  };

  static Written write(runtime::Drafter* drafter, const runtime::SamplerOptions& sampling,
                       const GenerateOptions& options, const std::string& prompt, bool shifts = false,
                       runtime::DraftCounts* counts = nullptr) {
    auto session = *engine_->new_session();
    auto sampler = *runtime::Sampler::create(sampling, engine_->config().vocabulary_size);
    // Notes what is chosen, and passes on the rest.
    class Notes final : public runtime::Drafter {
     public:
      Notes(runtime::Drafter* behind, std::vector<TokenId>& tokens) : behind_(behind), tokens_(tokens) {}
      void begin(int sequence, std::span<const TokenId> tokens) override {
        if (behind_ != nullptr) behind_->begin(sequence, tokens);
      }
      void append(int sequence, TokenId token) override {
        tokens_.push_back(token);
        if (behind_ != nullptr) behind_->append(sequence, token);
      }
      Status propose(std::span<runtime::DraftAsk> asks) override {
        return behind_ == nullptr ? Status() : behind_->propose(asks);
      }

     private:
      runtime::Drafter* behind_;
      std::vector<TokenId>& tokens_;
    };
    Written written;
    Notes notes(drafter, written.tokens);
    Drafting drafting(notes, {.adapts = false});
    const Writer writer{session, sampler, engine_->tokenizer(), &drafting};
    EXPECT_TRUE(feed(writer, engine_->tokenizer().encode(prompt), 64).ok());
    GenerateOptions all = options;
    if (shifts) {
      all.make_room = [&] {
        drop(writer, 4, session.position() / 2);
        return true;
      };
    }
    auto generated = generate(writer, all, [&](std::string_view text) {
      written.shown.emplace_back(text);
      return Status();
    });
    EXPECT_TRUE(generated.ok()) << generated.error().message;
    written.generated = *std::move(generated);
    written.position = session.position();
    if (counts != nullptr) *counts = drafting.counts();
    if (session.position() == session.capacity()) session.truncate(session.position() - 1);
    const TokenId one = 7;
    EXPECT_TRUE(session.decode(std::span(&one, 1)).ok());
    written.logits.assign(session.logits().begin(), session.logits().end());
    return written;
  }

  static void expect_the_same(const runtime::SamplerOptions& sampling, const GenerateOptions& options,
                              const std::string& prompt = "Once upon a time", bool shifts = false) {
    const Written alone = write(nullptr, sampling, options, prompt, shifts);
    ASSERT_GT(alone.tokens.size(), 1u);
    const auto compare = [&](const Written& drafted, const std::string& what) {
      EXPECT_EQ(drafted.tokens, alone.tokens) << what;
      EXPECT_EQ(drafted.shown, alone.shown) << what;
      EXPECT_EQ(drafted.position, alone.position) << what;
      EXPECT_EQ(drafted.logits, alone.logits) << what;
      EXPECT_EQ(drafted.generated.reason, alone.generated.reason) << what;
      EXPECT_EQ(drafted.generated.n_tokens, alone.generated.n_tokens) << what;
      EXPECT_EQ(drafted.generated.n_steps, alone.generated.n_steps) << what;
      EXPECT_EQ(drafted.generated.cached_text, alone.generated.cached_text) << what;
    };
    for (const int64_t wrong_at : {1, 2, 3, 5, 1000}) {
      KnownText known(alone.tokens, wrong_at);
      runtime::DraftCounts counts;
      compare(write(&known, sampling, options, prompt, shifts, &counts),
              "wrong at each " + std::to_string(wrong_at) + "th");
      EXPECT_EQ(counts.n_drafted > 0, alone.tokens.size() > 2);
      if (wrong_at == 1000 && !shifts) {
        EXPECT_GE(counts.n_accepted + counts.n_steps + 1, std::ssize(alone.tokens) - 1);
      }
    }
    runtime::NgramDrafter ngrams({.shortest = 1, .longest = 8}, 1);
    compare(write(&ngrams, sampling, options, prompt, shifts), "n-grams");
  }

  static std::unique_ptr<runtime::Engine> engine_;
};

std::unique_ptr<runtime::Engine> DraftingTest::engine_;

GenerateOptions up_to(int64_t n, std::vector<std::string> stop_texts = {}) {
  GenerateOptions options;
  options.n_predict = n;
  options.stop_texts = std::move(stop_texts);
  return options;
}

runtime::SamplerOptions greedy() {
  runtime::SamplerOptions sampling;
  sampling.temperature = 0;
  return sampling;
}

TEST_F(DraftingTest, GreedyTextIsTheSame) { expect_the_same(greedy(), up_to(60)); }

TEST_F(DraftingTest, EverySeedWritesTheSame) {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    runtime::SamplerOptions sampling;
    sampling.seed = seed;
    sampling.temperature = 1.2F;
    expect_the_same(sampling, up_to(40), "The king said");
  }
}

TEST_F(DraftingTest, PenaltiesAndMirostatSeeTheSameTokens) {
  runtime::SamplerOptions sampling;
  sampling.seed = 11;
  sampling.repeat_penalty = 1.3F;
  sampling.frequency_penalty = 0.2F;
  sampling.dry_multiplier = 0.8F;
  sampling.dry_breakers = runtime::find_dry_breakers(engine_->tokenizer(), runtime::default_dry_breakers());
  expect_the_same(sampling, up_to(60));
  sampling = {};
  sampling.seed = 12;
  sampling.mirostat = 2;
  expect_the_same(sampling, up_to(60));
}

TEST_F(DraftingTest, AGrammarIsKeptTo) {
  auto grammar = grammar::parse_gbnf("root ::= (\" the\" | \" a\") \" \" [a-z]+ (\" \" [a-z]+)* \".\"");
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  runtime::SamplerOptions sampling = greedy();
  sampling.constraint =
      *grammar::Constraint::create(*grammar, grammar::TokenIndex::create(engine_->tokenizer()));
  expect_the_same(sampling, up_to(40), "Once there was");
}

TEST_F(DraftingTest, EndsAfterSoManyTokens) {
  for (const int64_t n : {2, 3, 4, 5, 6, 7, 8, 9, 10}) expect_the_same(greedy(), up_to(n));
}

TEST_F(DraftingTest, AStopTextEndsItWhereverItBegins) {
  const Written alone = write(nullptr, greedy(), up_to(40), "Once upon a time");
  const std::string& text = alone.generated.text;
  for (size_t at = 5; at + 6 < text.size() && at < 60; at += 3) {
    expect_the_same(greedy(), up_to(40, {text.substr(at, 6)}));
  }
}

TEST_F(DraftingTest, AFullContextEndsIt) {
  runtime::SamplerOptions sampling = greedy();
  for (const TokenId id : engine_->tokenizer().end_of_generation_ids()) {
    sampling.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
  }
  expect_the_same(sampling, up_to(-1));
  expect_the_same(sampling, up_to(200), "Once upon a time", /*shifts=*/true);
}

TEST_F(DraftingTest, TheEndOfTheTextEndsIt) {
  runtime::SamplerOptions sampling = greedy();
  // The model would go on; so its end comes as the likeliest after some tokens, by a penalty on all it says.
  sampling.repeat_penalty = 1.5F;
  sampling.logit_bias.emplace_back(engine_->tokenizer().end_of_generation_ids().front(), 9.0F);
  const Written alone = write(nullptr, sampling, up_to(80), "Once upon a time");
  if (alone.generated.reason != StopReason::end_of_generation) GTEST_SKIP() << "the model found no end";
  expect_the_same(sampling, up_to(80));
}

}  // namespace
}  // namespace plm::cli
