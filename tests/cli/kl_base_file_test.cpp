#include "cli/kl_base_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "runtime/log_probability.h"

namespace plm::cli {
namespace {

using ::testing::HasSubstr;

class KlBaseFile : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Two chunks of five tokens of a vocabulary of three: two rows each.
  void write() {
    auto writer = KlBaseWriter::create(path_, shape_, std::vector<tokenizer::TokenId>(10, 1));
    ASSERT_TRUE(writer.ok());
    for (const auto& row : rows_) ASSERT_TRUE(writer->append(row, runtime::log_sum_exp(row)).ok());
    ASSERT_TRUE(writer->finish().ok());
  }
  std::string bytes() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void replace(const std::string& content) const { std::ofstream(path_, std::ios::binary) << content; }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / fmt::format("plm-kl-{}", ::getpid());
  const std::string path_ = (folder_ / "base.kld").string();
  const KlBaseShape shape_{.n_context = 5, .n_vocabulary = 3, .n_chunks = 2};
  const std::vector<std::vector<float>> rows_ = {{1, 2, 3}, {0, 0, 0}, {-40, 10, 9}, {5, -5, 0}};
};

TEST_F(KlBaseFile, HasTheLayoutOfLlamaPerplexity) {
  write();
  const std::string content = bytes();
  // magic, three counts, ten ids, four rows of scale, minimum and three steps (four with padding)
  ASSERT_EQ(content.size(), 8u + 3 * 4 + 10 * 4 + 4 * (2 * 4 + 4 * 2));
  EXPECT_EQ(content.substr(0, 8), "_logits_");
  const auto number_at = [&content](size_t offset) {
    int32_t value = 0;
    std::memcpy(&value, content.data() + offset, sizeof(value));
    return value;
  };
  EXPECT_EQ(number_at(8), 5);
  EXPECT_EQ(number_at(12), 3);
  EXPECT_EQ(number_at(16), 2);
  float scale = 0, minimum = 0;
  std::memcpy(&scale, content.data() + 60, 4);
  std::memcpy(&minimum, content.data() + 64, 4);
  EXPECT_FLOAT_EQ(scale, 2.0f / 65535);
  EXPECT_FLOAT_EQ(minimum, 1 - static_cast<float>(runtime::log_sum_exp(rows_[0])));
}

TEST_F(KlBaseFile, GivesBackLogProbabilitiesWithinHalfAStep) {
  write();
  const auto reader = KlBaseReader::open(path_);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->tokens().size(), 10u);
  std::vector<float> row(3);
  for (size_t i = 0; i < rows_.size(); ++i) {
    reader->read_row(static_cast<int64_t>(i / 2), static_cast<int64_t>(i % 2), row);
    const double total = runtime::log_sum_exp(rows_[i]);
    const float best = *std::max_element(rows_[i].begin(), rows_[i].end());
    for (size_t token = 0; token < row.size(); ++token) {
      const double expected = std::max(rows_[i][token], best - 16) - total;
      EXPECT_NEAR(row[token], expected, 16.0 / 65535) << i << " " << token;
    }
  }
}

TEST_F(KlBaseFile, ThatIsDamagedIsRefused) {
  write();
  const std::string good = bytes();
  const auto error = [this](const std::string& content) {
    replace(content);
    const auto reader = KlBaseReader::open(path_);
    return reader.ok() ? "no error" : reader.error().message;
  };
  EXPECT_THAT(error(good.substr(0, good.size() - 1)), HasSubstr("expected 124"));
  EXPECT_THAT(error(good + "x"), HasSubstr("found 125 bytes"));
  EXPECT_THAT(error("_logits_"), HasSubstr("does not begin"));
  EXPECT_THAT(error("GGUF" + good), HasSubstr("does not begin"));
  for (size_t field = 0; field < 3; ++field) {
    for (const int32_t count : {0, -1, INT32_MAX}) {
      std::string bad = good;
      std::memcpy(bad.data() + 8 + 4 * field, &count, sizeof(count));
      EXPECT_THAT(error(bad), HasSubstr("found a count of"));
    }
  }
  std::string bad = good;
  bad[20] = 3;
  EXPECT_THAT(error(bad), HasSubstr("token id 3 is not in the vocabulary"));
}

}  // namespace
}  // namespace plm::cli
