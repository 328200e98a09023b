// What Python's operators do with values. Errors are bad_data and speak as Python does, without a place: the
// interpreter adds template and line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/ast.h"
#include "jinja/budget.h"
#include "jinja/value.h"

namespace plm::jinja {

bool truthy(const Value& value);
Result<bool> equal(const Value& a, const Value& b, Budget& budget);
// a < b, for numbers, texts, lists and tuples.
Result<bool> less(const Value& a, const Value& b, Budget& budget);
Result<bool> contains(const Value& container, const Value& item, Budget& budget);
// One of the comparisons, `in` and `not in` among them.
Result<bool> compare(Operator op, const Value& a, const Value& b, Budget& budget);

Result<Value> arithmetic(Operator op, const Value& a, const Value& b, Budget& budget);
Result<Value> negate(const Value& value);
Result<Value> plus(const Value& value);

// What a loop over the value sees: items, characters, keys. A generator is used up.
Result<std::vector<Value>> items_of(const Value& value, Budget& budget);
Result<int64_t> length_of(const Value& value);

// value[key] and value.name: each falls back to the other, as in jinja2. Undefined when there is neither.
Result<Value> item_of(const Value& value, const Value& key, Budget& budget);
Result<Value> attribute_of(const Value& value, const std::string& name, Budget& budget);

struct SliceBounds {
  std::optional<int64_t> start, stop, step;
};
Result<Value> slice_of(const Value& value, const SliceBounds& bounds, Budget& budget);

// The error of using a value that is undefined, or of the wrong type: "'x' is undefined".
Error undefined_error(const Value& value);

}  // namespace plm::jinja
