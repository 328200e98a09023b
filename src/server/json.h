// JSON from strangers: parsed within limits, and read field by field with its range.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plm::server {

using Json = nlohmann::ordered_json;

inline constexpr int kMaxJsonDepth = 64;
inline constexpr size_t kMaxJsonValues = 2'000'000;  // with the keys
inline constexpr size_t kMaxJsonMembers = 1024;      // of one object

// An object. Fails with invalid_argument on anything else, invalid UTF-8, numbers that no double holds,
// brackets nested deeper than kMaxJsonDepth, more than kMaxJsonValues, and objects of more than
// kMaxJsonMembers.
Result<Json> parse_json_object(std::string_view text);

// As text for a reply: bytes that are no UTF-8 become U+FFFD.
std::string dump(const Json& json);

// Reads an object's fields. A field that is null counts as absent. Errors name the field, what was found and
// what is expected. The object must outlive this.
class Fields {
 public:
  // `where` stands before the names in errors: "messages[3]."
  explicit Fields(const Json& object, std::string where = {}) : object_(object), where_(std::move(where)) {}

  bool has(std::string_view name) const { return find(name) != nullptr; }
  // Null when absent.
  const Json* find(std::string_view name) const;

  Result<double> number(std::string_view name, double otherwise, double least, double most) const;
  Result<int64_t> integer(std::string_view name, int64_t otherwise, int64_t least, int64_t most) const;
  Result<bool> boolean(std::string_view name, bool otherwise) const;
  Result<std::string> text(std::string_view name, std::string otherwise) const;

  Error wrong(std::string_view name, std::string_view expected) const;

 private:
  const Json& object_;
  std::string where_;
};

// A number without a fraction, also where it is written 5.0 or 5e0, as JSON Schema has it. None for anything
// else.
std::optional<int64_t> whole_number(const Json& value);

// A short description of a value for an error: its kind, and what it is where that is short.
std::string described(const Json& value);

}  // namespace plm::server
