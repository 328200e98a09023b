// Results as lines of a plot, and the plot as a picture.
#include "bench/curve.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plm::bench {
namespace {

using plot::PlotSeries;
using ::testing::HasSubstr;

std::string row(const std::string& engine, int64_t depth, double rate, const std::string& zeros = "0.9",
                int64_t n_sequences = 1) {
  return fmt::format(
      R"({{"engine":"{}","model_type":"plm Q4_0","n_prompt":0,"n_gen":32,"n_depth":{},"n_sequences":{},)"
      R"("median_ts":{},"least_ts":{},"most_ts":{},"zero_rate":{}}})"
      "\n",
      engine, depth, n_sequences, rate, rate * 0.9, rate * 1.1, zeros);
}

TEST(Curve, DepthGivesMillisecondsATokenByEngine) {
  const auto plot = read_curve(row("plm", 2048, 50) + row("plm", 0, 100) + row("llama.cpp", 0, 40) +
                                   row("llama.cpp", 2048, 20) + row("other", 0, 1),
                               "rows", CurveAxis::depth);
  ASSERT_TRUE(plot.ok()) << plot.error().message;
  ASSERT_EQ(plot->series.size(), 2U) << "of one point there is no line";
  EXPECT_EQ(plot->series[0].name, "llama.cpp: plm Q4_0, tg32");
  EXPECT_EQ(plot->series[1].name, "plm: plm Q4_0, tg32");
  const auto& points = plot->series[1].points;
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].x, 0);
  EXPECT_DOUBLE_EQ(points[0].y, 10);
  EXPECT_DOUBLE_EQ(points[1].y, 20);
  EXPECT_LT(points[0].least, points[0].y);
  EXPECT_GT(points[0].most, points[0].y);
}

TEST(Curve, ZerosOfAPeerAreThoseOfTheRowBefore) {
  const auto plot = read_curve(row("plm", 0, 60, "0.5") + row("llama.cpp", 0, 40, "null") +
                                   row("plm", 0, 90, "0.9") + row("llama.cpp", 0, 41, "null"),
                               "rows", CurveAxis::zero_rate);
  ASSERT_TRUE(plot.ok()) << plot.error().message;
  ASSERT_EQ(plot->series.size(), 2U);
  EXPECT_DOUBLE_EQ(plot->series[0].points[1].x, 0.9);
  EXPECT_DOUBLE_EQ(plot->series[0].points[1].y, 41);
}

TEST(Curve, SequencesAreTheRateOfAll) {
  const auto plot =
      read_curve(row("plm", 0, 60, "0.9", 1) + row("plm", 0, 240, "0.9", 8), "rows", CurveAxis::sequences);
  ASSERT_TRUE(plot.ok()) << plot.error().message;
  EXPECT_DOUBLE_EQ(plot->series[0].points[1].x, 8);
  EXPECT_DOUBLE_EQ(plot->series[0].points[1].y, 240);
}

TEST(Curve, ReadsAnArrayAsWellAsLines) {
  std::string rows = row("plm", 0, 60) + "," + row("plm", 10, 50);
  EXPECT_TRUE(read_curve("[" + rows + "]", "rows", CurveAxis::depth).ok());
}

TEST(Curve, RefusesWhatIsNoResult) {
  for (const std::string wrong :
       {"", "x", "[]", "{}", "[1]", "{\"n_prompt\":\"a\"}", "null\n", "[{}]", "{\n}", "\xff"}) {
    const auto plot = read_curve(wrong, "rows", CurveAxis::depth);
    ASSERT_FALSE(plot.ok()) << wrong;
    EXPECT_THAT(plot.error().message, HasSubstr("rows")) << wrong;
    EXPECT_EQ(plot.error().kind, ErrorKind::bad_data);
  }
  EXPECT_FALSE(read_curve(row("plm", 0, 60) + row("plm", 0, 61), "rows", CurveAxis::depth).ok())
      << "nothing varies";
  EXPECT_FALSE(read_curve(row("plm", 0, -1) + row("plm", 5, 61), "rows", CurveAxis::depth).ok());
}

TEST(Curve, FitsAStraightLine) {
  const PlotSeries exact{"", {{.x = 0, .y = 10}, {.x = 1000, .y = 12}, {.x = 4000, .y = 18}}};
  const StraightLine line = fit_line(exact);
  EXPECT_NEAR(line.intercept, 10, 1e-12);
  EXPECT_NEAR(line.slope, 0.002, 1e-15);
  EXPECT_NEAR(line.largest_residual, 0, 1e-12);
  const PlotSeries bent{"", {{.x = 0, .y = 10}, {.x = 1, .y = 10}, {.x = 2, .y = 16}}};
  EXPECT_NEAR(fit_line(bent).largest_residual, 0.2, 1e-12);
}

}  // namespace
}  // namespace plm::bench
