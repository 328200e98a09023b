#include "grammar/constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

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

// Masks are put together from what is known of tokens beforehand; byte by byte the same must come out.
TEST(Matcher, AllowsTheTokensWhoseEveryByteFits) {
  std::mt19937 random(7);
  VocabularyData data = byte_level_vocabulary({});
  const std::vector<std::string> pieces = {"a",
                                           "b",
                                           "Z",
                                           "5",
                                           "0",
                                           " ",
                                           "\"",
                                           "\\",
                                           "n",
                                           ":",
                                           ",",
                                           "{",
                                           "}",
                                           "\n",
                                           "\xc3\xa9",
                                           "\xe4\xb8\xad",
                                           "\xf0\x9f\x98\x80",
                                           "\xc3",
                                           "\xa9",
                                           "\xe4\xb8",
                                           "\x7f",
                                           "\t"};
  std::set<std::string> texts;
  while (texts.size() < 3000) {
    std::string text;
    for (size_t n = 1 + random() % 30; n > 0; n -= std::min<size_t>(n, 1 + random() % 4)) {
      text += pieces[random() % pieces.size()];
    }
    texts.insert(text);
  }
  for (const std::string& text : texts) add_token(data, text, kUserDefined);
  data.eos_id = add_token(data, "</s>", kControl);
  const auto tokenizer = Tokenizer::create(std::move(data));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
  const auto index = TokenIndex::create(*tokenizer);
  for (const char* schema :
       {R"({"type": "string"})", R"({"type": "string", "maxLength": 6})",
        R"({"type": "string", "minLength": 3, "maxLength": 40})",
        R"({"type": "string", "pattern": "^[ab ]*$"})", R"({"type": "string", "pattern": "^[^a]{2,9}$"})",
        R"({"type": "string", "pattern": "^[^\u4e2d]*$"})",
        R"({"properties": {"a": {}, "b": {"type": "string"}}})", "true"}) {
    const auto grammar = parse_json_schema(schema);
    ASSERT_TRUE(grammar.ok()) << grammar.error().message;
    const auto constraint = Constraint::create(*grammar, index);
    ASSERT_TRUE(constraint.ok());
    Matcher matcher(*constraint);
    Automaton automaton((*constraint)->network());
    Automaton::State state = *automaton.start();
    for (int n = 0; n < 12; ++n) {
      const auto allowed = matcher.allowed();
      if (!allowed.ok()) break;
      std::vector<std::pair<TokenId, Automaton::State>> fitting;
      for (const auto& entry : index->entries()) {
        Automaton::State reached = state;
        for (size_t i = 0; i < entry.bytes.size() && reached != Automaton::kDead; ++i) {
          reached = *automaton.step(reached, static_cast<uint8_t>(entry.bytes[i]));
        }
        ASSERT_EQ(allowed->is(entry.id), reached != Automaton::kDead)
            << schema << " " << n << ": " << entry.bytes;
        if (reached != Automaton::kDead) fitting.emplace_back(entry.id, reached);
      }
      if (fitting.empty()) break;
      const auto& [id, reached] = fitting[random() % fitting.size()];
      ASSERT_TRUE(matcher.accept(id).ok());
      state = reached;
    }
  }
}

}  // namespace
}  // namespace plm::grammar
