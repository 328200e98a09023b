// Line charts as SVG and as PNG, enough for a loss curve and a schedule.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace plm::train {

struct Series {
  std::string name;
  std::vector<double> x, y;  // of equal length; numbers that are not finite are left out
};

struct Chart {
  std::string title, x_name, y_name;  // letters, digits, '.', '-', '_' and blanks
  std::vector<Series> series;
};

std::string to_svg(const Chart& chart);
std::string to_png(const Chart& chart);  // the bytes of the file

// Writes PATH.svg and PATH.png, each whole or not at all.
Status write_chart(const std::string& path, const Chart& chart);

}  // namespace plm::train
