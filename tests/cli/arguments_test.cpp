#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/token_ids.h"

namespace plm::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Arguments : public ::testing::Test {
 protected:
  Arguments() {
    CLI::App* run = app_.add_subcommand("run", "");
    run->add_option("-p,--prompt", prompt_);
    run->add_option("-n,--predict", n_);
    run->add_option("--n-gpu-layers", layers_);
    run->add_flag("-e,--escape", flag_);
    run->add_option("--flash-attn", attention_)->expected(0, 1);
  }
  std::vector<std::string> translate(const std::vector<std::string>& arguments) {
    auto translated = translate_arguments(arguments, app_);
    EXPECT_TRUE(translated.ok());
    return translated.ok() ? *translated : std::vector<std::string>();
  }
  std::string error(const std::vector<std::string>& arguments) {
    const auto translated = translate_arguments(arguments, app_);
    return translated.ok() ? "no error" : translated.error().message;
  }

  CLI::App app_;
  std::string prompt_, layers_, attention_;
  int n_ = 0;
  bool flag_ = false;
};

TEST_F(Arguments, GetTheLongNameOfAOneDashWord) {
  EXPECT_THAT(translate({"run", "-ngl", "99", "-p", "x"}),
              ElementsAre("run", "--n-gpu-layers", "99", "-p", "x"));
}

TEST_F(Arguments, KeepAValueThatBeginsWithADashWithItsOption) {
  EXPECT_THAT(translate({"run", "-p", "-ngl is an option"}),
              ElementsAre("run", "--prompt=-ngl is an option"));
  EXPECT_THAT(translate({"run", "--prompt", "--", "-n", "-1"}),
              ElementsAre("run", "--prompt=--", "--predict=-1"));
  EXPECT_THAT(translate({"run", "-p", ""}), ElementsAre("run", "-p", ""));
}

TEST_F(Arguments, LeaveADashToTheNextOptionBehindOneThatCanDoWithoutAValue) {
  EXPECT_THAT(translate({"run", "-fa", "-e"}), ElementsAre("run", "--flash-attn", "-e"));
  EXPECT_THAT(translate({"run", "-fa", "on", "-e"}), ElementsAre("run", "--flash-attn", "on", "-e"));
}

TEST_F(Arguments, AreLeftAloneAfterTwoDashesAndWhereTheValueIsMissing) {
  EXPECT_THAT(translate({"run", "--", "-ngl"}), ElementsAre("run", "--", "-ngl"));
  EXPECT_THAT(translate({"run", "-e", "-p"}), ElementsAre("run", "-e", "-p"));
  EXPECT_THAT(translate({"run", "-n5"}), ElementsAre("run", "-n5"));
}

TEST_F(Arguments, RefuseUnknownOneDashWordsAndCommands) {
  EXPECT_THAT(error({"run", "-nlg", "3"}), HasSubstr("-nlg is not known"));
  EXPECT_THAT(error({"run", "-ctk", "f16"}), HasSubstr("-ctk is not known"))
      << "not an option of this command";
  EXPECT_THAT(error({"rnu"}), HasSubstr("command rnu is not known; there are: run"));
}

TEST(TokenIds, MayBeSeparatedByBlanksCommasAndBrackets) {
  EXPECT_THAT(*parse_token_ids("1 2  3\n", 10), ElementsAre(1, 2, 3));
  EXPECT_THAT(*parse_token_ids("[1, 2,3]", 10), ElementsAre(1, 2, 3));
  EXPECT_TRUE(parse_token_ids("", 10)->empty());
}

TEST(TokenIds, OutsideTheVocabularyOrNotNumbersAreRefused) {
  EXPECT_THAT(parse_token_ids("1 10", 10).error().message,
              HasSubstr("10 is not in the vocabulary of 0 to 9"));
  EXPECT_THAT(parse_token_ids("-1", 10).error().message, HasSubstr("-1 is not"));
  EXPECT_THAT(parse_token_ids("1 two", 10).error().message, HasSubstr("\"two\" is not a number"));
  EXPECT_FALSE(parse_token_ids("99999999999999999999", 10).ok());
}

}  // namespace
}  // namespace plm::cli
