#include "bench/table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace plm::bench {
namespace {

using Json = nlohmann::ordered_json;

// Zero stands for what is not known or does not apply.
Json known(double value) { return value > 0 ? Json(value) : Json(); }

Json to_json(const Setting& s, const SpeedResult& result) {
  const Summary rate = result.tokens_per_second(), time = summarise(result.seconds);
  std::vector<int64_t> samples_ns;
  for (const double seconds : result.seconds) samples_ns.push_back(static_cast<int64_t>(seconds * 1e9));
  // Names as in llama-bench where it has them.
  return {{"engine", s.engine},
          {"build_version", s.version},
          {"cpu_info", s.cpu},
          {"backends", s.isa.empty() ? Json() : Json(s.isa)},
          {"model_filename", s.model},
          {"model_type", s.type},
          {"model_size", s.model_bytes},
          {"model_n_params", s.n_parameters},
          {"n_threads", s.n_threads},
          {"type_k", s.cache_type},
          {"n_prompt", result.test.n_prompt},
          {"n_gen", result.test.n_generate},
          {"n_depth", result.test.depth},
          {"n_sequences", result.test.n_sequences},
          {"test_time", s.time},
          {"avg_ns", static_cast<int64_t>(time.mean * 1e9)},
          {"stddev_ns", static_cast<int64_t>(time.deviation * 1e9)},
          {"avg_ts", rate.mean},
          {"stddev_ts", rate.deviation},
          {"median_ts", rate.median},
          {"least_ts", rate.least},
          {"most_ts", rate.most},
          {"zero_rate", result.zero_rate_of_layer.empty() ? Json() : Json(result.zero_rate())},
          {"zero_rate_of_layer", result.zero_rate_of_layer},
          {"bytes_per_token", known(result.bytes_per_token)},
          {"bytes_per_second", known(result.bytes_per_second())},
          {"machine_read_bytes_per_second", known(result.limits.read_bytes.median)},
          {"share_of_bandwidth", known(result.share_of_bandwidth())},
          {"operations_per_second", known(result.operations_per_second())},
          {"machine_int8_operations_per_second", known(result.limits.int8_operations.median)},
          {"share_of_int8_peak", known(result.share_of_int8_peak())},
          {"cache_bytes_per_token", known(static_cast<double>(s.cache_bytes_per_token))},
          {"peak_resident_bytes", s.peak_resident_bytes},
          {"seconds_to_first_token", s.seconds_to_first_token},
          {"samples_ns", samples_ns},
          {"samples_ts", result.rates()}};
}

std::string gib(int64_t bytes) { return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / 0x1p30); }

std::string spread(const Summary& s, int digits) {
  return fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", s.median, digits, s.least, digits, s.most, digits);
}

// Of the layers.
std::string zeros(const SpeedResult& result) {
  std::vector<double> percent;
  for (const double rate : result.zero_rate_of_layer) percent.push_back(100 * rate);
  return percent.empty() ? "-" : spread(summarise(percent), 1);
}

std::string bytes_read(const SpeedResult& result) {
  return result.bytes_per_token > 0 ? fmt::format("{:.0f}", result.bytes_per_token / 1e6) : "-";
}

// What was reached of what the machine could do at the same time.
std::string reached(const SpeedResult& result) {
  if (result.share_of_bandwidth() > 0) {
    return fmt::format("{:.1f} GB/s, {:.0f} % of {:.1f}", result.bytes_per_second() / 1e9,
                       100 * result.share_of_bandwidth(), result.limits.read_bytes.median / 1e9);
  }
  if (result.share_of_int8_peak() > 0) {
    return fmt::format("{:.0f} Gop/s, {:.0f} % of {:.0f}", result.operations_per_second() / 1e9,
                       100 * result.share_of_int8_peak(), result.limits.int8_operations.median / 1e9);
  }
  return "-";
}

// The rate of several sequences beside that of one, where it was measured too.
std::string times_one(const std::vector<ContestResult>& results, const SpeedResult& several) {
  for (const ContestResult& result : results) {
    const SpeedTest &one = result.ours.test, &test = several.test;
    if (one.n_sequences == 1 && test.n_sequences > 1 && one.n_prompt == test.n_prompt &&
        one.n_generate == test.n_generate && one.depth == test.depth) {
      return fmt::format("{:.2f}",
                         several.tokens_per_second().median / result.ours.tokens_per_second().median);
    }
  }
  return "-";
}

bool any_batch(const std::vector<ContestResult>& results) {
  return std::any_of(results.begin(), results.end(),
                     [](const ContestResult& r) { return r.ours.test.n_sequences > 1; });
}

using Rows = std::vector<std::vector<std::string>>;

Rows alone_rows(const Setting& s, const std::vector<ContestResult>& results) {
  Rows rows = {{"model", "size", "params", "backend", "threads", "type_k", "test", "t/s (least-most)",
                "zeros % of layers", "MB/token", "of the machine"}};
  if (any_batch(results)) rows[0].push_back("times one");
  for (const ContestResult& result : results) {
    const SpeedResult& ours = result.ours;
    rows.push_back({s.type, gib(s.model_bytes),
                    s.n_parameters >= 100'000'000
                        ? fmt::format("{:.2f} B", static_cast<double>(s.n_parameters) / 1e9)
                        : fmt::format("{:.2f} M", static_cast<double>(s.n_parameters) / 1e6),
                    s.isa, fmt::format("{}", s.n_threads), s.cache_type, ours.test.name(),
                    spread(ours.tokens_per_second(), 2), zeros(ours), bytes_read(ours), reached(ours)});
    if (any_batch(results)) rows.back().push_back(times_one(results, ours));
  }
  return rows;
}

Rows contest_rows(const Contestants& c, const std::vector<ContestResult>& results) {
  Rows rows = {{"test", c.ours.engine + " t/s (least-most)", c.theirs.engine + " t/s (least-most)",
                fmt::format("{} / {}", c.ours.engine, c.theirs.engine), "zeros % of layers", "MB/token",
                "of the machine"}};
  if (any_batch(results)) rows[0].push_back("times one");
  for (const ContestResult& result : results) {
    rows.push_back({result.ours.test.name(), spread(result.ours.tokens_per_second(), 1),
                    spread(result.theirs->tokens_per_second(), 1), fmt::format("{:.2f}", result.ratio()),
                    zeros(result.ours), bytes_read(result.ours), reached(result.ours)});
    if (any_batch(results)) rows.back().push_back(times_one(results, result.ours));
  }
  return rows;
}

// What belongs to an engine and not to a test.
Rows engine_rows(const Contestants& c, bool has_peer) {
  Rows rows = {{"", "cache bytes a token", "peak memory", "start to first token"}};
  const auto add = [&](const Setting& s) {
    rows.push_back(
        {s.engine,
         s.cache_bytes_per_token > 0 ? fmt::format("{} ({})", s.cache_bytes_per_token, s.cache_type) : "-",
         gib(s.peak_resident_bytes), fmt::format("{:.2f} s", s.seconds_to_first_token)});
  };
  add(c.ours);
  if (!has_peer) return rows;
  add(c.theirs);
  const auto ratio = [](double a, double b) { return a > 0 && b > 0 ? fmt::format("{:.2f}", a / b) : "-"; };
  rows.push_back({fmt::format("{} / {}", c.ours.engine, c.theirs.engine),
                  ratio(static_cast<double>(c.ours.cache_bytes_per_token),
                        static_cast<double>(c.theirs.cache_bytes_per_token)),
                  ratio(static_cast<double>(c.ours.peak_resident_bytes),
                        static_cast<double>(c.theirs.peak_resident_bytes)),
                  ratio(c.ours.seconds_to_first_token, c.theirs.seconds_to_first_token)});
  return rows;
}

// Columns count characters, not bytes.
size_t text_width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string markdown(const Rows& rows) {
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
  if (value.is_null()) return "";
  if (!value.is_string() && !value.is_array()) return value.dump();
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv(const std::vector<Json>& rows) {
  std::string text;
  for (const auto& [key, value] : rows.front().items())
    text += fmt::format("{}{}", text.empty() ? "" : ",", key);
  text += '\n';
  for (const Json& row : rows) {
    std::string line;
    bool is_first = true;
    for (const auto& [key, value] : row.items()) {
      line += (is_first ? "" : ",") + csv_cell(value);
      is_first = false;
    }
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::string render(const Contestants& contestants, const std::vector<ContestResult>& results,
                   TableFormat format) {
  if (results.empty()) return "";
  const bool has_peer = results.front().theirs.has_value();
  if (format == TableFormat::markdown) {
    const Rows rows = has_peer ? contest_rows(contestants, results) : alone_rows(contestants.ours, results);
    return markdown(rows) + "\n" + markdown(engine_rows(contestants, has_peer));
  }
  std::vector<Json> rows;
  for (const ContestResult& result : results) {
    rows.push_back(to_json(contestants.ours, result.ours));
    if (result.theirs) rows.push_back(to_json(contestants.theirs, *result.theirs));
  }
  if (format == TableFormat::csv) return csv(rows);
  if (format == TableFormat::json) return Json(rows).dump(2) + "\n";
  std::string lines;
  for (const Json& row : rows) lines += row.dump() + "\n";
  return lines;
}

}  // namespace plm::bench
