#include "quantize/legacy_importance.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/atomic_file.h"
#include "gguf/value.h"

namespace plm::quantize {
namespace {

constexpr int32_t kMostNameBytes = 4096;
constexpr float kMostRows = 1 << 30;

// Takes little-endian numbers and bytes from the front of a file, as long as there are some.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }

  std::optional<int32_t> take_int() {
    if (rest_.size() < sizeof(int32_t)) return std::nullopt;
    int32_t value = 0;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }

  std::optional<std::string_view> take_bytes(int64_t n) {
    if (n < 0 || static_cast<uint64_t>(n) > rest_.size()) return std::nullopt;
    const std::string_view taken = rest_.substr(0, static_cast<size_t>(n));
    rest_.remove_prefix(static_cast<size_t>(n));
    return taken;
  }

 private:
  std::string_view rest_;
};

Error cut_short(const std::string& name, std::string_view what) {
  return make_error(ErrorKind::bad_data, "{}: found the end of the file, expected {}", name, what);
}

Result<std::string_view> take_name(Cursor& cursor, const std::string& name, std::string_view what) {
  const auto length = cursor.take_int();
  const auto text = length && *length <= kMostNameBytes ? cursor.take_bytes(*length) : std::nullopt;
  if (!text) return cut_short(name, what);
  return *text;
}

Status take_entry(Cursor& cursor, const std::string& name, Importance& importance) {
  PLM_TRY(const std::string_view tensor, take_name(cursor, name, "the name of a tensor"));
  const auto calls = cursor.take_int();
  const auto n_values = cursor.take_int();
  if (!calls || !n_values || *n_values < 1) return cut_short(name, "the number of values of a tensor");
  const auto values = cursor.take_bytes(int64_t{*n_values} * static_cast<int64_t>(sizeof(float)));
  if (!values)
    return cut_short(name, fmt::format("{} values of tensor {}", *n_values, gguf::printable(tensor)));
  InputStatistics statistics;
  statistics.sums.resize(static_cast<size_t>(*n_values));
  std::memcpy(statistics.sums.data(), values->data(), values->size());
  statistics.counts = {static_cast<float>(std::max(*calls, 1))};
  for (const float value : statistics.sums) {
    if (!(value >= 0) || !std::isfinite(value)) {
      return make_error(ErrorKind::bad_data, "{}: tensor {}: found {}, expected finite numbers from 0 on",
                        name, gguf::printable(tensor), value);
    }
  }
  importance.tensors[std::string(tensor)] = std::move(statistics);
  return {};
}

void append_int(std::string& out, int64_t value) {
  const auto number = static_cast<int32_t>(value);
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  out.append(bytes, sizeof bytes);
}

void append_entry(std::string& out, const std::string& name, const InputStatistics& statistics,
                  uint32_t chunk_tokens) {
  // As many rows as calls can be told of: a file may say anything.
  const float most =
      std::min(*std::max_element(statistics.counts.begin(), statistics.counts.end()), kMostRows);
  const auto chunk = static_cast<int64_t>(std::max<uint32_t>(chunk_tokens, 1));
  const int64_t calls = (static_cast<int64_t>(most) + chunk - 1) / chunk;
  append_int(out, static_cast<int64_t>(name.size()));
  out += name;
  append_int(out, calls);
  append_int(out, static_cast<int64_t>(statistics.sums.size()));
  for (const float mean : statistics.mean_squares()) {
    const float value = mean * static_cast<float>(calls);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out.append(bytes, sizeof bytes);
  }
}

}  // namespace

Result<Importance> parse_legacy_importance(std::string_view bytes, const std::string& name) {
  Cursor cursor(bytes);
  const auto n_entries = cursor.take_int();
  if (!n_entries || *n_entries < 1) {
    return make_error(ErrorKind::bad_data, "{}: found no entries, expected an importance matrix", name);
  }
  Importance importance;
  importance.was_legacy = true;
  for (int32_t i = 0; i < *n_entries; ++i) PLM_TRY_STATUS(take_entry(cursor, name, importance));
  if (cursor.at_end()) return importance;  // the oldest files end here
  const auto n_chunks = cursor.take_int();
  if (!n_chunks) return cut_short(name, "the number of chunks");
  importance.n_chunks = static_cast<uint32_t>(std::max(*n_chunks, 0));
  if (cursor.at_end()) return importance;
  PLM_TRY(const std::string_view dataset, take_name(cursor, name, "the name of the data set"));
  if (!dataset.empty()) importance.datasets.emplace_back(dataset);
  return importance;
}

std::string encode_legacy_importance(const Importance& importance) {
  std::string out;
  append_int(out, static_cast<int64_t>(importance.tensors.size()));
  for (const auto& [name, statistics] : importance.tensors) {
    append_entry(out, name, statistics, importance.chunk_tokens);
  }
  append_int(out, importance.n_chunks);
  const std::string dataset = importance.datasets.empty() ? "" : importance.datasets.back();
  append_int(out, static_cast<int64_t>(dataset.size()));
  return out + dataset;
}

Status write_legacy_importance(const std::string& path, const Importance& importance) {
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  PLM_TRY_STATUS(file.write(encode_legacy_importance(importance)));
  return file.commit();
}

}  // namespace plm::quantize
