#include "runtime/model_drafter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "model/synth/synth.h"
#include "runtime/sampler.h"

namespace plm::runtime {
namespace {

using ::testing::HasSubstr;

const std::string kModel = PLM_SOURCE_DIR "/models/story-7m-f16.gguf";

std::unique_ptr<Engine> load(const std::string& path, int64_t context = 128) {
  auto engine = Engine::load(
      {.model_path = path, .n_threads = 1, .context_length = context, .batch_size = 64, .cache_type = {}});
  EXPECT_TRUE(engine.ok()) << engine.error().message;
  return std::move(*engine);
}

// Greedy, of the same model: what its drafts must be.
std::vector<TokenId> continuation(Engine& engine, std::vector<TokenId> tokens, int n) {
  auto session = *engine.new_session();
  EXPECT_TRUE(session.decode(tokens).ok());
  std::vector<TokenId> next;
  for (int i = 0; i < n; ++i) {
    next.push_back(*greedy_token(session.logits()));
    EXPECT_TRUE(session.decode(std::span(&next.back(), 1)).ok());
  }
  return next;
}

class ModelDrafterTest : public testing::Test {
 protected:
  void SetUp() override {
    auto drafter = ModelDrafter::create(load(kModel), *target_, 3);
    ASSERT_TRUE(drafter.ok()) << drafter.error().message;
    drafter_ = std::move(*drafter);
  }
  std::vector<TokenId> propose(int sequence, int64_t most, float p_min = 0) {
    DraftAsk ask{.sequence = sequence, .most = most, .p_min = p_min, .tokens = {}};
    EXPECT_TRUE(drafter_->propose({&ask, 1}).ok());
    return ask.tokens;
  }
  std::vector<TokenId> encode(std::string_view text) const { return target_->tokenizer().encode(text); }

  std::unique_ptr<Engine> target_ = load(kModel);
  std::unique_ptr<ModelDrafter> drafter_;
};

TEST_F(ModelDrafterTest, GuessesWhatTheModelWouldWrite) {
  const auto text = encode("Once upon a time");
  drafter_->begin(0, text);
  EXPECT_EQ(propose(0, 5), continuation(*target_, text, 5));
}

TEST_F(ModelDrafterTest, KeepsInStepWithWhatIsAccepted) {
  auto text = encode("The dog");
  drafter_->begin(1, text);
  propose(1, 6);
  // Two as guessed, then another.
  for (const TokenId token : continuation(*target_, text, 2)) text.push_back(token);
  text.push_back(encode(" king").back());
  for (size_t i = text.size() - 3; i < text.size(); ++i) drafter_->append(1, text[i]);
  EXPECT_EQ(propose(1, 4), continuation(*target_, text, 4));
  // Another text takes over the number.
  const auto other = encode("The dog and the fox");
  drafter_->begin(1, other);
  EXPECT_EQ(propose(1, 4), continuation(*target_, other, 4));
}

TEST_F(ModelDrafterTest, GuessesForSeveralSequencesAtOnce) {
  const std::vector<std::vector<TokenId>> texts = {encode("Once upon"), encode("The king said to his men"),
                                                   encode("I")};
  std::vector<DraftAsk> asks;
  for (int i = 0; i < 3; ++i) {
    drafter_->begin(i, texts[static_cast<size_t>(i)]);
    asks.push_back({.sequence = i, .most = 2 + i, .p_min = 0, .tokens = {}});
  }
  ASSERT_TRUE(drafter_->propose(asks).ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(asks[static_cast<size_t>(i)].tokens,
              continuation(*target_, texts[static_cast<size_t>(i)], 2 + i));
  }
}

TEST_F(ModelDrafterTest, StopsWhereItIsNotSureEnough) {
  drafter_->begin(0, encode("Once upon a time"));
  const auto all = propose(0, 7);
  EXPECT_EQ(propose(0, 7, 1.0F).size(), 0u);
  EXPECT_EQ(propose(0, 7), all);
}

TEST_F(ModelDrafterTest, EndsAtTheEndOfTheContext) {
  std::vector<TokenId> text;
  while (text.size() < 126) text.push_back(encode("The dog").front());
  drafter_->begin(0, text);
  EXPECT_LE(propose(0, 7).size(), 3u);
  text.resize(128, text.front());
  drafter_->begin(0, text);
  EXPECT_LE(propose(0, 7).size(), 1u);
  text.resize(140, text.front());
  drafter_->begin(0, text);
  EXPECT_TRUE(propose(0, 7).empty());
}

TEST(ModelDrafter, ReadsALongTextBitByBit) {
  const auto target = load(kModel, 256);
  auto made = ModelDrafter::create(load(kModel, 256), *target, 1);
  ASSERT_TRUE(made.ok()) << made.error().message;
  const auto& drafter = *made;
  std::vector<TokenId> text;
  while (std::ssize(text) < ModelDrafter::kReadAtOnce + 90) {
    for (const TokenId token : target->tokenizer().encode("The dog saw a fox. ")) text.push_back(token);
  }
  drafter->begin(0, text);
  DraftAsk ask{.sequence = 0, .most = 2, .p_min = 0, .tokens = {}};
  ASSERT_TRUE(drafter->propose({&ask, 1}).ok());
  EXPECT_TRUE(ask.tokens.empty());
  ASSERT_TRUE(drafter->propose({&ask, 1}).ok());
  EXPECT_EQ(ask.tokens.size(), 2u);
}

TEST(ModelDrafter, RefusesAnotherVocabularyAndASmallerContext) {
  const auto folder = std::filesystem::temp_directory_path() / ("plm-draft-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string other = (folder / "other.gguf").string();
  ASSERT_TRUE(
      model::write_synthetic_model(other, {.preset = *model::find_synth_preset("plm-tiny"), .progress = {}})
          .ok());
  const auto target = load(kModel);
  auto refused = ModelDrafter::create(load(other), *target, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
  EXPECT_THAT(refused.error().message, HasSubstr(other));
  EXPECT_THAT(refused.error().message, HasSubstr("tokenizer.ggml.tokens: found "));
  EXPECT_THAT(refused.error().message, HasSubstr(kModel));
  std::filesystem::remove_all(folder);

  const int64_t trained = target->config().context_length;
  refused = ModelDrafter::create(load(kModel), *load(kModel, trained + 1), 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid_argument);
  EXPECT_THAT(refused.error().message, HasSubstr("plm.context_length: found " + std::to_string(trained)));
}

}  // namespace
}  // namespace plm::runtime
