#include "server/json.h"

#include <cmath>

#include "base/json_shape.h"

namespace plm::server {

Result<Json> parse_json_object(std::string_view text) {
  const JsonShape shape = json_shape(text);
  if (shape.depth > kMaxJsonDepth) {
    return make_error(ErrorKind::invalid_argument, "the body is nested deeper than {} brackets",
                      kMaxJsonDepth);
  }
  if (shape.n_values > kMaxJsonValues) {
    return make_error(ErrorKind::invalid_argument, "the body holds more than {} values", kMaxJsonValues);
  }
  if (shape.most_members > kMaxJsonMembers) {
    return make_error(ErrorKind::invalid_argument, "the body has an object of more than {} members",
                      kMaxJsonMembers);
  }
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return make_error(ErrorKind::invalid_argument, "the body is no valid JSON");
  if (!json.is_object()) {
    return make_error(ErrorKind::invalid_argument, "the body: found {}, expected an object", described(json));
  }
  return json;
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string described(const Json& value) {
  if (value.is_number() || value.is_boolean() || value.is_null()) return dump(value);
  if (value.is_string() && value.get_ref<const std::string&>().size() <= 40) return dump(value);
  return fmt::format("{} {}", value.is_array() || value.is_object() ? "an" : "a", value.type_name());
}

const Json* Fields::find(std::string_view name) const {
  const auto found = object_.find(std::string(name));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

Error Fields::wrong(std::string_view name, std::string_view expected) const {
  const Json* value = find(name);
  return make_error(ErrorKind::invalid_argument, "field {}{}: found {}, expected {}", where_, name,
                    value == nullptr ? "nothing" : described(*value), expected);
}

Result<double> Fields::number(std::string_view name, double otherwise, double least, double most) const {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (number >= least && number <= most) return number;
  return wrong(name, fmt::format("a number from {} to {}", least, most));
}

std::optional<int64_t> whole_number(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto large = value.get<uint64_t>();
    if (large > static_cast<uint64_t>(INT64_MAX)) return {};
    return static_cast<int64_t>(large);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return {};
  const double real = value.get<double>();
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::floor(real) != real || std::abs(real) > kExact) return {};
  return static_cast<int64_t>(real);
}

Result<int64_t> Fields::integer(std::string_view name, int64_t otherwise, int64_t least, int64_t most) const {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  const auto number = whole_number(*value);
  if (number && *number >= least && *number <= most) return *number;
  return wrong(name, fmt::format("a whole number from {} to {}", least, most));
}

Result<bool> Fields::boolean(std::string_view name, bool otherwise) const {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) return wrong(name, "true or false");
  return value->get<bool>();
}

Result<std::string> Fields::text(std::string_view name, std::string otherwise) const {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_string()) return wrong(name, "a string");
  return value->get<std::string>();
}

}  // namespace plm::server
