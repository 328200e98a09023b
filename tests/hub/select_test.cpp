#include "hub/select.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plm::hub {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> selected(const std::vector<std::string>& files, const Wish& wish) {
  const auto names = select_files(files, wish, "here");
  return names.ok() ? *names : std::vector{names.error().message};
}

TEST(SelectFiles, TakesAQuantisationAsAWordOfThePath) {
  const std::vector<std::string> files = {"IQ4_XS/m.gguf", "m-IQ2_M.gguf", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf",
                                          "m.q8_0.gguf"};
  EXPECT_THAT(selected(files, {.quant = "q4_k_m"}), ElementsAre("m-Q4_K_M.gguf"));
  EXPECT_THAT(selected(files, {.quant = "Q8_0"}), ElementsAre("m.q8_0.gguf"));
  EXPECT_THAT(selected(files, {.quant = "IQ4_XS"}), ElementsAre("IQ4_XS/m.gguf"));
  EXPECT_THAT(selected(files, {.quant = "Q2_M"}), ElementsAre(HasSubstr("no model of type Q2_M")));
  EXPECT_THAT(selected(files, {.quant = "Q4_K"}), ElementsAre(HasSubstr("no model of type Q4_K")));
}

TEST(SelectFiles, PrefersQ4KMThenQ4_0ThenTheFirstModel) {
  EXPECT_THAT(selected({"a-F16.gguf", "a-Q4_0.gguf", "a-Q4_K_M.gguf"}, {}), ElementsAre("a-Q4_K_M.gguf"));
  EXPECT_THAT(selected({"a-F16.gguf", "a-Q4_0.gguf"}, {}), ElementsAre("a-Q4_0.gguf"));
  EXPECT_THAT(selected({"a-F16.gguf", "a-Q6_K.gguf"}, {}), ElementsAre("a-F16.gguf"));
  EXPECT_THAT(selected({"config.json", "mmproj-F16.gguf"}, {}), ElementsAre(HasSubstr("no GGUF model")));
}

TEST(SelectFiles, BringsAllShardsAndNamesAMissingOne) {
  const std::vector<std::string> files = {"m-00001-of-00003.gguf", "m-00002-of-00003.gguf",
                                          "m-00003-of-00003.gguf"};
  EXPECT_THAT(selected(files, {}), ElementsAre(files[0], files[1], files[2]));
  EXPECT_THAT(selected(files, {.file = files[0]}), ElementsAre(files[0], files[1], files[2]));
  EXPECT_THAT(selected({files[0], files[2]}, {}), ElementsAre(HasSubstr("shard m-00002-of-00003.gguf")));
  EXPECT_THAT(selected({files[1], files[2]}, {}), ElementsAre(HasSubstr("no GGUF model")));
}

TEST(SelectFiles, TakesNamesThatOnlyLookLikeShardsAsTheyAre) {
  for (const std::string name : {"m-00000-of-00003.gguf", "m-00004-of-00003.gguf", "m-0001-of-0003.gguf",
                                 "-00001-of-00002.gguf", "m-00001-of-0000x.gguf", "00001-of-00001.gguf"})
    EXPECT_THAT(selected({name}, {.file = name}), ElementsAre(name));
}

TEST(SelectFiles, MatchesGlobsAcrossFolders) {
  const std::vector<std::string> files = {"a.json", "b/c.json", "b/d.safetensors"};
  EXPECT_THAT(selected(files, {.globs = {"*.json"}}), ElementsAre("a.json", "b/c.json"));
  EXPECT_THAT(selected(files, {.globs = {"b/*", "a.*"}}),
              ElementsAre("a.json", "b/c.json", "b/d.safetensors"));
  EXPECT_THAT(selected(files, {.globs = {"*.bin"}}), ElementsAre(HasSubstr("none of 3 files matches *.bin")));
}

}  // namespace
}  // namespace plm::hub
