#include "bench/curve.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/speed.h"

namespace plm::bench {
namespace {

using plot::LinePlot;
using plot::PlotPoint;
using plot::PlotSeries;

using Json = nlohmann::json;

Result<std::vector<Json>> parse_rows(std::string_view text, std::string_view source) {
  const Json whole = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (whole.is_array()) return std::vector<Json>(whole.begin(), whole.end());
  std::vector<Json> rows;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    rows.push_back(Json::parse(line, nullptr, /*allow_exceptions=*/false));
    if (!rows.back().is_object()) {
      return make_error(ErrorKind::bad_data, "{}: line {}: expected an object of JSON", source, rows.size());
    }
  }
  return rows;
}

struct Row {
  SpeedTest test;
  std::string engine, type;
  Summary rate;
  double zero_rate = -1;  // of a peer: not known
};

Result<Row> read_row(const Json& json, std::string_view source) {
  Row row;
  const auto fail = [&](const char* field) {
    return make_error(ErrorKind::bad_data, "{}: field {}: not that of a row of plm bench -o json", source,
                      field);
  };
  for (const auto& [field, to] :
       {std::pair{"n_prompt", &row.test.n_prompt}, std::pair{"n_gen", &row.test.n_generate},
        std::pair{"n_depth", &row.test.depth}, std::pair{"n_sequences", &row.test.n_sequences}}) {
    if (!json.is_object() || !json.contains(field) || !json[field].is_number_integer()) return fail(field);
    *to = json[field].get<int64_t>();
    if (*to < 0 || *to > int64_t{1} << 32) return fail(field);
  }
  for (const auto& [field, to] :
       {std::pair{"median_ts", &row.rate.median}, std::pair{"least_ts", &row.rate.least},
        std::pair{"most_ts", &row.rate.most}}) {
    if (!json.contains(field) || !json[field].is_number()) return fail(field);
    *to = json[field].get<double>();
    if (!(*to > 0)) return fail(field);
  }
  for (const auto& [field, to] : {std::pair{"engine", &row.engine}, std::pair{"model_type", &row.type}}) {
    if (!json.contains(field) || !json[field].is_string()) return fail(field);
    *to = json[field].get<std::string>();
  }
  if (json.contains("zero_rate") && json["zero_rate"].is_number()) {
    row.zero_rate = json["zero_rate"].get<double>();
  }
  return row;
}

// A peer does not count zeros: its row stands beside ours for the same file, which is the row before.
void copy_zero_rates(std::vector<Row>& rows) {
  for (size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].zero_rate < 0) rows[i].zero_rate = rows[i - 1].zero_rate;
  }
}

PlotPoint point_of(const Row& row, CurveAxis axis) {
  switch (axis) {
    case CurveAxis::depth: {
      const auto n = static_cast<double>(row.test.n_sequences);
      return {.x = static_cast<double>(row.test.depth),
              .y = 1e3 * n / row.rate.median,
              .least = 1e3 * n / row.rate.most,
              .most = 1e3 * n / row.rate.least};
    }
    case CurveAxis::zero_rate:
      return {.x = row.zero_rate, .y = row.rate.median, .least = row.rate.least, .most = row.rate.most};
    case CurveAxis::sequences:
      return {.x = static_cast<double>(row.test.n_sequences),
              .y = row.rate.median,
              .least = row.rate.least,
              .most = row.rate.most};
  }
  return {};
}

// What stays the same along a line.
std::string series_name(const Row& row, CurveAxis axis) {
  SpeedTest test = row.test;
  if (axis == CurveAxis::depth) test.depth = 0;
  if (axis == CurveAxis::sequences) test.n_sequences = 1;
  return fmt::format("{}: {}, {}", row.engine, row.type, test.name());
}

}  // namespace

Result<LinePlot> read_curve(std::string_view text, std::string_view source, CurveAxis axis) {
  PLM_TRY(const std::vector<Json> objects, parse_rows(text, source));
  std::vector<Row> rows;
  for (const Json& object : objects) {
    PLM_TRY(Row row, read_row(object, source));
    rows.push_back(std::move(row));
  }
  copy_zero_rates(rows);
  std::map<std::string, std::vector<PlotPoint>> lines;
  for (const Row& row : rows) {
    if (axis == CurveAxis::zero_rate && row.zero_rate < 0) continue;
    lines[series_name(row, axis)].push_back(point_of(row, axis));
  }
  LinePlot plot;
  switch (axis) {
    case CurveAxis::depth:
      plot = {.title = "Time of a token",
              .x_label = "tokens in the cache",
              .y_label = "ms a token",
              .series = {}};
      break;
    case CurveAxis::zero_rate:
      plot = {.title = "Speed over zeros",
              .x_label = "share of zeros of the squared ReLU",
              .y_label = "tokens/s",
              .series = {}};
      break;
    case CurveAxis::sequences:
      plot = {.title = "Sequences together",
              .x_label = "sequences in a step",
              .y_label = "tokens/s of all",
              .series = {}};
      break;
  }
  for (auto& [name, points] : lines) {
    std::sort(points.begin(), points.end(), [](const PlotPoint& a, const PlotPoint& b) { return a.x < b.x; });
    if (points.front().x < points.back().x) plot.series.push_back({name, std::move(points)});
  }
  if (plot.series.empty()) {
    return make_error(ErrorKind::bad_data, "{}: {} rows, but no two that differ in {} alone", source,
                      rows.size(), plot.x_label);
  }
  return plot;
}

StraightLine fit_line(const PlotSeries& series) {
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(series.points.size());
  for (const PlotPoint& p : series.points) {
    mean_x += p.x / n;
    mean_y += p.y / n;
  }
  for (const PlotPoint& p : series.points) {
    xx += (p.x - mean_x) * (p.x - mean_x);
    xy += (p.x - mean_x) * (p.y - mean_y);
  }
  StraightLine line;
  line.slope = xy / xx;
  line.intercept = mean_y - line.slope * mean_x;
  for (const PlotPoint& p : series.points) {
    line.largest_residual =
        std::max(line.largest_residual, std::fabs(line.intercept + line.slope * p.x - p.y) / p.y);
  }
  return line;
}

}  // namespace plm::bench
