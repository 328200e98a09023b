#include "convert/json_reader.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/mapped_file.h"

namespace plm::convert {
namespace {

// The largest tokenizer.json in use has some 35 MB.
constexpr size_t kMaxJsonBytes = size_t{512} << 20;
// tokenizer.json needs seven.
constexpr int kMaxJsonDepth = 64;
constexpr size_t kShownBytes = 80;

const Json& empty_object() {
  static const Json empty = Json::object();
  return empty;
}

}  // namespace

std::string shown(std::string_view text) {
  const std::string cut(text.substr(0, kShownBytes));
  const std::string quoted = Json(cut).dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2) + (text.size() > kShownBytes ? "..." : "");
}

Result<Json> parse_json_object(std::string_view text, std::string_view path) {
  bool too_deep = false;
  const Json::parser_callback_t check = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth >= kMaxJsonDepth;
    return !too_deep;
  };
  Json json = Json::parse(text.begin(), text.end(), check, /*allow_exceptions=*/false);
  if (too_deep) {
    return make_error(ErrorKind::bad_data, "{}: found JSON of more than {} levels, expected fewer", path,
                      kMaxJsonDepth);
  }
  if (json.is_discarded() || !json.is_object()) {
    return make_error(ErrorKind::bad_data, "{}: found text that is not a JSON object, expected one", path);
  }
  return json;
}

Result<std::string> read_text_file(const std::string& path) {
  PLM_TRY(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  if (bytes.size() > kMaxJsonBytes) {
    return make_error(ErrorKind::bad_data, "{}: found {} bytes, expected at most {}", path, bytes.size(),
                      kMaxJsonBytes);
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<Json> read_json_object(const std::string& path) {
  PLM_TRY(const std::string text, read_text_file(path));
  return parse_json_object(text, path);
}

Result<Json> read_json_object_if_there(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return empty_object();
  return read_json_object(path);
}

std::optional<int64_t> to_count(const Json& json) {
  // Unsigned numbers of JSON include all that are not negative.
  if (!json.is_number_unsigned()) return std::nullopt;
  const auto value = json.get<uint64_t>();
  if (value > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  return static_cast<int64_t>(value);
}

const Json* JsonFields::find(std::string_view key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

Error JsonFields::wrong(std::string_view key, const Json& found, std::string_view expected) const {
  const std::string text = found.is_structured()
                               ? std::string(found.type_name())
                               : found.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  return make_error(ErrorKind::bad_data, "{}: field {}: found {}, expected {}", path_, key,
                    text.size() > kShownBytes ? text.substr(0, kShownBytes) + "..." : text, expected);
}

Error JsonFields::missing(std::string_view key) const {
  return make_error(ErrorKind::bad_data, "{}: field {}: not found", path_, key);
}

Result<int64_t> JsonFields::size(std::string_view key) const {
  const Json* json = find(key);
  if (json == nullptr) return missing(key);
  const auto value = to_count(*json);
  if (!value || *value < 1 || *value > kLargestSize) {
    return wrong(key, *json, fmt::format("an integer from 1 to {}", kLargestSize));
  }
  return *value;
}

Result<int64_t> JsonFields::size_or(std::string_view key, int64_t absent) const {
  if (find(key) == nullptr) return absent;
  return size(key);
}

Result<double> JsonFields::positive(std::string_view key) const {
  const Json* json = find(key);
  if (json == nullptr) return missing(key);
  const double value = json->is_number() ? json->get<double>() : 0;
  if (!(value > 0) || !std::isfinite(static_cast<float>(value))) {
    return wrong(key, *json, "a positive number");
  }
  return value;
}

Result<double> JsonFields::positive_or(std::string_view key, double absent) const {
  if (find(key) == nullptr) return absent;
  return positive(key);
}

Result<bool> JsonFields::boolean_or(std::string_view key, bool absent) const {
  const Json* json = find(key);
  if (json == nullptr) return absent;
  if (!json->is_boolean()) return wrong(key, *json, "true or false");
  return json->get<bool>();
}

Result<std::string> JsonFields::string_or(std::string_view key, std::string_view absent) const {
  const Json* json = find(key);
  if (json == nullptr) return std::string(absent);
  if (!json->is_string()) return wrong(key, *json, "a string");
  return json->get<std::string>();
}

Result<JsonFields> JsonFields::object(std::string_view key) const {
  const Json* json = find(key);
  if (json == nullptr) return JsonFields(empty_object(), path_);
  if (!json->is_object()) return wrong(key, *json, "an object");
  return JsonFields(*json, fmt::format("{}: {}", path_, key));
}

Status JsonFields::expect_string(std::string_view key, std::string_view expected) const {
  const Json* json = find(key);
  if (json == nullptr || (json->is_string() && json->get_ref<const std::string&>() == expected)) return {};
  return wrong(key, *json, fmt::format("\"{}\"", expected));
}

Status JsonFields::expect_boolean(std::string_view key, bool expected) const {
  const Json* json = find(key);
  if (json == nullptr || (json->is_boolean() && json->get<bool>() == expected)) return {};
  return wrong(key, *json, expected ? "true" : "false");
}

Status JsonFields::expect_absent(std::string_view key, std::string_view why) const {
  const Json* json = find(key);
  return json == nullptr ? Status() : wrong(key, *json, fmt::format("null ({})", why));
}

}  // namespace plm::convert
