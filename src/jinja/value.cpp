#include "jinja/value.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "jinja/budget.h"
#include "jinja/callable.h"

namespace plm::jinja {
namespace {

constexpr double kTwoTo63 = 9223372036854775808.0;

// Equal for keys that are equal in Python: 1, 1.0 and True are one key. Fails on what cannot be hashed.
Status append_identity(const Value& key, std::string& identity) {
  switch (key.kind()) {
    case Value::Kind::none:
      identity += 'N';
      return {};
    case Value::Kind::boolean:
    case Value::Kind::integer:
      identity += fmt::format("i{};", key.integer());
      return {};
    case Value::Kind::real: {
      const double d = key.real();
      const bool is_whole = std::floor(d) == d && d >= -kTwoTo63 && d < kTwoTo63;
      identity += is_whole ? fmt::format("i{};", static_cast<int64_t>(d)) : fmt::format("f{};", d);
      return {};
    }
    case Value::Kind::string:
      identity += fmt::format("s{}:", key.string().size());
      identity += key.string();
      return {};
    case Value::Kind::sequence:
      if (key.sequence().flavor == Flavor::tuple && key.sequence().items.size() <= 64) {
        identity += '(';
        for (const Value& item : key.sequence().items) {
          PLM_TRY_STATUS(append_identity(item, identity));
          if (identity.size() > (1u << 20)) {
            return make_error(ErrorKind::bad_data, "a tuple is too large for a key");
          }
        }
        identity += ')';
        return {};
      }
      break;
    default:
      break;
  }
  return make_error(ErrorKind::bad_data, "a {} cannot be a key", key.type_name());
}

Error too_deep() {
  return make_error(ErrorKind::bad_data, "values are nested deeper than {}", kMaxDataDepth);
}

Result<Value> from_json_at(const nlohmann::ordered_json& json, int depth) {
  using Json = nlohmann::ordered_json;
  if (depth > kMaxDataDepth) return too_deep();
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value(json.get<bool>());
    case Json::value_t::number_integer:
      return Value(json.get<int64_t>());
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return make_error(ErrorKind::bad_data, "the integer {} is too large", json.get<uint64_t>());
      }
      return Value(json.get<int64_t>());
    case Json::value_t::number_float:
      return Value(json.get<double>());
    case Json::value_t::string:
      return Value(json.get<std::string>());
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const Json& item : json) {
        PLM_TRY(Value value, from_json_at(item, depth + 1));
        items.push_back(std::move(value));
      }
      return make_sequence(std::move(items));
    }
    case Json::value_t::object: {
      Dict dict;
      for (const auto& [key, item] : json.items()) {
        PLM_TRY(Value value, from_json_at(item, depth + 1));
        PLM_TRY_STATUS(dict.set(Value(key), std::move(value)));
      }
      return make_dict(std::move(dict));
    }
    default:
      return Value();
  }
}

}  // namespace

Value Value::undefined(std::string what) {
  Value value;
  value.data_ = std::make_shared<const Undefined>(Undefined{std::move(what)});
  return value;
}

bool Value::same_as(const Value& other) const { return data_ == other.data_; }

int Value::depth() const {
  switch (kind()) {
    case Kind::sequence:
      return sequence().depth;
    case Kind::dict:
      return dict().depth();
    case Kind::callable:
      return callable().self.depth() + 1;
    case Kind::loop:
      return loop().items_depth + 1;
    default:
      return 0;
  }
}

std::string_view Value::type_name() const {
  switch (kind()) {
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::real:
      return "float";
    case Kind::string:
      return "str";
    case Kind::sequence:
      break;
    case Kind::dict:
      return "dict";
    case Kind::name_space:
      return "Namespace";
    case Kind::callable:
      return "function";
    case Kind::loop:
      return "LoopContext";
  }
  switch (sequence().flavor) {
    case Flavor::list:
      return "list";
    case Flavor::tuple:
      return "tuple";
    case Flavor::range:
      return "range";
    case Flavor::keys:
      return "dict_keys";
    case Flavor::values:
      return "dict_values";
    case Flavor::items:
      return "dict_items";
    case Flavor::generator:
      break;
  }
  return "generator";
}

const Value* Dict::find(const Value& key) const {
  if (key.is_string()) return find(key.string());
  std::string identity;
  if (!append_identity(key, identity).ok()) return nullptr;
  const auto place = places_.find(identity);
  return place == places_.end() ? nullptr : &entries_[place->second].second;
}

const Value* Dict::find(std::string_view key) const {
  std::string identity = fmt::format("s{}:", key.size());
  identity += key;
  const auto place = places_.find(identity);
  return place == places_.end() ? nullptr : &entries_[place->second].second;
}

Status Dict::set(const Value& key, Value value) {
  std::string identity;
  PLM_TRY_STATUS(append_identity(key, identity));
  depth_ = std::max(depth_, std::max(key.depth(), value.depth()) + 1);
  const auto [place, is_new] = places_.try_emplace(std::move(identity), entries_.size());
  if (is_new) {
    entries_.emplace_back(key, std::move(value));
  } else {
    entries_[place->second].second = std::move(value);
  }
  return {};
}

Result<Value> make_sequence(std::vector<Value> items, Flavor flavor) {
  int depth = 1;
  for (const Value& item : items) depth = std::max(depth, item.depth() + 1);
  if (depth > kMaxDataDepth) return too_deep();
  return Value(std::make_shared<const Sequence>(
      Sequence{.items = std::move(items), .flavor = flavor, .depth = depth}));
}

Result<Value> make_dict(Dict dict) {
  if (dict.depth() > kMaxDataDepth) return too_deep();
  return Value(std::make_shared<const Dict>(std::move(dict)));
}

Result<Value> from_json(const nlohmann::ordered_json& json) { return from_json_at(json, 1); }

}  // namespace plm::jinja
