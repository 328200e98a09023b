// What can be told without a network; the rest is tests/python/test_hub.py.

#include "hub/http.h"

#include <gtest/gtest.h>

namespace plm::hub {
namespace {

TEST(HubUrls, RedirectsAreSeenFromWhereTheyWereFound) {
  EXPECT_EQ(*redirect_target("https://hub/a/b?c", "/d/e"), "https://hub/d/e");
  EXPECT_EQ(*redirect_target("https://hub/a/b", "https://cdn/x?y=%2F"), "https://cdn/x?y=%2F");
  EXPECT_EQ(*redirect_target("http://hub/a", "//cdn/x"), "http://cdn/x");
}

TEST(HubUrls, RedirectsLeadToHttpAndNeverToLessSafety) {
  EXPECT_FALSE(redirect_target("https://hub/a", "http://hub/a").ok());
  for (const char* target : {"file:///etc/passwd", "ftp://x/y", "gopher://x", "http://", "http://x y/"})
    EXPECT_FALSE(redirect_target("http://hub/a", target).ok()) << target;
}

TEST(HubUrls, PathsAreEscaped) {
  EXPECT_EQ(escape_path("a b/c#d?e%/\xc3\xa4.gguf"), "a%20b/c%23d%3Fe%25/%C3%A4.gguf");
}

TEST(HubToken, GoesToTheOriginOfTheEndpointOnly) {
  Settings settings;
  settings.endpoint = "https://hub.example";
  settings.token = "hf_x";
  const auto client = HttpClient::create(settings, nullptr);
  ASSERT_TRUE(client.ok());
  EXPECT_TRUE(client->is_trusted("https://hub.example/a/b"));
  EXPECT_TRUE(client->is_trusted("https://HUB.example:443/"));
  for (const char* url : {"https://hub.example:8443/", "http://hub.example/", "https://hub.example.evil/",
                          "https://evil/hub.example", "https://hub.example@evil/",
                          "https://evil#@hub.example/", "https://cdn.hub.example/", ""})
    EXPECT_FALSE(client->is_trusted(url)) << url;
}

TEST(HubToken, TravelsUnencryptedOnThisMachineOnly) {
  for (const auto& [endpoint, is_safe] : {std::pair{"http://mirror", false},
                                          {"http://127.0.0.1:8000", true},
                                          {"http://localhost", true},
                                          {"http://localhost.evil", false}}) {
    Settings settings;
    settings.endpoint = endpoint;
    const auto client = HttpClient::create(settings, nullptr);
    ASSERT_TRUE(client.ok());
    EXPECT_EQ(client->is_trusted(std::string(endpoint) + "/a"), is_safe) << endpoint;
  }
}

TEST(HubRetries, CountAnewAfterProgressAndEndWithTheProblem) {
  Retries retries({.n_tries = 2, .first_wait_seconds = 0.001});
  const Trouble trouble{.problem = "it broke", .wait_seconds = {}};
  EXPECT_TRUE(retries.wait(trouble, "x").ok());
  retries.progressed();
  EXPECT_TRUE(retries.wait(trouble, "x").ok());
  const auto given_up = retries.wait(trouble, "x");
  ASSERT_FALSE(given_up.ok());
  EXPECT_EQ(given_up.error().message, "x: it broke, after 2 tries");
}

TEST(HubRetries, WaitAsLongAsTheServerAsksWithinReason) {
  Retries retries({.n_tries = 9, .first_wait_seconds = 1000});
  EXPECT_TRUE(retries.wait({.problem = "busy", .wait_seconds = 0.0}, "x").ok());
  EXPECT_FALSE(retries.wait({.problem = "busy", .wait_seconds = 1e6}, "x").ok());
}

TEST(HubRetries, AreCancelled) {
  const std::atomic<bool> cancel{true};
  Retries retries({.n_tries = 9, .first_wait_seconds = 1000, .cancel = &cancel});
  EXPECT_EQ(retries.wait({.problem = "busy", .wait_seconds = {}}, "x").error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace plm::hub
