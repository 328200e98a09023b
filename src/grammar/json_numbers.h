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

// Numbers with and without a fraction, between whole bounds; without any bound also with an exponent, unless
// the digits of the fraction are limited.
Expression number_between(const IntegerBounds& bounds, std::optional<int64_t> most_digits = {});

// The multiples of a positive `step` between the bounds, by rules for its remainders or one by one. None
// where there are none, or they are too many between bounds that are further from zero than a step.
std::optional<Expression> multiples_of(Grammar& grammar, int64_t step, const IntegerBounds& bounds);

}  // namespace plm::grammar
