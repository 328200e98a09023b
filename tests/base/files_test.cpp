#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/atomic_file.h"
#include "base/disk_space.h"
#include "base/mapped_file.h"

namespace plm {
namespace {

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("plm-files-{}", ::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return (folder_ / name).string(); }
  std::filesystem::path folder_;
};

TEST_F(Files, AMissingFileIsNamedInTheError) {
  const auto file = MappedFile::open(path("absent"));
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().kind, ErrorKind::not_found);
  EXPECT_THAT(file.error().message, ::testing::HasSubstr("absent: cannot open"));
}

TEST_F(Files, ADirectoryAndAPipeAreRefused) {
  EXPECT_THAT(MappedFile::open(folder_.string()).error().message, ::testing::HasSubstr("a directory"));
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(MappedFile::open(path("pipe")).ok());
}

TEST_F(Files, AnEmptyFileMapsToNoBytes) {
  std::ofstream(path("empty")).close();
  const auto file = MappedFile::open(path("empty"));
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->bytes().empty());
}

TEST_F(Files, AFileAppearsOnlyWhenCommitted) {
  std::ofstream(path("out")) << "old";
  {
    auto file = AtomicFile::create(path("out"));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write("half of it").ok());
  }
  std::string text;
  std::ifstream(path("out")) >> text;
  EXPECT_EQ(text, "old");
  auto file = AtomicFile::create(path("out"));
  ASSERT_TRUE(file->write("new").ok());
  ASSERT_TRUE(file->commit().ok());
  std::ifstream(path("out")) >> text;
  EXPECT_EQ(text, "new");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1)
      << "no temporary file is left";
}

TEST_F(Files, TwoMayWriteOneFileAtTheSameTime) {
  auto one = AtomicFile::create(path("out")), two = AtomicFile::create(path("out"));
  ASSERT_TRUE(one.ok() && two.ok());
  ASSERT_TRUE(one->write("the first").ok() && two->write("second").ok());
  ASSERT_TRUE(two->commit().ok());
  EXPECT_EQ(std::filesystem::file_size(path("out")), 6U);
  ASSERT_TRUE(one->commit().ok());
  EXPECT_EQ(std::filesystem::file_size(path("out")), 9U);
}

TEST_F(Files, WhatIsNoRegularFileIsNotReplaced) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink(path("pipe"), path("link"));
  for (const std::string& there : {path("pipe"), path("link"), folder_.string()}) {
    const auto file = AtomicFile::create(there);
    ASSERT_FALSE(file.ok()) << there;
    EXPECT_EQ(file.error().kind, ErrorKind::io);
    EXPECT_THAT(file.error().message, ::testing::HasSubstr("expected a regular file or none"));
  }
  EXPECT_TRUE(std::filesystem::is_fifo(path("pipe")));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2);
}

TEST_F(Files, ANameThatTheSystemWouldCutShortIsRefused) {
  std::ofstream(path("model")) << "a model";
  for (const std::string& name : {std::string(), path("model") + '\0' + "of another name"}) {
    for (const auto& refused : {MappedFile::open(name).error(), AtomicFile::create(name).error()}) {
      EXPECT_EQ(refused.kind, ErrorKind::invalid_argument);
      EXPECT_THAT(refused.message, ::testing::HasSubstr("name of a file"));
    }
  }
}

TEST_F(Files, ADiskWithoutRoomIsToldBeforeTheWork) {
  EXPECT_TRUE(check_free_space(path("out"), 1).ok());
  EXPECT_TRUE(check_free_space("out", 1).ok()) << "a bare name lies in the folder at hand";
  const Status status = check_free_space(path("out"), uint64_t{1} << 62);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::io);
  EXPECT_THAT(status.error().message, ::testing::HasSubstr("out: 4611686018428 MB are needed"));
  EXPECT_TRUE(check_free_space(path("no/such/folder/out"), uint64_t{1} << 62).ok())
      << "creating it says what is wrong";
}

}  // namespace
}  // namespace plm
