#include "bench/table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/aligned_buffer.h"

namespace plm::bench {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Setting& s, const SpeedResult& result) {
  const std::vector<double> rates = result.tokens_per_second();
  const Summary rate = summarise(rates);
  std::vector<int64_t> samples_ns;
  for (const double seconds : result.seconds) samples_ns.push_back(static_cast<int64_t>(seconds * 1e9));
  const Summary time = summarise(result.seconds);
  // Names as in llama-bench where it has them.
  return {{"build_version", s.version},
          {"cpu_info", s.cpu},
          {"backends", s.isa},
          {"model_filename", s.model},
          {"model_type", s.type},
          {"model_size", s.model_bytes},
          {"model_n_params", s.n_parameters},
          {"n_threads", s.n_threads},
          {"type_k", s.cache_type},
          {"n_prompt", result.test.n_prompt},
          {"n_gen", result.test.n_generate},
          {"n_depth", result.test.depth},
          {"test_time", s.time},
          {"avg_ns", static_cast<int64_t>(time.mean * 1e9)},
          {"stddev_ns", static_cast<int64_t>(time.deviation * 1e9)},
          {"avg_ts", rate.mean},
          {"stddev_ts", rate.deviation},
          {"median_ts", rate.median},
          {"zero_rate", result.zero_rate()},
          {"zero_rate_of_layer", result.zero_rate_of_layer},
          {"bytes_per_token", result.bytes_per_token},
          {"bytes_per_second", result.bytes_per_token * rate.median},
          {"cache_bytes_per_token", s.cache_bytes_per_token},
          {"peak_resident_bytes", peak_resident_bytes()},
          {"samples_ns", samples_ns},
          {"samples_ts", rates}};
}

std::string gib(double bytes) { return fmt::format("{:.2f} GiB", bytes / 0x1p30); }

std::vector<std::vector<std::string>> markdown_cells(const Setting& s,
                                                     const std::vector<SpeedResult>& results) {
  std::vector<std::vector<std::string>> rows = {{"model", "size", "params", "backend", "threads", "type_k",
                                                 "test", "t/s", "zeros", "GB/s", "cache B/token",
                                                 "peak memory"}};
  for (const SpeedResult& result : results) {
    const Summary rate = summarise(result.tokens_per_second());
    rows.push_back(
        {s.type, gib(static_cast<double>(s.model_bytes)),
         s.n_parameters >= 100'000'000 ? fmt::format("{:.2f} B", static_cast<double>(s.n_parameters) / 1e9)
                                       : fmt::format("{:.2f} M", static_cast<double>(s.n_parameters) / 1e6),
         s.isa, fmt::format("{}", s.n_threads), s.cache_type, result.test.name(),
         fmt::format("{:.2f} ± {:.2f}", rate.mean, rate.deviation),
         fmt::format("{:.1f} %", 100 * result.zero_rate()),
         result.bytes_per_token > 0 ? fmt::format("{:.1f}", result.bytes_per_token * rate.median / 1e9) : "-",
         fmt::format("{}", s.cache_bytes_per_token), gib(static_cast<double>(peak_resident_bytes()))});
  }
  return rows;
}

// Columns count characters, not bytes: "±" is one.
size_t text_width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string markdown(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t i = 0; i < rows[r].size(); ++i) {
      text += fmt::format("| {}{} ", rows[r][i], std::string(widths[i] - text_width(rows[r][i]), ' '));
    }
    text += "|\n";
    if (r > 0) continue;
    for (const size_t width : widths) text += fmt::format("| {} ", std::string(width, '-'));
    text += "|\n";
  }
  return text;
}

std::string csv_cell(const Json& value) {
  if (!value.is_string() && !value.is_array()) return value.dump();
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv(const std::vector<Json>& rows) {
  std::string text;
  for (const auto& [key, value] : rows.front().items())
    text += fmt::format("{}{}", text.empty() ? "" : ",", key);
  text += "\n";
  for (const Json& row : rows) {
    std::string line;
    for (const auto& [key, value] : row.items())
      line += fmt::format("{}{}", line.empty() ? "" : ",", csv_cell(value));
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::string render(const Setting& setting, const std::vector<SpeedResult>& results, TableFormat format) {
  if (results.empty()) return "";
  if (format == TableFormat::markdown) return markdown(markdown_cells(setting, results));
  std::vector<Json> rows;
  for (const SpeedResult& result : results) rows.push_back(to_json(setting, result));
  if (format == TableFormat::csv) return csv(rows);
  if (format == TableFormat::json) return Json(rows).dump(2) + "\n";
  std::string lines;
  for (const Json& row : rows) lines += row.dump() + "\n";
  return lines;
}

}  // namespace plm::bench
