// How speed depends on something: the rows of plm bench -o json or jsonl, of one run or of many put
// together, as lines of a plot.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "plot/line_plot.h"

namespace plm::bench {

enum class CurveAxis {
  depth,      // milliseconds a token over tokens in the cache
  zero_rate,  // tokens a second over the share of zeros
  sequences,  // tokens a second of all over sequences in a step
};

// A line for each engine, model type and kind of test, those of one point left out. `source` is for
// messages. Fails with bad_data when a row is not of plm bench, or when nothing varies.
Result<plot::LinePlot> read_curve(std::string_view rows, std::string_view source, CurveAxis axis);

// Least squares through the points of a series (at least two different x): y = intercept + slope x.
struct StraightLine {
  double intercept = 0, slope = 0;
  double largest_residual = 0;  // of a point, in shares of its y
};
StraightLine fit_line(const plot::PlotSeries& series);

}  // namespace plm::bench
