#include "cli/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "cli/commands.h"

namespace plm::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// `plm serve` as far as its options go.
class Environment : public ::testing::Test {
 protected:
  Environment() : serve_(make_serve_command()) { serve_->add_options(app_); }

  std::vector<std::string> arguments(std::vector<std::string> given) {
    taken_.clear();
    auto all = with_variables(
        std::move(given), app_, variables_of("serve"),
        [this](const char* name) {
          const auto found = variables_.find(name);
          return found == variables_.end() ? nullptr : found->second.c_str();
        },
        taken_);
    if (!all.ok()) error_ = all.error().message;
    return all.ok() ? *std::move(all) : std::vector<std::string>();
  }

  CLI::App app_;
  std::unique_ptr<Command> serve_;
  std::map<std::string, std::string> variables_;
  std::vector<Variable> taken_;
  std::string error_;
};

TEST_F(Environment, StandsForOptionsThatAreNotGiven) {
  EXPECT_THAT(arguments({"--no-slots"}), ElementsAre("--no-slots"));
  variables_ = {{"LLAMA_ARG_PORT", "81"}, {"LLAMA_ARG_N_PREDICT", "-1"}, {"LLAMA_ARG_HOST", ""}};
  EXPECT_THAT(arguments({"--metrics"}), ElementsAre("--port=81", "--n-predict=-1", "--metrics"));
  EXPECT_EQ(taken_.size(), 2U);
}

TEST_F(Environment, GivesWayToAnOptionUnderAnyOfItsNames) {
  variables_ = {{"LLAMA_ARG_PORT", "81"},
                {"LLAMA_ARG_N_PREDICT", "5"},
                {"LLAMA_API_KEY", "a"},
                {"LLAMA_ARG_ENDPOINT_SLOTS", "1"},
                {"LLAMA_ARG_CTX_SIZE", "100"}};
  EXPECT_THAT(arguments({"--port=82", "--predict", "6", "--api-key", "b", "--no-slots", "-c", "64"}),
              ElementsAre("--port=82", "--predict", "6", "--api-key", "b", "--no-slots", "-c", "64"));
  EXPECT_THAT(taken_, IsEmpty());
}

TEST_F(Environment, SaysYesAndNoAsLlamaServerReadsThem) {
  for (const char* yes : {"1", "true", "on", "enabled"}) {
    variables_ = {{"LLAMA_ARG_ENDPOINT_METRICS", yes}};
    EXPECT_THAT(arguments({}), ElementsAre("--metrics=true"));
  }
  for (const char* no : {"0", "false", "off", "disabled"}) {
    variables_ = {{"LLAMA_ARG_ENDPOINT_SLOTS", no}};
    EXPECT_THAT(arguments({}), ElementsAre("--slots=false"));
  }
  variables_ = {{"LLAMA_ARG_NO_ENDPOINT_SLOTS", "1"}, {"LLAMA_ARG_ENDPOINT_SLOTS", "1"}};
  EXPECT_THAT(arguments({}), ElementsAre("--slots=false"));
  variables_ = {{"LLAMA_ARG_ENDPOINT_SLOTS", "maybe"}};
  arguments({});
  EXPECT_EQ(
      error_,
      "LLAMA_ARG_ENDPOINT_SLOTS: found \"maybe\", expected 1, true, on, enabled or 0, false, off, disabled");
}

TEST_F(Environment, IsNamedWhereItsValueIsWrong) {
  variables_ = {{"LLAMA_ARG_PORT", "81"}, {"LLAMA_ARG_TOP_P", "x"}};
  arguments({});
  EXPECT_EQ(blamed_variable("--port: found 81, expected ..", taken_), "LLAMA_ARG_PORT");
  EXPECT_EQ(blamed_variable("Could not convert: --top-p = x", taken_), "LLAMA_ARG_TOP_P");
  EXPECT_EQ(blamed_variable("--port-of-call: no such option", taken_), "");
}

TEST_F(Environment, NamesOnlyOptionsThatThereAreAndTellsOfItselfInTheHelp) {
  for (const Variable& variable : variables_of("serve")) {
    EXPECT_NE(app_.get_option_no_throw(std::string(variable.option)), nullptr) << variable.option;
  }
  tell_variables(app_, variables_of("serve"));
  EXPECT_THAT(app_.help(), HasSubstr("[LLAMA_ARG_N_PARALLEL]"));
  EXPECT_THAT(variables_of("run"), IsEmpty());
}

}  // namespace
}  // namespace plm::cli
