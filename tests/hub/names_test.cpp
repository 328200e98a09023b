#include "hub/names.h"

#include <gtest/gtest.h>

namespace plm::hub {
namespace {

TEST(HubNames, ReadsARepositoryWithAndWithoutAQuantisation) {
  const auto plain = parse_source("some-one/model.v1_GGUF");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->repository, "some-one/model.v1_GGUF");
  EXPECT_EQ(plain->quant, "");
  const auto quant = parse_source("a/b:UD-Q4_K_XL");
  ASSERT_TRUE(quant.ok());
  EXPECT_EQ(quant->quant, "UD-Q4_K_XL");
}

TEST(HubNames, RefusesWhatIsNoRepository) {
  for (const std::string text :
       {"", "a", "/", "a/", "/b", "a/b/c", "../b", "a/..", "a/.b", "a/b.", "a/b--c", "a/b.git", "a b/c",
        "a/b:", "a/b:x/y", "a/b:..", "a/b\n", "https://x/y", "a\\b/c"}) {
    const auto source = parse_source(text);
    ASSERT_FALSE(source.ok()) << text;
    EXPECT_EQ(source.error().kind, ErrorKind::invalid_argument);
    EXPECT_EQ(source.error().message.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(parse_source("a/" + std::string(95, 'b')).ok());
  EXPECT_TRUE(parse_source("a/" + std::string(94, 'b')).ok());
}

TEST(HubNames, TakesBranchesTagsAndCommitsAsRevisions) {
  for (const std::string text : {"main", "v1.0", "refs/pr/3", "0123456789abcdef0123456789abcdef01234567"})
    EXPECT_TRUE(check_revision(text).ok()) << text;
  for (const std::string text : {"", "../main", "a//b", "/a", "a/", "a b", "a?b", "a#b", "a/../b"})
    EXPECT_FALSE(check_revision(text).ok()) << text;
}

TEST(HubNames, RefusesFilesThatLeadOutOfTheirFolder) {
  for (const std::string text : {"a.gguf", "F16/a b (1).gguf", "ä.txt", "..a", "a..b"})
    EXPECT_TRUE(check_file_name(text).ok()) << text;
  for (const std::string text : {"", ".", "..", "/a", "a/", "a//b", "a/../b", "../a", "a/..", "a\\b", "C:a",
                                 "a\nb", "a\x7f", "a\x1b[2J"})
    EXPECT_FALSE(check_file_name(text).ok()) << text;
  EXPECT_FALSE(check_file_name(std::string("a\0b", 3)).ok());
  EXPECT_FALSE(check_file_name(std::string(256, 'a')).ok());
}

TEST(HubNames, NamesTheFolderAsHuggingfaceHubDoes) {
  EXPECT_EQ(repository_folder("julien-c/EsperBERTo-small"), "models--julien-c--EsperBERTo-small");
}

}  // namespace
}  // namespace plm::hub
