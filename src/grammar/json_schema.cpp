#include "grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/json_shape.h"
#include "grammar/json_numbers.h"
#include "grammar/json_text.h"
#include "grammar/json_values.h"
#include "grammar/regex.h"
#include "grammar/schema_formats.h"

namespace plm::grammar {

namespace {

using Json = nlohmann::ordered_json;
using Keys = std::set<std::string_view>;

constexpr int64_t kMaxSchemas = 10'000;
constexpr int64_t kMostDivisor = 1000;  // each remainder is a rule
constexpr int64_t kMaxMerged = 256;     // each copies its schemas
constexpr size_t kMaxKeyBytes = 256;    // of keys that others must differ from

// Keywords that say nothing of what is valid. Words nobody knows say nothing either.
const Keys& constraint_keywords() {
  static const Keys kKeywords = {"$ref",
                                 "$dynamicRef",
                                 "allOf",
                                 "anyOf",
                                 "oneOf",
                                 "not",
                                 "if",
                                 "then",
                                 "else",
                                 "const",
                                 "enum",
                                 "type",
                                 "properties",
                                 "patternProperties",
                                 "additionalProperties",
                                 "unevaluatedProperties",
                                 "propertyNames",
                                 "required",
                                 "dependentRequired",
                                 "dependentSchemas",
                                 "dependencies",
                                 "minProperties",
                                 "maxProperties",
                                 "items",
                                 "prefixItems",
                                 "additionalItems",
                                 "unevaluatedItems",
                                 "contains",
                                 "minContains",
                                 "maxContains",
                                 "minItems",
                                 "maxItems",
                                 "uniqueItems",
                                 "pattern",
                                 "minLength",
                                 "maxLength",
                                 "format",
                                 "minimum",
                                 "maximum",
                                 "exclusiveMinimum",
                                 "exclusiveMaximum",
                                 "multipleOf"};
  return kKeywords;
}

struct TypeKeywords {
  std::string_view type;
  Keys keywords;
};

// What says something of one type alone.
const std::array<TypeKeywords, 4>& type_keywords() {
  static const std::array<TypeKeywords, 4> kTypes = {
      TypeKeywords{"object",
                   {"properties", "patternProperties", "additionalProperties", "unevaluatedProperties",
                    "propertyNames", "required", "dependentRequired", "dependentSchemas", "dependencies",
                    "minProperties", "maxProperties"}},
      TypeKeywords{"array",
                   {"items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "minContains",
                    "maxContains", "minItems", "maxItems", "uniqueItems"}},
      TypeKeywords{"string", {"pattern", "minLength", "maxLength", "format"}},
      TypeKeywords{"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}}};
  return kTypes;
}

bool is_of_type(const Json& value, std::string_view type) {
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "null") return value.is_null();
  return value.type_name() == type;
}

std::string written(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

class Reader {
 public:
  Reader(Grammar& grammar, const Json& whole) : grammar_(grammar), values_(grammar), whole_(whole) {}

  Result<Expression> read(const Json& schema, const std::string& where, int depth);

 private:
  // One schema, where it stands, and how deep.
  struct Place {
    const Json& schema;
    const std::string& where;
    int depth;
    Error error(std::string_view message) const {
      return make_error(ErrorKind::invalid_argument, "JSON schema: {}: {}", where, message);
    }
    Error wrong(std::string_view key, std::string_view expected) const {
      return make_error(ErrorKind::invalid_argument, "JSON schema: {}/{}: found {}, expected {}", where, key,
                        schema[std::string(key)].type_name(), expected);
    }
    const Json* find(std::string_view key) const {
      const auto found = schema.find(std::string(key));
      return found == schema.end() ? nullptr : &*found;
    }
  };

  // Fails unless all that constrains is among the keywords given, or says nothing of the types given.
  static Status only(const Place& place, const Keys& known, const Keys& other_types = {});
  static Result<int64_t> count(const Place& place, std::string_view key, int64_t otherwise);

  Result<Expression> reference(const Place& place);
  Result<const Json*> resolve(const Place& place, const std::string& target) const;
  Result<Expression> alternatives(const Place& place, std::string_view key);
  static Status merge(const Place& place, const Json& part, Json& merged);
  Result<Expression> all_of(const Place& place);
  Result<Expression> listed(const Place& place);
  Result<Expression> typed(const Place& place, std::string_view type);
  Result<Expression> of_type(const Place& place, const Json& type);
  Result<Expression> string(const Place& place);
  Result<Expression> number(const Place& place, bool is_whole);
  Result<Expression> multiple(const Place& place, const IntegerBounds& bounds, bool is_whole);
  Result<Expression> array(const Place& place);
  Result<Expression> object(const Place& place);
  Result<Expression> map(const Place& place);
  Result<Expression> members(const Place& place, const std::vector<std::pair<std::string, Expression>>& named,
                             const std::set<std::string>& required, std::optional<Expression> others);
  Result<Expression> other_key(const Place& place,
                               const std::vector<std::pair<std::string, Expression>>& named) const;

  Grammar& grammar_;
  JsonValues values_;
  const Json& whole_;
  std::map<std::string, size_t> references_;
  int64_t n_schemas_ = 0, n_merged_ = 0;
};

Status Reader::only(const Place& place, const Keys& known, const Keys& other_types) {
  for (const auto& [key, value] : place.schema.items()) {
    if (known.contains(key) || other_types.contains(key) || !constraint_keywords().contains(key)) continue;
    return place.error(fmt::format("the keyword {} is not supported here", key));
  }
  return {};
}

Result<int64_t> Reader::count(const Place& place, std::string_view key, int64_t otherwise) {
  const Json* value = place.find(key);
  if (value == nullptr) return otherwise;
  const double number = value->is_number() ? value->get<double>() : -1;
  constexpr double kMost = 100'000;
  if (!(number >= 0 && number <= kMost) || std::floor(number) != number) {
    return place.wrong(key, fmt::format("a whole number from 0 to {}", kMost));
  }
  return static_cast<int64_t>(number);
}

Result<Expression> Reader::read(const Json& schema, const std::string& where, int depth) {
  const Place place{schema, where, depth};
  if (depth > kMaxSchemaDepth) return place.error(fmt::format("nested deeper than {}", kMaxSchemaDepth));
  if (++n_schemas_ > kMaxSchemas) return place.error(fmt::format("more than {} schemas", kMaxSchemas));
  if (schema.is_boolean()) {
    if (schema.get<bool>()) return values_.value();
    return place.error("nothing satisfies the schema false");
  }
  if (!schema.is_object()) {
    return place.error(fmt::format("found {}, expected an object or true", schema.type_name()));
  }
  if (schema.contains("$ref")) return reference(place);
  if (schema.contains("allOf")) return all_of(place);
  if (schema.contains("anyOf")) return alternatives(place, "anyOf");
  if (schema.contains("oneOf")) return alternatives(place, "oneOf");
  if (schema.contains("const") || schema.contains("enum")) return listed(place);
  if (const Json* type = place.find("type"); type != nullptr) return of_type(place, *type);
  // Without a type: the one that its keywords speak of.
  for (const TypeKeywords& one : type_keywords()) {
    for (const std::string_view keyword : one.keywords) {
      if (place.find(keyword) != nullptr) return typed(place, one.type);
    }
  }
  PLM_TRY_STATUS(only(place, {}));
  return values_.value();
}

Result<const Json*> Reader::resolve(const Place& place, const std::string& target) const {
  if (!target.starts_with('#')) return place.error("$ref is supported within the schema alone: \"#/...\"");
  const Json* found = &whole_;
  size_t begin = 1;
  while (begin < target.size()) {
    if (target[begin] != '/') return place.error("$ref: found no JSON pointer after #");
    const size_t end = std::min(target.find('/', begin + 1), target.size());
    std::string key = target.substr(begin + 1, end - begin - 1);
    for (const auto& [code, sign] : {std::pair{"~1", "/"}, std::pair{"~0", "~"}}) {
      for (size_t at = key.find(code); at != std::string::npos; at = key.find(code, at + 1))
        key.replace(at, 2, sign);
    }
    const bool is_there = found->is_object() && found->contains(key);
    if (!is_there) return place.error("$ref leads to nothing in the schema");
    found = &(*found)[key];
    begin = end;
  }
  return found;
}

Result<Expression> Reader::reference(const Place& place) {
  PLM_TRY_STATUS(only(place, {"$ref"}));
  if (!place.schema["$ref"].is_string()) return place.wrong("$ref", "a string");
  const auto target = place.schema["$ref"].get<std::string>();
  if (const auto known = references_.find(target); known != references_.end()) return rule_of(known->second);
  PLM_TRY(const Json* found, resolve(place, target));
  const size_t rule = grammar_.add(target);
  references_[target] = rule;  // first, for a schema may hold itself
  PLM_TRY(Expression expression, read(*found, target, place.depth + 1));
  grammar_.rules[rule].expression = std::move(expression);
  return rule_of(rule);
}

// oneOf as anyOf, as llama.cpp has it: whether a second schema holds too is not looked at.
Result<Expression> Reader::alternatives(const Place& place, std::string_view key) {
  PLM_TRY_STATUS(only(place, {key}));
  const Json& list = *place.find(key);
  if (!list.is_array() || list.empty()) return place.wrong(key, "a list of schemas");
  std::vector<Expression> ways;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = fmt::format("{}/{}/{}", place.where, key, i);
    PLM_TRY(Expression way, read(list[i], where, place.depth + 1));
    ways.push_back(std::move(way));
  }
  return choice_of(std::move(ways));
}

// Adds what one schema says to what others say; where two say different things of the same, we cannot tell.
Status Reader::merge(const Place& place, const Json& part, Json& merged) {
  for (const auto& [key, value] : part.items()) {
    if (!constraint_keywords().contains(key)) continue;
    if (!merged.contains(key)) {
      merged[key] = value;
      continue;
    }
    Json& before = merged[key];
    if (key == "required" && before.is_array() && value.is_array()) {
      for (const Json& name : value) before.push_back(name);
    } else if (key == "properties" && before.is_object() && value.is_object()) {
      for (const auto& [name, schema] : value.items()) {
        if (before.contains(name) && before[name] != schema) {
          return place.error(fmt::format("allOf: two schemas of the property {} are not supported", name));
        }
        before[name] = schema;
      }
    } else if (before != value) {
      return place.error(fmt::format("allOf: two different values of {} are not supported", key));
    }
  }
  return {};
}

Result<Expression> Reader::all_of(const Place& place) {
  if (++n_merged_ > kMaxMerged) return place.error(fmt::format("more than {} allOf", kMaxMerged));
  const Json& list = place.schema["allOf"];
  if (!list.is_array() || list.empty()) return place.wrong("allOf", "a list of schemas");
  Json outer = place.schema;
  outer.erase("allOf");
  std::vector<const Json*> parts{&outer};
  for (const Json& part : list) {
    const Json* one = &part;
    if (!one->is_object()) return place.wrong("allOf", "a list of schemas that are objects");
    if (one->contains("$ref") && (*one)["$ref"].is_string()) {
      PLM_TRY_STATUS(only({*one, place.where, place.depth}, {"$ref"}));
      PLM_TRY(one, resolve(place, (*one)["$ref"].get<std::string>()));
      if (!one->is_object()) return place.wrong("allOf", "a list of schemas that are objects");
    }
    parts.push_back(one);
  }
  Json merged = Json::object();
  int n_saying = 0;  // that say something
  for (const Json* one : parts) {
    const size_t n_before = merged.size();
    PLM_TRY_STATUS(merge(place, *one, merged));
    n_saying += merged.size() > n_before || one->contains("required") || one->contains("properties") ? 1 : 0;
  }
  // What these say depends on what stands beside them in their own schema.
  for (const char* key : {"additionalProperties", "items", "prefixItems"}) {
    if (n_saying > 1 && merged.contains(key)) {
      return place.error(fmt::format("allOf: {} in one of several schemas is not supported", key));
    }
  }
  return read(merged, place.where, place.depth + 1);
}

Result<Expression> Reader::listed(const Place& place) {
  PLM_TRY_STATUS(only(place, {"const", "enum", "type"}));
  Json values = Json::array();
  if (const Json* one = place.find("const"); one != nullptr) values.push_back(*one);
  if (const Json* list = place.find("enum"); list != nullptr) {
    if (!list->is_array()) return place.wrong("enum", "a list of values");
    if (values.empty()) {
      values = *list;
    } else if (std::ranges::find(*list, values[0]) == list->end()) {
      values.clear();
    }
  }
  const Json* type = place.find("type");
  std::vector<Expression> ways;
  for (const Json& value : values) {
    const auto fits = [&](const Json& one) {
      return one.is_string() && is_of_type(value, one.get_ref<const std::string&>());
    };
    const bool is_right =
        type == nullptr || (type->is_array() ? std::ranges::any_of(*type, fits) : fits(*type));
    if (is_right) ways.push_back(text_of(written(value)));
  }
  if (ways.empty()) return place.error("no value of const and enum satisfies it");
  return choice_of(std::move(ways));
}

Result<Expression> Reader::of_type(const Place& place, const Json& type) {
  if (type.is_string()) return typed(place, type.get_ref<const std::string&>());
  if (!type.is_array() || type.empty() || type.size() > 7)
    return place.wrong("type", "a type or a list of types");
  std::vector<Expression> ways;
  for (const Json& one : type) {
    if (!one.is_string()) return place.wrong("type", "a type or a list of types");
    PLM_TRY(Expression way, typed(place, one.get_ref<const std::string&>()));
    ways.push_back(std::move(way));
  }
  return choice_of(std::move(ways));
}

Result<Expression> Reader::typed(const Place& place, std::string_view type) {
  Keys others = {"type"};
  for (const TypeKeywords& one : type_keywords()) {
    const bool is_same = one.type == type || (one.type == "number" && type == "integer");
    if (!is_same) others.insert(one.keywords.begin(), one.keywords.end());
  }
  if (type == "object") {
    PLM_TRY_STATUS(
        only(place, {"properties", "patternProperties", "additionalProperties", "required"}, others));
    return object(place);
  }
  if (type == "array") {
    PLM_TRY_STATUS(only(place, {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"}, others));
    return array(place);
  }
  if (type == "string") {
    PLM_TRY_STATUS(only(place, {"pattern", "format", "minLength", "maxLength"}, others));
    return string(place);
  }
  if (type == "number" || type == "integer") {
    PLM_TRY_STATUS(
        only(place, {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}, others));
    return number(place, type == "integer");
  }
  PLM_TRY_STATUS(only(place, {}, others));
  if (type == "boolean") return choice_of({text_of("true"), text_of("false")});
  if (type == "null") return text_of("null");
  return place.error(
      fmt::format("found the type {}, expected object, array, string, number, integer, "
                  "boolean or null",
                  type));
}

Result<Expression> Reader::string(const Place& place) {
  const auto quoted = [](Expression inner) {
    return sequence_of({text_of("\""), std::move(inner), text_of("\"")});
  };
  const bool has_length = place.find("minLength") != nullptr || place.find("maxLength") != nullptr;
  std::string_view pattern;
  if (const Json* format = place.find("format"); format != nullptr && format->is_string()) {
    pattern = format_pattern(format->get_ref<const std::string&>());
  }
  if (const Json* given = place.find("pattern"); given != nullptr) {
    if (!given->is_string()) return place.wrong("pattern", "a string");
    if (!pattern.empty()) return place.error("pattern beside format is not supported");
    pattern = given->get_ref<const std::string&>();
  }
  if (place.find("pattern") == nullptr && pattern.empty()) {
    if (!has_length) return values_.string();
    PLM_TRY(const int64_t least, count(place, "minLength", 0));
    PLM_TRY(const int64_t most, count(place, "maxLength", Expression::kNoLimit));
    if (most != Expression::kNoLimit && most < least) return place.error("minLength is above maxLength");
    return quoted(repeat_of(values_.character(), least, most));
  }
  if (has_length) return place.error("minLength and maxLength beside pattern or format are not supported");
  auto inner = parse_regex(pattern, RegexPlace::json_string);
  if (!inner.ok()) return place.error(inner.error().message);
  return quoted(*std::move(inner));
}

Result<Expression> Reader::number(const Place& place, bool is_whole) {
  IntegerBounds bounds;
  struct Bound {
    std::string_view key;
    bool is_least, is_open;
  };
  for (const Bound& bound : {Bound{"minimum", true, false}, Bound{"exclusiveMinimum", true, true},
                             Bound{"maximum", false, false}, Bound{"exclusiveMaximum", false, true}}) {
    const Json* value = place.find(bound.key);
    if (value == nullptr) continue;
    if (!value->is_number()) return place.wrong(bound.key, "a number");
    const double given = value->get<double>();
    if (!(std::abs(given) <= 1e15)) return place.wrong(bound.key, "a number from -1e15 to 1e15");
    // Whole bounds within the given ones.
    const double inner = bound.is_least ? (bound.is_open ? std::floor(given) + 1 : std::ceil(given))
                                        : (bound.is_open ? std::ceil(given) - 1 : std::floor(given));
    const auto whole = static_cast<int64_t>(inner);
    if (bound.is_least) bounds.least = std::max(bounds.least.value_or(whole), whole);
    if (!bound.is_least) bounds.most = std::min(bounds.most.value_or(whole), whole);
  }
  if (bounds.least && bounds.most && *bounds.least > *bounds.most) {
    return place.error("no whole number lies between the bounds");
  }
  if (place.find("multipleOf") != nullptr) return multiple(place, bounds, is_whole);
  return is_whole ? integer_between(bounds) : number_between(bounds);
}

Result<Expression> Reader::multiple(const Place& place, const IntegerBounds& bounds, bool is_whole) {
  const Json& value = *place.find("multipleOf");
  const double step = value.is_number() ? value.get<double>() : 0;
  constexpr std::array<double, 6> kParts = {0.1, 0.01, 0.001, 0.0001, 0.00001, 0.000001};
  for (size_t i = 0; i < kParts.size(); ++i) {
    if (step != kParts[i]) continue;
    return is_whole ? integer_between(bounds) : number_between(bounds, static_cast<int64_t>(i) + 1);
  }
  if (!(step >= 1 && step <= kMostDivisor) || std::floor(step) != step) {
    return place.wrong(
        "multipleOf",
        fmt::format("a whole number from 1 to {}, or 0.1, 0.01 and so on to 0.000001", kMostDivisor));
  }
  auto multiples = multiples_of(grammar_, static_cast<int64_t>(step), bounds);
  if (!multiples)
    return place.error("multipleOf beside these bounds: no such number, or too many to tell apart");
  return *std::move(multiples);
}

Result<Expression> Reader::array(const Place& place) {
  if (const Json* unique = place.find("uniqueItems"); unique != nullptr && *unique != false) {
    return place.error("the keyword uniqueItems is not supported");
  }
  PLM_TRY(const int64_t least, count(place, "minItems", 0));
  PLM_TRY(int64_t most, count(place, "maxItems", Expression::kNoLimit));
  if (most != Expression::kNoLimit && most < least) return place.error("minItems is above maxItems");
  std::vector<Expression> heads;
  if (const Json* prefix = place.find("prefixItems"); prefix != nullptr) {
    if (!prefix->is_array()) return place.wrong("prefixItems", "a list of schemas");
    for (size_t i = 0; i < prefix->size() && (most == Expression::kNoLimit || std::ssize(heads) < most);
         ++i) {
      PLM_TRY(Expression head,
              read((*prefix)[i], fmt::format("{}/prefixItems/{}", place.where, i), place.depth + 1));
      heads.push_back(std::move(head));
    }
  }
  const Json* items = place.find("items");
  const bool is_closed = items != nullptr ? *items == false : !heads.empty();
  if (is_closed) {
    if (least > std::ssize(heads)) return place.error("minItems is above the number of items there can be");
    most = std::ssize(heads);
  }
  Expression item = values_.value();
  if (items != nullptr && !is_closed) {
    PLM_TRY(item, read(*items, place.where + "/items", place.depth + 1));
  }
  return values_.array_of(std::move(heads), std::move(item), least, most);
}

// An object whose keys all have one pattern.
Result<Expression> Reader::map(const Place& place) {
  const Json& patterns = place.schema["patternProperties"];
  const Json* more = place.find("additionalProperties");
  if (!patterns.is_object()) return place.wrong("patternProperties", "an object");
  const bool is_alone = place.find("properties") == nullptr && place.find("required") == nullptr;
  if (patterns.size() != 1 || !is_alone || (more != nullptr && *more != false)) {
    return place.error(
        "patternProperties is supported with one pattern, without properties and required, and where "
        "additionalProperties is false or not there");
  }
  const auto& pattern = patterns.begin().key();
  auto key = parse_regex(pattern, RegexPlace::json_string);
  if (!key.ok()) return place.error(key.error().message);
  PLM_TRY(Expression value,
          read(patterns.begin().value(), fmt::format("{}/patternProperties/{}", place.where, pattern),
               place.depth + 1));
  Expression quoted = sequence_of({text_of("\""), *std::move(key), text_of("\"")});
  const Expression one =
      rule_of(grammar_.add(place.where, values_.member(std::move(quoted), std::move(value))));
  return values_.braces(optional_of(sequence_of({one, repeat_of(sequence_of({values_.comma(), one}), 0)})));
}

Result<Expression> Reader::object(const Place& place) {
  if (const Json* patterns = place.find("patternProperties"); patterns != nullptr) {
    const bool says_nothing = patterns->is_object() && patterns->empty();
    if (!says_nothing) return map(place);
  }
  std::vector<std::pair<std::string, Expression>> named;
  if (const Json* properties = place.find("properties"); properties != nullptr) {
    if (!properties->is_object()) return place.wrong("properties", "an object");
    for (const auto& [key, schema] : properties->items()) {
      PLM_TRY(Expression value,
              read(schema, fmt::format("{}/properties/{}", place.where, key), place.depth + 1));
      named.emplace_back(key, std::move(value));
    }
  }
  std::optional<Expression> others;
  if (const Json* more = place.find("additionalProperties"); more != nullptr) {
    if (*more != false) {
      PLM_TRY(others, read(*more, place.where + "/additionalProperties", place.depth + 1));
    }
  } else if (named.empty() && place.find("required") == nullptr) {
    return values_.object();
  }
  std::set<std::string> required;
  if (const Json* list = place.find("required"); list != nullptr) {
    if (!list->is_array()) return place.wrong("required", "a list of names");
    for (const Json& name : *list) {
      if (!name.is_string()) return place.wrong("required", "a list of names");
      const auto& key = name.get_ref<const std::string&>();
      if (!required.insert(key).second) continue;
      if (std::ranges::any_of(named, [&](const auto& one) { return one.first == key; })) continue;
      if (place.find("additionalProperties") != nullptr && !others) {
        return place.error(fmt::format("{} is required, but additionalProperties forbids it", key));
      }
      named.emplace_back(key, others ? *others : values_.value());
    }
  }
  return members(place, named, required, std::move(others));
}

// Two rules for each property: what may stand from it on when nothing stands before, and when something does.
Result<Expression> Reader::members(const Place& place,
                                   const std::vector<std::pair<std::string, Expression>>& named,
                                   const std::set<std::string>& required, std::optional<Expression> others) {
  Expression first = text_of(""), later = text_of("");
  if (others) {
    PLM_TRY(Expression key, other_key(place, named));
    const Expression one =
        rule_of(grammar_.add(place.where, values_.member(std::move(key), *std::move(others))));
    later = repeat_of(sequence_of({values_.comma(), one}), 0);
    first = optional_of(sequence_of({one, later}));
  }
  for (size_t i = named.size(); i > 0; --i) {
    const auto& [key, value] = named[i - 1];
    const Expression one =
        rule_of(grammar_.add(place.where, values_.member(text_of(written(Json(key))), value)));
    const Expression after = rule_of(grammar_.add(place.where, std::move(later)));
    Expression here_first = sequence_of({one, after});
    Expression here_later = sequence_of({values_.comma(), one, after});
    if (required.contains(key)) {
      first = std::move(here_first);
      later = std::move(here_later);
    } else {
      first = choice_of({std::move(here_first), rule_of(grammar_.add(place.where, std::move(first)))});
      later = choice_of({std::move(here_later), after});
    }
  }
  return values_.braces(std::move(first));
}

// A key that is none of the named ones, written without escapes, so that it cannot be one of them in
// disguise.
class KeyTree {
 public:
  void add(std::string_view key) {
    KeyTree* node = this;
    for (const char byte : key) node = &node->children_[byte];
    node->is_key_ = true;
  }

  // What may stand from here to the end of the key.
  // `any`: a plain character; byte trees need whole characters, so keys that are not ASCII are kept apart by
  // their first character.
  Expression rest(const Expression& any) const {
    std::vector<CodePointRange> taken;
    std::vector<Expression> ways;
    for (const auto& [byte, child] : children_) {
      const auto code = static_cast<uint32_t>(static_cast<unsigned char>(byte));
      taken.push_back({code, code});
      ways.push_back(sequence_of({text_of(std::string(1, byte)), child.rest(any)}));
    }
    const CharacterSet others = intersection(json_plain(), complement(make_set(std::move(taken))));
    ways.push_back(sequence_of({one_of(others), repeat_of(any, 0)}));
    if (!is_key_) ways.push_back(text_of(""));
    return choice_of(std::move(ways));
  }

 private:
  std::map<char, KeyTree> children_;
  bool is_key_ = false;
};

Result<Expression> Reader::other_key(const Place& place,
                                     const std::vector<std::pair<std::string, Expression>>& named) const {
  KeyTree tree;
  for (const auto& [key, value] : named) {
    if (key.size() > kMaxKeyBytes) {
      return place.error(
          fmt::format("additionalProperties beside a name of more than {} bytes", kMaxKeyBytes));
    }
    const bool is_ascii =
        std::ranges::all_of(key, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (!is_ascii)
      return place.error("additionalProperties beside a name that is not ASCII is not supported");
    const bool is_plain = std::ranges::all_of(key, [](char c) {
      return contains(json_plain(), static_cast<uint32_t>(static_cast<unsigned char>(c)));
    });
    if (is_plain) tree.add(key);  // any other cannot be written without escapes
  }
  return sequence_of({text_of("\""), tree.rest(one_of(json_plain())), text_of("\"")});
}

}  // namespace

Result<size_t> add_json_schema(Grammar& grammar, std::string_view schema, std::string_view name) {
  if (schema.size() > kMaxSchemaBytes) {
    return make_error(ErrorKind::invalid_argument, "JSON schema: found {} bytes, expected at most {}",
                      schema.size(), kMaxSchemaBytes);
  }
  // Each level of a schema is one or two of its text.
  const JsonShape shape = json_shape(schema);
  if (shape.depth > 2 * kMaxSchemaDepth) {
    return make_error(ErrorKind::invalid_argument, "JSON schema: nested deeper than {} brackets",
                      2 * kMaxSchemaDepth);
  }
  if (shape.most_members > kMaxSchemaMembers) {
    return make_error(ErrorKind::invalid_argument, "JSON schema: an object of more than {} members",
                      kMaxSchemaMembers);
  }
  const Json json = Json::parse(schema, nullptr, false);
  if (json.is_discarded()) return make_error(ErrorKind::invalid_argument, "JSON schema: found no valid JSON");
  const size_t rule = grammar.add(std::string(name));
  PLM_TRY(Expression expression, Reader(grammar, json).read(json, "#", 0));
  grammar.rules[rule].expression = std::move(expression);
  return rule;
}

Result<Grammar> parse_json_schema(std::string_view schema) {
  Grammar grammar;
  PLM_TRY(grammar.root, add_json_schema(grammar, schema, "root"));
  return grammar;
}

Grammar any_json_object() {
  Grammar grammar;
  const Expression object = JsonValues(grammar).object();
  grammar.root = object.rule;
  return grammar;
}

}  // namespace plm::grammar
