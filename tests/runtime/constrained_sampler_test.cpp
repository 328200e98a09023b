// The sampler with a grammar.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "../tokenizer/small_vocabularies.h"
#include "grammar/gbnf.h"
#include "runtime/sampler.h"

namespace plm::runtime {
namespace {

using ::testing::HasSubstr;
using namespace plm::tokenizer;

constexpr TokenId kEnd = 256;

const Tokenizer& byte_tokenizer() {
  static const Tokenizer tokenizer = [] {
    VocabularyData data = byte_level_vocabulary();
    data.eos_id = add_token(data, "</s>", kControl);
    auto made = Tokenizer::create(std::move(data));
    PLM_CHECK(made.ok());
    return *std::move(made);
  }();
  return tokenizer;
}

SamplerOptions options_for(std::string_view grammar) {
  SamplerOptions options;
  options.seed = 1;
  const auto parsed = grammar::parse_gbnf(grammar);
  PLM_CHECK(parsed.ok());
  auto constraint = grammar::Constraint::create(*parsed, grammar::TokenIndex::create(byte_tokenizer()));
  PLM_CHECK(constraint.ok());
  options.constraint = *constraint;
  return options;
}

// Of 257 tokens; 'z' is the likeliest by far.
std::vector<float> logits_for_z() {
  std::vector<float> logits(257, 0.0F);
  logits['z'] = 50.0F;
  return logits;
}

std::string answer_of(Sampler& sampler, const std::vector<float>& logits) {
  std::string text;
  while (text.size() < 100) {
    const auto token = sampler.sample(logits);
    if (!token.ok()) return "error: " + token.error().message;
    sampler.accept(*token);
    if (*token == kEnd) return text;
    text += static_cast<char>(*token);
  }
  return text;
}

TEST(ConstrainedSampler, ChoosesOnlyWhatTheGrammarAllows) {
  SamplerOptions options = options_for("root ::= [ab]{3} | \"cd\"");
  options.top_k = 1;  // of what is allowed, not of everything
  auto sampler = Sampler::create(options, 257);
  ASSERT_TRUE(sampler.ok());
  EXPECT_EQ(answer_of(*sampler, logits_for_z()), "aaa");
  for (uint64_t seed = 0; seed < 20; ++seed) {
    options.seed = seed;
    options.top_k = 0;
    auto random = Sampler::create(options, 257);
    const std::string text = answer_of(*random, logits_for_z());
    EXPECT_TRUE(text == "cd" || (text.size() == 3 && text.find_first_not_of("ab") == std::string::npos))
        << text;
  }
}

TEST(ConstrainedSampler, EndsWhereNothingCanFollowEvenWhereTheEndIsBanned) {
  SamplerOptions options = options_for("root ::= \"ab\"");
  options.temperature = 0;
  options.logit_bias.emplace_back(kEnd, -std::numeric_limits<float>::infinity());
  auto sampler = Sampler::create(options, 257);
  ASSERT_TRUE(sampler.ok());
  EXPECT_EQ(answer_of(*sampler, logits_for_z()), "ab");
}

TEST(ConstrainedSampler, CountsTheAnswerAloneAndEachAnswerAnew) {
  SamplerOptions options = options_for("root ::= \"ab\"");
  options.mirostat = 2;
  auto sampler = Sampler::create(options, 257);
  ASSERT_TRUE(sampler.ok());
  sampler->accept_prompt('x');
  EXPECT_EQ(answer_of(*sampler, logits_for_z()), "ab");
  sampler->begin_answer();
  EXPECT_EQ(answer_of(*sampler, logits_for_z()), "ab");
  sampler->reset();
  EXPECT_EQ(answer_of(*sampler, logits_for_z()), "ab");
}

TEST(ConstrainedSampler, SaysWhyItCannotChoose) {
  SamplerOptions options = options_for("root ::= \"ab\"");
  options.logit_bias.emplace_back('a', -std::numeric_limits<float>::infinity());
  auto sampler = Sampler::create(options, 257);
  ASSERT_TRUE(sampler.ok());
  EXPECT_THAT(answer_of(*sampler, logits_for_z()), HasSubstr("bias leaves none"));
  auto off = Sampler::create(options_for("root ::= \"ab\""), 257);
  off->accept('q');
  EXPECT_THAT(answer_of(*off, logits_for_z()), HasSubstr("not what the grammar allows"));
  EXPECT_FALSE(Sampler::create(options_for("root ::= \"ab\""), 100).ok())
      << "a constraint of another vocabulary";
}

}  // namespace
}  // namespace plm::runtime
