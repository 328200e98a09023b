// Results as text, and the shares they tell.
#include "bench/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace plm::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Summary all(double value) { return summarise({value}); }

// 100 tokens/s at 500 MB each, of 80 GB/s.
SpeedResult decode_result(int64_t n_sequences = 1) {
  SpeedResult result;
  result.test = {.n_generate = 100, .n_sequences = n_sequences};
  result.seconds = {1.0, 0.5, 2.0};
  result.zero_rate_of_layer = {0.5, 0.75, 1.0};
  result.bytes_per_token = n_sequences == 1 ? 5e8 : 0;
  result.limits = {
      .read_bytes = all(80e9), .int8_operations = all(2e12), .bf16_operations = {}, .fp32_operations = {}};
  return result;
}

SpeedResult prefill_result() {
  SpeedResult result;
  result.test = {.n_prompt = 512};
  result.seconds = {1.0};
  result.operations_per_token = 2e9;
  result.limits = decode_result().limits;
  return result;
}

Contestants contestants() {
  Contestants c;
  c.ours = {.engine = "plm",
            .version = "1",
            .model = "m.gguf",
            .type = "plm 1.8B Q4_0",
            .isa = "avx2",
            .cpu = "a \"CPU\"",
            .n_threads = 2,
            .cache_type = "bf16",
            .cache_bytes_per_token = 36864,
            .peak_resident_bytes = int64_t{1} << 30,
            .seconds_to_first_token = 0.5,
            .time = "now"};
  c.theirs = c.ours;
  c.theirs.engine = "llama.cpp";
  c.theirs.isa = "";
  c.theirs.peak_resident_bytes = int64_t{2} << 30;
  return c;
}

TEST(SpeedResult, SharesAreOfWhatTheMachineDidAtTheSameTime) {
  EXPECT_DOUBLE_EQ(decode_result().tokens_per_second().median, 100);
  EXPECT_DOUBLE_EQ(decode_result().share_of_bandwidth(), 5e10 / 80e9);
  EXPECT_EQ(decode_result().share_of_int8_peak(), 0);
  EXPECT_DOUBLE_EQ(prefill_result().share_of_int8_peak(), 512 * 2e9 / 2e12);
  EXPECT_EQ(prefill_result().share_of_bandwidth(), 0);
  EXPECT_EQ(SpeedResult{}.share_of_bandwidth(), 0);
}

TEST(SpeedTest, NamesAreThoseOfLlamaBench) {
  EXPECT_EQ((SpeedTest{.n_prompt = 512}).name(), "pp512");
  EXPECT_EQ((SpeedTest{.n_generate = 64, .depth = 4096}).name(), "tg64 @ d4096");
  EXPECT_EQ((SpeedTest{.n_prompt = 512, .n_generate = 128}).name(), "pp512+tg128");
  EXPECT_EQ((SpeedTest{.n_generate = 64, .n_sequences = 8}).name(), "tg64 x8");
  EXPECT_EQ((SpeedTest{.n_generate = 64, .depth = 10, .n_sequences = 8}).n_tokens(), 512);
}

TEST(Table, MarkdownShowsMedianSpreadZerosAndShare) {
  const std::string text =
      render(contestants(), {{decode_result(), {}}, {prefill_result(), {}}}, TableFormat::markdown);
  EXPECT_THAT(text, HasSubstr("100.00 (50.00-200.00)"));
  EXPECT_THAT(text, HasSubstr("75.0 (50.0-100.0)"));
  EXPECT_THAT(text, HasSubstr("50.0 GB/s, 62 % of 80.0"));
  EXPECT_THAT(text, HasSubstr("1024 Gop/s, 51 % of 2000"));
  EXPECT_THAT(text, HasSubstr("36864 (bf16)"));
  EXPECT_THAT(text, HasSubstr("0.50 s"));
  EXPECT_THAT(text, Not(HasSubstr("times one")));
}

TEST(Table, SeveralSequencesStandBesideOne) {
  const std::string text =
      render(contestants(), {{decode_result(), {}}, {decode_result(4), {}}}, TableFormat::markdown);
  EXPECT_THAT(text, HasSubstr("tg100 x4"));
  EXPECT_THAT(text, HasSubstr("| 4.00"));
}

TEST(Table, APeerGivesRatios) {
  SpeedResult theirs = decode_result();
  theirs.seconds = {2.0};
  const std::string text = render(contestants(), {{decode_result(), theirs}}, TableFormat::markdown);
  EXPECT_THAT(text, HasSubstr("plm / llama.cpp"));
  EXPECT_THAT(text, HasSubstr("| 2.00 "));
  EXPECT_THAT(text, HasSubstr("| 0.50 "));  // of memory
}

TEST(Table, JsonHasALineForEachEngineAndNullForWhatIsNotKnown) {
  SpeedResult theirs;
  theirs.test = decode_result().test;
  theirs.seconds = {2.0};
  const auto rows =
      nlohmann::json::parse(render(contestants(), {{decode_result(), theirs}}, TableFormat::json));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["engine"], "plm");
  EXPECT_EQ(rows[0]["zero_rate_of_layer"], nlohmann::json({0.5, 0.75, 1.0}));
  EXPECT_EQ(rows[0]["median_ts"], 100);
  EXPECT_DOUBLE_EQ(rows[0]["share_of_bandwidth"], 0.625);
  EXPECT_TRUE(rows[0]["share_of_int8_peak"].is_null());
  EXPECT_EQ(rows[1]["engine"], "llama.cpp");
  EXPECT_TRUE(rows[1]["zero_rate"].is_null() && rows[1]["bytes_per_token"].is_null() &&
              rows[1]["backends"].is_null());
  std::istringstream lines(render(contestants(), {{decode_result(), theirs}}, TableFormat::jsonl));
  std::string line;
  int n_lines = 0;
  while (std::getline(lines, line)) n_lines += nlohmann::json::accept(line);
  EXPECT_EQ(n_lines, 2);
}

TEST(Table, CsvHasAsManyCellsAsNames) {
  std::istringstream lines(render(contestants(), {{prefill_result(), {}}}, TableFormat::csv));
  std::string header, row;
  std::getline(lines, header);
  std::getline(lines, row);
  EXPECT_THAT(row, HasSubstr("\"a \"\"CPU\"\"\""));
  int cells = 0;
  bool is_quoted = false;
  for (const char c : row) {
    if (c == '"') is_quoted = !is_quoted;
    cells += c == ',' && !is_quoted;
  }
  EXPECT_EQ(cells, std::count(header.begin(), header.end(), ','));
}

TEST(Summarise, TellsMiddleAndSpread) {
  const Summary even = summarise({4, 1, 3, 2});
  EXPECT_EQ(even.median, 2.5);
  EXPECT_EQ(even.least, 1);
  EXPECT_EQ(even.most, 4);
  EXPECT_EQ(even.mean, 2.5);
  EXPECT_NEAR(even.deviation, 1.2909944, 1e-6);
  EXPECT_EQ(summarise({}).median, 0);
  EXPECT_EQ(summarise({7}).deviation, 0);
}

}  // namespace
}  // namespace plm::bench
