// Values as text: str(), repr(), JSON, and "%s" % value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jinja/budget.h"
#include "jinja/value.h"

namespace plm::jinja {

Result<std::string> str(const Value& value, Budget& budget);
Result<std::string> repr(const Value& value, Budget& budget);

struct JsonStyle {
  bool ascii_only = false;
  bool sort_keys = false;
  std::optional<std::string> indent = {};  // written once for each level; none: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
// json.dumps. Fails on what JSON cannot hold.
Result<std::string> to_json(const Value& value, const JsonStyle& style, Budget& budget);

// Python's printf: a tuple gives several values, a dict those of %(name)s.
Result<Value> format_percent(std::string_view pattern, const Value& values, Budget& budget);

}  // namespace plm::jinja
