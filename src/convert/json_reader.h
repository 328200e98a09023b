// JSON files of strangers (config.json, tokenizer.json): parsed with limits, read with checked types. Nothing
// here throws. Internal to the folder.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plm::convert {

// Sorted keys, not nlohmann::ordered_json: that one searches linearly, and a vocabulary has many keys.
using Json = nlohmann::json;

// No count or width of a model is larger; products of a few stay far below 2^63.
inline constexpr int64_t kLargestSize = int64_t{1} << 24;

// One object, of limited depth and size. `path` is for messages, which begin with it.
Result<Json> parse_json_object(std::string_view text, std::string_view path);
Result<Json> read_json_object(const std::string& path);

// The same, but a file that is not there gives an empty object.
Result<Json> read_json_object_if_there(const std::string& path);

// The whole of a text file of at most kMaxJsonBytes.
Result<std::string> read_text_file(const std::string& path);

// A name or value for a message: one line of plain ASCII, cut when long.
std::string shown(std::string_view text);

// The fields of an object; errors name the file and the field. A field that is null counts as absent. The
// object must outlive the view.
class JsonFields {
 public:
  JsonFields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}

  const Json* find(std::string_view key) const;  // null when absent
  const std::string& path() const { return path_; }

  // Integers from 1 to kLargestSize.
  Result<int64_t> size(std::string_view key) const;
  Result<int64_t> size_or(std::string_view key, int64_t absent) const;
  // Finite and above 0.
  Result<double> positive(std::string_view key) const;
  Result<double> positive_or(std::string_view key, double absent) const;
  Result<bool> boolean_or(std::string_view key, bool absent) const;
  Result<std::string> string_or(std::string_view key, std::string_view absent) const;
  // The fields of an object within; of an absent one there are none.
  Result<JsonFields> object(std::string_view key) const;

  // Refuses a field that is there and is not `expected`, the only value that can be converted.
  Status expect_string(std::string_view key, std::string_view expected) const;
  Status expect_boolean(std::string_view key, bool expected) const;
  Status expect_absent(std::string_view key, std::string_view why) const;

  // "path: field key: found .., expected .."
  Error wrong(std::string_view key, const Json& found, std::string_view expected) const;
  Error missing(std::string_view key) const;

 private:
  const Json& object_;
  std::string path_;
};

// An integer of at least 0 that an id or a count can be; nothing for anything else.
std::optional<int64_t> to_count(const Json& json);

}  // namespace plm::convert
