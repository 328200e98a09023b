// LLaMA-Factory's dataset_info.json.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../../gguf/temporary_folder.h"
#include "train/data/dataset_info.h"

namespace plm::train {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class DatasetInfoFile : public TemporaryFolder {
 protected:
  void SetUp() override {
    TemporaryFolder::SetUp();
    write("dataset_info.json", R"({
      "c4_demo": {"file_name": "c4_demo.jsonl", "columns": {"prompt": "text"}, "num_samples": 12},
      "chat": {"file_name": "chat.json", "formatting": "sharegpt", "columns": {"messages": "conversations"},
               "tags": {"role_tag": "from", "content_tag": "value"}},
      "pairs": {"file_name": "pairs.json", "ranking": true, "columns": {"chosen": "good", "tools": null}},
      "remote": {"hf_hub_url": "somebody/something"},
      "odd": {"file_name": "x.json", "colums": {}},
      "csv": {"file_name": "x.json", "formatting": "openai"},
      "none": {}, "wrong": 7, "typed": {"file_name": 7}
    })");
  }
  std::string error_of(const std::string& names) const {
    const auto found = find_datasets(folder_.string(), names);
    return found.ok() ? "" : found.error().message;
  }
};

TEST_F(DatasetInfoFile, GivesFilesColumnsAndTags) {
  const auto found = find_datasets(folder_.string(), "c4_demo, chat,pairs");
  ASSERT_TRUE(found.ok()) << found.error().message;
  ASSERT_EQ(found->size(), 3u);
  EXPECT_EQ((*found)[0].path, path("c4_demo.jsonl"));
  EXPECT_EQ((*found)[0].columns.at("prompt"), "text");
  EXPECT_EQ((*found)[1].formatting, DatasetInfo::Formatting::sharegpt);
  EXPECT_EQ((*found)[1].tags.at("role_tag"), "from");
  EXPECT_TRUE((*found)[2].has_ranking);
  EXPECT_FALSE((*found)[2].columns.contains("tools"));
}

TEST_F(DatasetInfoFile, BecomesTextForPretraining) {
  const auto found = find_datasets(folder_.string(), "c4_demo,chat,pairs");
  ASSERT_TRUE(found.ok());
  const auto source = pretraining_source((*found)[0]);
  ASSERT_TRUE(source.ok());
  EXPECT_EQ(source->name, "c4_demo");
  EXPECT_EQ(source->format.column, "text");
  EXPECT_EQ(source->format.unit, TextUnit::line);
  EXPECT_EQ(source->max_documents, 12);
  EXPECT_THAT(pretraining_source((*found)[1]).error().message, HasSubstr("holds conversations"));
  EXPECT_THAT(pretraining_source((*found)[2]).error().message, HasSubstr("holds ranked answers"));
}

TEST_F(DatasetInfoFile, NamesWhatIsWrong) {
  EXPECT_THAT(error_of("c5"), HasSubstr("no dataset c5; there are c4_demo, chat"));
  EXPECT_THAT(error_of("remote"), HasSubstr("remote: hf_hub_url: data of a hub are not fetched"));
  EXPECT_THAT(error_of("odd"), EndsWith("odd: unknown key colums"));
  EXPECT_THAT(error_of("csv"), HasSubstr("formatting: found \"openai\""));
  EXPECT_THAT(error_of("none"), EndsWith("none: file_name: missing"));
  EXPECT_THAT(error_of("wrong"), EndsWith("wrong: expected an object"));
  EXPECT_THAT(error_of("typed"), HasSubstr("typed: "));
  EXPECT_THAT(error_of(" , "), HasSubstr("no name"));
  write("dataset_info.json", "[");
  EXPECT_THAT(error_of("x"), HasSubstr("dataset_info.json"));
  std::filesystem::remove(path("dataset_info.json"));
  EXPECT_THAT(error_of("x"), HasSubstr("dataset_info.json"));
}

}  // namespace
}  // namespace plm::train
