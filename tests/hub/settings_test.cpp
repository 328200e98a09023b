#include "hub/settings.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

namespace plm::hub {
namespace {

Result<Settings> with(const std::map<std::string, std::string>& variables) {
  return settings_from([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(HubSettings, FindsTheCacheWhereHuggingfaceHubDoes) {
  EXPECT_EQ(with({{"HOME", "/h"}})->cache, "/h/.cache/huggingface/hub");
  EXPECT_EQ(with({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}})->cache, "/x/huggingface/hub");
  EXPECT_EQ(with({{"HOME", "/h"}, {"HF_HOME", "~/hf"}})->cache, "/h/hf/hub");
  EXPECT_EQ(with({{"HOME", "/h"}, {"HF_HOME", "/f"}, {"HF_HUB_CACHE", "/c"}})->cache, "/c");
  EXPECT_EQ(with({}).error().kind, ErrorKind::not_found);
}

TEST(HubSettings, ReadsEndpointOfflineAndTimeout) {
  const auto settings = with({{"HOME", "/h"},
                              {"HF_ENDPOINT", "https://mirror/"},
                              {"HF_HUB_OFFLINE", "yes"},
                              {"HF_HUB_DOWNLOAD_TIMEOUT", "2.5"}});
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->endpoint, "https://mirror");
  EXPECT_TRUE(settings->is_offline);
  EXPECT_EQ(settings->stall_seconds, 2.5);
  EXPECT_FALSE(with({{"HOME", "/h"}, {"HF_HUB_OFFLINE", "0"}})->is_offline);
}

TEST(HubSettings, RefusesWhatCannotBeUsedAndNeverShowsAToken) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"HF_ENDPOINT", "mirror"},
                                                        {"HF_ENDPOINT", "file:///etc"},
                                                        {"HF_HUB_DOWNLOAD_TIMEOUT", "-1"},
                                                        {"HF_HUB_DOWNLOAD_TIMEOUT", "nan"}}) {
    const auto settings = with({{"HOME", "/h"}, {name, value}});
    ASSERT_FALSE(settings.ok()) << name;
    EXPECT_TRUE(settings.error().message.starts_with(name));
  }
  const auto settings = with({{"HOME", "/h"}, {"HF_TOKEN", "hf_x\r\nHost: y"}});
  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.error().message.find("hf_x"), std::string::npos);
}

}  // namespace
}  // namespace plm::hub
