// A plot of lines with spread, as an SVG picture that needs nothing but a browser.
#pragma once

#include <string>
#include <vector>

namespace plm::plot {

struct PlotPoint {
  double x = 0, y = 0;
  double least = 0, most = 0;  // spread of y, drawn as a bar
};

struct PlotSeries {
  std::string name;
  std::vector<PlotPoint> points;  // by ascending x
};

struct LinePlot {
  std::string title, x_label, y_label;
  std::vector<PlotSeries> series;

  double y_from = 0;  // where the y axis begins: from 0 heights can be compared; no point lies below

  // Names may hold any characters.
  std::string to_svg() const;
};

// A distance between marks of 1, 2 or 5 times a power of ten that gives at most `most_marks` from 0 (or
// from `least`) to `largest`.
double mark_distance(double least, double largest, int most_marks);

}  // namespace plm::plot
