// JSON's numbers between bounds, as expressions.
#pragma once

#include <cstdint>
#include <optional>

#include "grammar/expression.h"

namespace plm::grammar {

// Both bounds are in it; none: at most 16 digits on that side.
struct IntegerBounds {
  std::optional<int64_t> least, most;
};

// The whole numbers between the bounds; a choice of nothing when there are none.
Expression integer_between(const IntegerBounds& bounds);

// Numbers with and without a fraction, between whole bounds; without any bound also with an exponent.
Expression number_between(const IntegerBounds& bounds);

}  // namespace plm::grammar
