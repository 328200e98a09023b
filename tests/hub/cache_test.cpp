#include "hub/cache.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace plm::hub {
namespace {

namespace fs = std::filesystem;

constexpr auto kCommit = "0123456789abcdef0123456789abcdef01234567";

class HubCache : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("plm-hub-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Cache cache() const { return Cache(folder_.string(), "a/b"); }

  fs::path folder_;
};

TEST_F(HubCache, RemembersTheCommitOfARevision) {
  EXPECT_FALSE(cache().commit_of("main").has_value());
  ASSERT_TRUE(cache().set_commit("refs/pr/1", kCommit).ok());
  EXPECT_EQ(cache().commit_of("refs/pr/1"), kCommit);
  EXPECT_EQ(cache().commit_of(kCommit), kCommit);
  std::ofstream(folder_ / "models--a--b" / "refs" / "bad") << "../../../elsewhere";
  EXPECT_FALSE(cache().commit_of("bad").has_value());
}

TEST_F(HubCache, LinksAFileAndReplacesALinkThatLeadsElsewhere) {
  const std::string hash(64, 'a'), other(64, 'b');
  fs::create_directories(folder_ / "models--a--b" / "blobs");
  std::ofstream(cache().blob(hash)) << "bytes";
  ASSERT_TRUE(cache().link(kCommit, "sub/file.gguf", other).ok());
  EXPECT_TRUE(cache().files_of(kCommit).empty()) << "a link without its blob is no file";
  ASSERT_TRUE(cache().link(kCommit, "sub/file.gguf", hash).ok());
  EXPECT_EQ(fs::read_symlink(cache().snapshot_file(kCommit, "sub/file.gguf")), "../../../blobs/" + hash);
  EXPECT_EQ(cache().files_of(kCommit), std::vector<std::string>{"sub/file.gguf"});
}

TEST_F(HubCache, ALockIsHeldByOneAndWaitedForByTheOther) {
  const std::string path = cache().lock_path("x");
  auto held = FileLock::acquire(path, {});
  ASSERT_TRUE(held.ok());
  std::atomic<bool> cancel{false};
  int n_waits = 0;
  const FileLock::Waiting cancelled{.cancel = &cancel, .on_wait = [&] {
                                      ++n_waits;
                                      cancel = true;
                                    }};
  EXPECT_EQ(FileLock::acquire(path, cancelled).error().kind, ErrorKind::cancelled);
  EXPECT_EQ(n_waits, 1);
  fs::remove(path);  // as Python's filelock does when it lets go
  std::thread holder(
      [lock = std::move(*held)] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); });
  EXPECT_TRUE(FileLock::acquire(path, {}).ok());
  holder.join();
}

}  // namespace
}  // namespace plm::hub
