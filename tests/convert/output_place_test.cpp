#include "convert/output_place.h"

#include <gmock/gmock.h>

#include "../gguf/temporary_folder.h"

namespace plm::convert {
namespace {

using ::testing::HasSubstr;

using OutputPlaceTest = TemporaryFolder;

TEST_F(OutputPlaceTest, RefusesTheInputUnderAnotherName) {
  const std::string file = write("model.gguf", "x");
  std::filesystem::create_symlink(file, path("link.gguf"));
  const Status status = check_place({.input = file, .output = path("link.gguf"), .overwrite = true});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::invalid_argument);
}

TEST_F(OutputPlaceTest, AsksBeforeWritingOverAFile) {
  const std::string in = write("in", "x");
  const std::string out = write("out", "x");
  EXPECT_FALSE(check_place({.input = in, .output = out}).ok());
  EXPECT_TRUE(check_place({.input = in, .output = out, .overwrite = true}).ok());
  EXPECT_TRUE(check_place({.input = in, .output = path("new")}).ok());
}

TEST_F(OutputPlaceTest, TakesAnEmptyFolder) {
  std::filesystem::create_directory(path("empty"));
  EXPECT_TRUE(check_place({.input = write("in", "x"), .output = path("empty/"), .is_folder = true}).ok());
  write("empty/file", "x");
  EXPECT_FALSE(check_place({.input = path("in"), .output = path("empty/"), .is_folder = true}).ok());
}

TEST_F(OutputPlaceTest, RefusesAFileWhereAFolderMustBe) {
  const std::string in = write("in", "x");
  const Status status =
      check_place({.input = in, .output = write("file", "x"), .overwrite = true, .is_folder = true});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("expected a folder"));
}

TEST_F(OutputPlaceTest, NamesTheFolderThatIsNotThere) {
  const Status status = check_place({.input = write("in", "x"), .output = path("no/such/model.gguf")});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("no/such"));
}

TEST_F(OutputPlaceTest, RefusesADiskWithoutRoom) {
  const Status status =
      check_place({.input = write("in", "x"), .output = path("out"), .bytes = uint64_t{1} << 60});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("MB free"));
}

TEST_F(OutputPlaceTest, AStagedFolderThatIsDroppedLeavesNothing) {
  {
    auto staged = StagedFolder::create(path("model"));
    ASSERT_TRUE(staged.ok());
    ASSERT_TRUE(write_text_file(staged->path() + "/config.json", "{}").ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(OutputPlaceTest, AStagedFolderReplacesWeightsAndKeepsTheRest) {
  std::filesystem::create_directory(path("model"));
  for (const char* name : {"README.md", "config.json", "model-00001-of-00002.safetensors",
                           "model.safetensors.index.json", "modelcard.json"}) {
    write(std::string("model/") + name, "old");
  }
  auto staged = StagedFolder::create(path("model"));
  ASSERT_TRUE(staged.ok());
  ASSERT_TRUE(write_text_file(staged->path() + "/config.json", "new").ok());
  ASSERT_TRUE(write_text_file(staged->path() + "/model.safetensors", "new").ok());
  ASSERT_TRUE(staged->commit().ok());
  EXPECT_EQ(read(path("model/config.json")), "new");
  EXPECT_EQ(read(path("model/README.md")), "old");
  EXPECT_TRUE(std::filesystem::exists(path("model/model.safetensors")));
  EXPECT_TRUE(std::filesystem::exists(path("model/modelcard.json")));
  EXPECT_FALSE(std::filesystem::exists(path("model/model-00001-of-00002.safetensors")));
  EXPECT_FALSE(std::filesystem::exists(path("model/model.safetensors.index.json")));
}

}  // namespace
}  // namespace plm::convert
