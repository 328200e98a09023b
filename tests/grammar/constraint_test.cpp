#include "grammar/constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../tokenizer/small_vocabularies.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"

namespace plm::grammar {
namespace {

using ::testing::HasSubstr;
using namespace plm::tokenizer;

// Bytes, then "ab" (256), "abc" (257), a control token with text that the grammars below allow, and the end.
struct Vocabulary {
  Vocabulary() : tokenizer(make()), tokens(TokenIndex::create(tokenizer)) {}

  static Tokenizer make() {
    VocabularyData data = byte_level_vocabulary({"a b", "ab c"});
    add_token(data, "a", kControl);
    data.eos_id = add_token(data, "</s>", kControl);
    auto made = Tokenizer::create(std::move(data));
    PLM_CHECK(made.ok());
    return *std::move(made);
  }
  std::shared_ptr<const Constraint> constraint(std::string_view source) const {
    const auto grammar = parse_gbnf(source);
    PLM_CHECK(grammar.ok());
    auto made = Constraint::create(*grammar, tokens);
    PLM_CHECK(made.ok());
    return *made;
  }

  Tokenizer tokenizer;
  std::shared_ptr<const TokenIndex> tokens;
};

constexpr TokenId kAb = 256, kAbc = 257, kControlA = 258, kEnd = 259;

std::vector<TokenId> allowed_ids(Matcher& matcher) {
  const auto allowed = matcher.allowed();
  PLM_CHECK(allowed.ok());
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < 260; ++id) {
    if (allowed->is(id)) ids.push_back(id);
  }
  return ids;
}

TEST(Matcher, AllowsTokensWhoseBytesFitInTheGrammar) {
  const Vocabulary vocabulary;
  Matcher matcher(vocabulary.constraint(R"(root ::= "ab" [cd]*)"));
  EXPECT_EQ(allowed_ids(matcher), (std::vector<TokenId>{'a', kAb, kAbc})) << "and no control token";
  EXPECT_FALSE(matcher.allowed()->can_end);
  ASSERT_TRUE(matcher.accept(kAb).ok());
  EXPECT_EQ(allowed_ids(matcher), (std::vector<TokenId>{'c', 'd'}));
  EXPECT_TRUE(matcher.allowed()->can_end);
  ASSERT_TRUE(matcher.accept('d').ok());
  ASSERT_TRUE(matcher.accept(kEnd).ok());
  matcher.reset();
  EXPECT_EQ(allowed_ids(matcher), (std::vector<TokenId>{'a', kAb, kAbc}));
}

TEST(Matcher, EndsWhereNothingCanFollow) {
  const Vocabulary vocabulary;
  Matcher matcher(vocabulary.constraint(R"(root ::= "abc")"));
  ASSERT_TRUE(matcher.accept(kAbc).ok());
  const auto allowed = matcher.allowed();
  ASSERT_TRUE(allowed.ok());
  EXPECT_TRUE(allowed->can_end);
  EXPECT_FALSE(allowed->can_go_on);
}

TEST(Matcher, RefusesWhatIsNotAllowed) {
  const Vocabulary vocabulary;
  Matcher matcher(vocabulary.constraint(R"(root ::= "ab")"));
  for (const TokenId id : {TokenId{'b'}, kAbc, kControlA, kEnd, TokenId{-1}, TokenId{1000}}) {
    EXPECT_FALSE(matcher.accept(id).ok()) << id;
  }
  EXPECT_TRUE(matcher.accept(kAb).ok()) << "what was refused changed nothing";
}

TEST(Matcher, TakesCharactersByteByByte) {
  const Vocabulary vocabulary;
  Matcher matcher(vocabulary.constraint("root ::= [\xc3\xa9]"));
  EXPECT_EQ(allowed_ids(matcher), (std::vector<TokenId>{0xC3}));
  ASSERT_TRUE(matcher.accept(0xC3).ok());
  EXPECT_EQ(allowed_ids(matcher), (std::vector<TokenId>{0xA9}));
}

TEST(Matcher, FailsWhereNoTokenFitsAndTheTextIsNotComplete) {
  const Vocabulary vocabulary;
  Matcher nothing(vocabulary.constraint("root ::= [^\\U00000000-\\U0010FFFF]"));
  ASSERT_FALSE(nothing.allowed().ok());
  EXPECT_THAT(nothing.allowed().error().message, HasSubstr("no token"));
}

TEST(Matcher, WritesLongTextsWithoutForgettingWhereItIs) {
  // Counted, so that every byte is a state of its own; nested, so that there is something to return to.
  const Vocabulary vocabulary;
  Matcher matcher(vocabulary.constraint("root ::= \"(\" list{3} \")\"\nlist ::= \"[\" [a-d]{500} \"]\""));
  ASSERT_TRUE(matcher.accept('(').ok());
  for (int list = 0; list < 3; ++list) {
    ASSERT_TRUE(matcher.accept('[').ok());
    for (int i = 0; i < 500; ++i) {
      ASSERT_TRUE(matcher.allowed().ok());
      ASSERT_TRUE(matcher.accept(static_cast<TokenId>('a' + i % 4)).ok()) << i;
    }
    ASSERT_TRUE(matcher.accept(']').ok());
  }
  EXPECT_EQ(allowed_ids(matcher), (std::vector<TokenId>{')'}));
}

TEST(Constraint, NeedsATokenThatEndsAnAnswer) {
  auto tokenizer = Tokenizer::create(byte_level_vocabulary());
  ASSERT_TRUE(tokenizer.ok());
  const auto made = Constraint::create(*parse_gbnf("root ::= \"a\""), TokenIndex::create(*tokenizer));
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind, ErrorKind::unsupported);
}

}  // namespace
}  // namespace plm::grammar
