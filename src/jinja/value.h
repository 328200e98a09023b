// The values of the template language, which are Python's: None, bool, int (64 bits; an overflow is an
// error), float, str (UTF-8), list and its kin, dict in the order of insertion, and jinja2's own kinds.
//
// Values are cheap to copy and do not change, but for namespaces and what a loop knows.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace plm::jinja {

class Value;
struct Callable;  // callable.h
struct Loop;      // callable.h

// Kinds of sequences that Python tells apart.
enum class Flavor { list, tuple, range, keys, values, items, generator };

struct Sequence {
  std::vector<Value> items;
  Flavor flavor = Flavor::list;
  int depth = 1;
  mutable bool consumed = false;  // a generator gives its items once
};

// Keys are what Python can hash. Lookup is constant in time.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;
  const std::vector<Entry>& entries() const { return entries_; }
  int depth() const { return depth_; }
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  // Replaces the value of a key that is there. Fails on a key that cannot be hashed.
  Status set(const Value& key, Value value);

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> places_;  // by the key's identity
  int depth_ = 1;
};

// namespace(): the only thing a template can change. Whoever makes one must empty it in the end, for it may
// hold itself.
struct Namespace {
  std::unordered_map<std::string, Value> fields;
};

struct Undefined {
  std::string what;  // "'x' is undefined"
};

class Value {
 public:
  enum class Kind {
    undefined,
    none,
    boolean,
    integer,
    real,
    string,
    sequence,
    dict,
    name_space,
    callable,
    loop
  };

  Value() : data_(None{}) {}
  explicit Value(bool b) : data_(b) {}
  explicit Value(int64_t i) : data_(i) {}
  explicit Value(double d) : data_(d) {}
  explicit Value(std::string s) : data_(std::make_shared<const std::string>(std::move(s))) {}
  explicit Value(const char* s) : Value(std::string(s)) {}
  explicit Value(std::shared_ptr<const Sequence> s) : data_(std::move(s)) {}
  explicit Value(std::shared_ptr<const Dict> d) : data_(std::move(d)) {}
  explicit Value(std::shared_ptr<Namespace> n) : data_(std::move(n)) {}
  explicit Value(std::shared_ptr<const Callable> c) : data_(std::move(c)) {}
  explicit Value(std::shared_ptr<Loop> l) : data_(std::move(l)) {}
  static Value undefined(std::string what);

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind kind) const { return this->kind() == kind; }
  bool is_undefined() const { return is(Kind::undefined); }
  bool is_none() const { return is(Kind::none); }
  bool is_string() const { return is(Kind::string); }
  bool is_dict() const { return is(Kind::dict); }
  bool is_sequence() const { return is(Kind::sequence); }
  bool is_sequence(Flavor flavor) const { return is_sequence() && sequence().flavor == flavor; }
  bool is_integral() const { return is(Kind::integer) || is(Kind::boolean); }  // bool is an int
  bool is_number() const { return is_integral() || is(Kind::real); }

  // Only for the kind that it is.
  const std::string& what() const { return std::get<std::shared_ptr<const Undefined>>(data_)->what; }
  bool boolean() const { return std::get<bool>(data_); }
  int64_t integer() const { return is(Kind::boolean) ? int64_t{boolean()} : std::get<int64_t>(data_); }
  double real() const { return is(Kind::real) ? std::get<double>(data_) : static_cast<double>(integer()); }
  const std::string& string() const { return *std::get<std::shared_ptr<const std::string>>(data_); }
  const Sequence& sequence() const { return *std::get<std::shared_ptr<const Sequence>>(data_); }
  std::shared_ptr<const Sequence> shared_sequence() const {
    return std::get<std::shared_ptr<const Sequence>>(data_);
  }
  const Dict& dict() const { return *std::get<std::shared_ptr<const Dict>>(data_); }
  Namespace& name_space() const { return *std::get<std::shared_ptr<Namespace>>(data_); }
  const Callable& callable() const { return *std::get<std::shared_ptr<const Callable>>(data_); }
  Loop& loop() const { return *std::get<std::shared_ptr<Loop>>(data_); }

  // The same object, as Python's `is`; equal for small values.
  bool same_as(const Value& other) const;
  // Values in values: 0 for a scalar. A namespace counts as one.
  int depth() const;
  // Python's name of the type: "str".
  std::string_view type_name() const;

 private:
  struct None {
    bool operator==(const None&) const = default;
  };
  // In the order of Kind.
  std::variant<std::shared_ptr<const Undefined>, None, bool, int64_t, double,
               std::shared_ptr<const std::string>, std::shared_ptr<const Sequence>,
               std::shared_ptr<const Dict>, std::shared_ptr<Namespace>, std::shared_ptr<const Callable>,
               std::shared_ptr<Loop>>
      data_;
};

// Fail when values would lie deeper than kMaxDataDepth in each other.
Result<Value> make_sequence(std::vector<Value> items, Flavor flavor = Flavor::list);
Result<Value> make_dict(Dict dict);

// Fails with bad_data on nesting deeper than kMaxDataDepth and on integers beyond 64 bits with sign.
Result<Value> from_json(const nlohmann::ordered_json& json);

}  // namespace plm::jinja
