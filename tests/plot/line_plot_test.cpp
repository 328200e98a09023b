// The plot as a picture.
#include "plot/line_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plm::plot {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(LinePlot, HasAMarkForEachPointAndEscapesNames) {
  const LinePlot plot{.title = "a < b & c",
                      .x_label = "x",
                      .y_label = "y",
                      .series = {{"first <one>", {{0, 1, 1, 1}, {5, 2, 1, 3}}}, {"second", {{1, 7, 7, 7}}}}};
  const std::string svg = plot.to_svg();
  size_t circles = 0;
  for (size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) ++circles;
  EXPECT_EQ(circles, 3U);
  EXPECT_THAT(svg, HasSubstr("a &lt; b &amp; c"));
  EXPECT_THAT(svg, HasSubstr("first &lt;one&gt;"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(LinePlot, AnEmptyPlotIsStillAPicture) {
  const std::string svg = LinePlot{}.to_svg();
  EXPECT_TRUE(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(LinePlot, MarksStandAtRoundNumbers) {
  EXPECT_DOUBLE_EQ(mark_distance(0, 8, 8), 1);
  EXPECT_DOUBLE_EQ(mark_distance(0, 9, 8), 2);
  EXPECT_DOUBLE_EQ(mark_distance(0, 32768, 8), 5000);
  EXPECT_DOUBLE_EQ(mark_distance(0.5, 0.98, 8), 0.1);
}

TEST(LinePlot, TheHeightsMayBeginElsewhere) {
  LinePlot plot{
      .title = "", .x_label = "", .y_label = "", .series = {{"s", {{0, 12, 12, 12}, {5, 13, 13, 13}}}}};
  EXPECT_THAT(plot.to_svg(), HasSubstr(">0</text>"));
  plot.y_from = 11;
  const std::string svg = plot.to_svg();
  EXPECT_THAT(svg, HasSubstr(">11.0</text>"));
  EXPECT_THAT(svg, HasSubstr(">13.0</text>"));
}

}  // namespace
}  // namespace plm::plot
