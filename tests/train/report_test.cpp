#include "train/report/report.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "train/report/chart.h"

namespace plm::train {
namespace {

namespace fs = std::filesystem;

class ReportTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "plm_report_" + std::to_string(::getpid()) +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Report open(int64_t resume_step) {
    auto report = Report::open({.folder = folder_,
                                .tensorboard = true,
                                .resume_step = resume_step,
                                .say = [this](const std::string& line) { said_ += line + "\n"; }});
    EXPECT_TRUE(report.ok()) << report.error().message;
    return *std::move(report);
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static TrainLine line(int64_t step) {
    TrainLine out;
    out.step = step;
    out.n_steps = 10;
    out.loss = 2.5;
    out.zero_rates = {0.5, 0.75};
    return out;
  }

  std::string folder_, said_;
};

TEST_F(ReportTest, LogHasALineForEachCall) {
  Report report = open(0);
  ASSERT_TRUE(report.train(line(1)).ok());
  ASSERT_TRUE(report.eval({.step = 1, .n_steps = 10, .loss = 2, .bits_per_byte = 1.5}).ok());
  const std::string log = read(folder_ + "/trainer_log.jsonl");
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2);
  EXPECT_NE(log.find(R"("current_steps":1,"total_steps":10,"loss":2.5)"), std::string::npos);
  EXPECT_NE(log.find(R"("eval_bits_per_byte":1.5)"), std::string::npos);
  EXPECT_NE(said_.find("zeros 62.5%"), std::string::npos);
}

TEST_F(ReportTest, ResumingTakesOutLaterLinesAndHalfOnes) {
  {
    Report report = open(0);
    for (int64_t step = 1; step <= 4; ++step) ASSERT_TRUE(report.train(line(step)).ok());
  }
  std::ofstream(folder_ + "/trainer_log.jsonl", std::ios::app) << R"({"current_steps":5,"lo)";
  Report report = open(2);
  ASSERT_TRUE(report.train(line(3)).ok());
  const std::string log = read(folder_ + "/trainer_log.jsonl");
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 3);
  EXPECT_EQ(log.find("\"current_steps\":4"), std::string::npos);
}

TEST_F(ReportTest, EventFilesAreRecordsWithTheirChecksums) {
  Report report = open(0);
  ASSERT_TRUE(report.train(line(3)).ok());
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("events.out.tfevents.")) continue;
    const std::string bytes = read(entry.path());
    size_t at = 0;
    int records = 0;
    while (at < bytes.size()) {
      uint64_t length = 0;
      uint32_t stored = 0;
      std::memcpy(&length, bytes.data() + at, 8);
      std::memcpy(&stored, bytes.data() + at + 12 + length, 4);
      const uint32_t crc = crc32c(std::string_view(bytes).substr(at + 12, length));
      EXPECT_EQ(((crc >> 15) | (crc << 17)) + 0xa282ead8U, stored);
      at += 16 + length;
      ++records;
    }
    EXPECT_EQ(at, bytes.size());
    EXPECT_EQ(records, 1 + 8);  // the version; six numbers and two layers
    return;
  }
  FAIL() << "no event file";
}

TEST(Crc32c, HasTheKnownCheckValue) { EXPECT_EQ(crc32c("123456789"), 0xe3069283U); }

TEST_F(ReportTest, PlotsTheLossOfAllStarts) {
  Report report = open(0);
  for (int64_t step = 1; step <= 4; ++step) ASSERT_TRUE(report.train(line(step)).ok());
  ASSERT_TRUE(report.plot().ok());
  EXPECT_NE(read(folder_ + "/training_loss.svg").find("training"), std::string::npos);
  EXPECT_EQ(read(folder_ + "/training_loss.png").substr(0, 8), "\x89PNG\r\n\x1a\n");
}

TEST(ChartPng, InflatesToRowsOfPixels) {
  const std::string png =
      to_png({.title = "t", .x_name = "x", .y_name = "y", .series = {{"s", {0, 1, 2}, {1, 3, 2}}}});
  const size_t data = png.find("IDAT");
  ASSERT_NE(data, std::string::npos);
  std::string rows(541 * 2701 + 10, '\0');
  uLongf size = rows.size();
  const auto* packed = reinterpret_cast<const Bytef*>(png.data() + data + 4);
  ASSERT_EQ(uncompress(reinterpret_cast<Bytef*>(rows.data()), &size, packed, png.size() - data - 4 - 16),
            Z_OK);
  EXPECT_EQ(size, 540U * (1 + 900 * 3));
  EXPECT_NE(rows.find(std::string("\x1f\x77\xb4", 3)), std::string::npos);  // the colour of the first line
}

TEST(ChartPng, NothingAndInfinityAreDrawnAsNothing) {
  EXPECT_FALSE(to_png({.title = "", .x_name = "", .y_name = "", .series = {}}).empty());
  EXPECT_FALSE(
      to_svg({.title = "", .x_name = "", .y_name = "", .series = {{"s", {1, 2}, {1, INFINITY}}}}).empty());
}

}  // namespace
}  // namespace plm::train
