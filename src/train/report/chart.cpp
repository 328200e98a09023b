#include "train/report/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/atomic_file.h"
#include "train/report/raster.h"

namespace plm::train {
namespace {

constexpr int kWidth = 900, kHeight = 540;
constexpr int kLeft = 90, kRight = 20, kTop = 40, kBottom = 60;
constexpr std::array<Color, 4> kColors{{{31, 119, 180}, {214, 39, 40}, {44, 160, 44}, {148, 103, 189}}};
constexpr Color kInk{60, 60, 60};
constexpr Color kGrid{225, 225, 225};
constexpr int kTicks = 5;

// From numbers to places in the picture.
struct Frame {
  double x_min = std::numeric_limits<double>::infinity(), x_max = -x_min;
  double y_min = x_min, y_max = -x_min;

  explicit Frame(const Chart& chart) {
    for (const Series& series : chart.series) {
      for (size_t i = 0; i < series.x.size(); ++i) {
        if (!std::isfinite(series.x[i]) || !std::isfinite(series.y[i])) continue;
        x_min = std::min(x_min, series.x[i]);
        x_max = std::max(x_max, series.x[i]);
        y_min = std::min(y_min, series.y[i]);
        y_max = std::max(y_max, series.y[i]);
      }
    }
    if (!(x_max > x_min)) x_min = std::isfinite(x_min) ? x_min : 0, x_max = x_min + 1;
    if (!(y_max > y_min)) y_min = std::isfinite(y_min) ? y_min : 0, y_max = y_min + 1;
  }
  double x(double value) const {
    return kLeft + (value - x_min) / (x_max - x_min) * (kWidth - kLeft - kRight);
  }
  double y(double value) const {
    return kHeight - kBottom - (value - y_min) / (y_max - y_min) * (kHeight - kTop - kBottom);
  }
};

double tick(double low, double high, int i) { return low + (high - low) * i / kTicks; }

// Calls draw(x0, y0, x1, y1) for each stretch between two neighbours that are both there.
template <class Draw>
void for_each_stretch(const Series& series, const Frame& frame, Draw&& draw) {
  for (size_t i = 1; i < series.x.size(); ++i) {
    if (!std::isfinite(series.y[i]) || !std::isfinite(series.y[i - 1])) continue;
    draw(frame.x(series.x[i - 1]), frame.y(series.y[i - 1]), frame.x(series.x[i]), frame.y(series.y[i]));
  }
}

std::string label(double value) { return fmt::format("{:.4g}", value); }

}  // namespace

std::string to_png(const Chart& chart) {
  const Frame frame(chart);
  Raster raster(kWidth, kHeight);
  for (int i = 0; i <= kTicks; ++i) {
    const double x = tick(frame.x_min, frame.x_max, i);
    const double y = tick(frame.y_min, frame.y_max, i);
    raster.line(frame.x(x), kTop, frame.x(x), kHeight - kBottom, kGrid);
    raster.line(kLeft, frame.y(y), kWidth - kRight, frame.y(y), kGrid);
    const auto x_text = label(x);
    const auto y_text = label(y);
    raster.text(static_cast<int>(frame.x(x)) - kLetterWidth * static_cast<int>(x_text.size()) / 2,
                kHeight - kBottom + 8, x_text, kInk);
    raster.text(kLeft - 8 - kLetterWidth * static_cast<int>(y_text.size()),
                static_cast<int>(frame.y(y)) - kLetterHeight / 2, y_text, kInk);
  }
  raster.text(kLeft, 8, chart.title, kInk);
  raster.text(kWidth / 2, kHeight - 20, chart.x_name, kInk);
  raster.text(8, kTop - 16, chart.y_name, kInk);
  for (size_t s = 0; s < chart.series.size(); ++s) {
    const Color color = kColors[s % kColors.size()];
    for_each_stretch(chart.series[s], frame, [&](double x0, double y0, double x1, double y1) {
      raster.line(x0, y0, x1, y1, color);
      raster.line(x0, y0 + 1, x1, y1 + 1, color);
    });
    raster.text(kWidth - 220, kTop + 8 + 14 * static_cast<int>(s), chart.series[s].name, color);
  }
  return raster.png();
}

std::string to_svg(const Chart& chart) {
  const Frame frame(chart);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
      kWidth, kHeight);
  for (int i = 0; i <= kTicks; ++i) {
    const double x = tick(frame.x_min, frame.x_max, i);
    const double y = tick(frame.y_min, frame.y_max, i);
    svg += fmt::format("<path d=\"M{0:.1f} {1}V{2}M{3} {4:.1f}H{5}\" stroke=\"#e1e1e1\"/>\n", frame.x(x),
                       kTop, kHeight - kBottom, kLeft, frame.y(y), kWidth - kRight);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", frame.x(x),
                       kHeight - kBottom + 18, label(x));
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeft - 8,
                       frame.y(y) + 4, label(y));
  }
  svg += fmt::format(
      "<text x=\"{}\" y=\"20\">{}</text>\n<text x=\"{}\" y=\"{}\">{}</text>\n<text x=\"8\" "
      "y=\"{}\">{}</text>\n",
      kLeft, chart.title, kWidth / 2, kHeight - 12, chart.x_name, kTop - 8, chart.y_name);
  for (size_t s = 0; s < chart.series.size(); ++s) {
    const Color c = kColors[s % kColors.size()];
    const std::string color = fmt::format("rgb({},{},{})", c.red, c.green, c.blue);
    std::string path;
    for_each_stretch(chart.series[s], frame, [&](double x0, double y0, double x1, double y1) {
      path += fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}", x0, y0, x1, y1);
    });
    svg += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>\n", path, color);
    svg += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n", kWidth - 220, kTop + 16 + 16 * s,
                       color, chart.series[s].name);
  }
  return svg + "</svg>\n";
}

Status write_chart(const std::string& path, const Chart& chart) {
  PLM_TRY(AtomicFile svg, AtomicFile::create(path + ".svg"));
  PLM_TRY_STATUS(svg.write(to_svg(chart)));
  PLM_TRY_STATUS(svg.commit());
  PLM_TRY(AtomicFile png, AtomicFile::create(path + ".png"));
  PLM_TRY_STATUS(png.write(to_png(chart)));
  return png.commit();
}

}  // namespace plm::train
