#include "plot/line_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace plm::plot {
namespace {

constexpr double kWidth = 760, kHeight = 440;
constexpr double kLeft = 70, kRight = 20, kTop = 44, kBottom = 56;
constexpr int kMostMarks = 8;

// Distinct for colour-blind eyes too (Okabe and Ito).
constexpr std::array kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

struct Axis {
  double least = 0, most = 1, mark = 1;
  double from = 0, to = 1;  // in the picture

  double at(double value) const { return from + (to - from) * (value - least) / (most - least); }
};

Axis make_axis(double least, double largest, double from, double to) {
  if (!(largest > least)) largest = least + 1;
  const double mark = mark_distance(least, largest, kMostMarks);
  return {.least = std::floor(least / mark) * mark,
          .most = std::ceil(largest / mark - 1e-9) * mark,
          .mark = mark,
          .from = from,
          .to = to};
}

std::string mark_text(double value, double mark) {
  const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(mark) + 1e-9)));
  return fmt::format("{:.{}f}", std::fabs(value) < mark / 2 ? 0.0 : value, digits);
}

std::string frame(const LinePlot& plot, const Axis& x, const Axis& y) {
  std::string svg;
  const auto marks = [](const Axis& axis) {
    return static_cast<int>(std::lround((axis.most - axis.least) / axis.mark));
  };
  for (int i = 0; i <= marks(y); ++i) {
    const double value = y.least + i * y.mark;
    svg += fmt::format("<line x1='{}' x2='{}' y1='{:.1f}' y2='{:.1f}' stroke='#ddd'/>\n", x.from, x.to,
                       y.at(value), y.at(value));
    svg += fmt::format("<text x='{}' y='{:.1f}' text-anchor='end'>{}</text>\n", x.from - 8, y.at(value) + 4,
                       mark_text(value, y.mark));
  }
  for (int i = 0; i <= marks(x); ++i) {
    const double value = x.least + i * x.mark;
    svg += fmt::format("<line x1='{:.1f}' x2='{:.1f}' y1='{}' y2='{}' stroke='#888'/>\n", x.at(value),
                       x.at(value), y.from, y.from + 5);
    svg += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{}</text>\n", x.at(value), y.from + 20,
                       mark_text(value, x.mark));
  }
  svg += fmt::format("<line x1='{}' x2='{}' y1='{}' y2='{}' stroke='#888'/>\n", x.from, x.to, y.from, y.from);
  svg += fmt::format("<text x='{}' y='24' font-size='15' font-weight='bold'>{}</text>\n", x.from,
                     escaped(plot.title));
  svg += fmt::format("<text x='{}' y='{}' text-anchor='middle'>{}</text>\n", (x.from + x.to) / 2,
                     kHeight - 14, escaped(plot.x_label));
  svg += fmt::format("<text transform='translate(18 {}) rotate(-90)' text-anchor='middle'>{}</text>\n",
                     (y.from + y.to) / 2, escaped(plot.y_label));
  return svg;
}

std::string line(const PlotSeries& series, const char* colour, const Axis& x, const Axis& y) {
  std::string svg, path;
  for (const PlotPoint& p : series.points) {
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "" : " ", x.at(p.x), y.at(p.y));
  }
  svg += fmt::format("<polyline points='{}' fill='none' stroke='{}' stroke-width='2'/>\n", path, colour);
  for (const PlotPoint& p : series.points) {
    svg += fmt::format("<line x1='{0:.1f}' x2='{0:.1f}' y1='{1:.1f}' y2='{2:.1f}' stroke='{3}'/>\n",
                       x.at(p.x), y.at(p.least), y.at(p.most), colour);
    svg += fmt::format(
        "<circle cx='{:.1f}' cy='{:.1f}' r='3.5' fill='{}'><title>{}: {:.4g}, {:.4g} ({:.4g} to "
        "{:.4g})</title></circle>\n",
        x.at(p.x), y.at(p.y), colour, escaped(series.name), p.x, p.y, p.least, p.most);
  }
  return svg;
}

}  // namespace

double mark_distance(double least, double largest, int most_marks) {
  const double wanted = (largest - least) / most_marks;
  const double power = std::pow(10, std::floor(std::log10(wanted)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (step * power >= wanted * (1 - 1e-9)) return step * power;
  }
  return 10 * power;
}

std::string LinePlot::to_svg() const {
  double least_x = HUGE_VAL, most_x = -HUGE_VAL, most_y = y_from;
  for (const PlotSeries& one : series) {
    for (const PlotPoint& p : one.points) {
      least_x = std::min(least_x, p.x);
      most_x = std::max(most_x, p.x);
      most_y = std::max({most_y, p.y, p.most});
    }
  }
  if (least_x > most_x) least_x = most_x = 0;
  const Axis x = make_axis(least_x, most_x, kLeft, kWidth - kRight);
  // Room for a legend above the lines.
  const double legend = 18.0 * static_cast<double>(series.size());
  const Axis y = make_axis(y_from, most_y, kHeight - kBottom, kTop + legend);
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' width='{0}' height='{1}' "
      "font-family='sans-serif' font-size='12'>\n<rect width='{0}' height='{1}' fill='#fff'/>\n",
      kWidth, kHeight);
  svg += frame(*this, x, y);
  for (size_t i = 0; i < series.size(); ++i) {
    const char* colour = kColours[i % kColours.size()];
    const double at = kTop + 18.0 * static_cast<double>(i);
    svg += line(series[i], colour, x, y);
    svg += fmt::format(
        "<line x1='{}' x2='{}' y1='{}' y2='{}' stroke='{}' stroke-width='2'/><text x='{}' y='{}'>{}</text>\n",
        kLeft, kLeft + 24, at, at, colour, kLeft + 32, at + 4, escaped(series[i].name));
  }
  return svg + "</svg>\n";
}

}  // namespace plm::plot
