#include "grammar/json_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>

namespace plm::grammar {

namespace {

constexpr int64_t kMostDigits = 16;  // of a number without a bound

Expression digit(char first, char last) {
  return one_of({{static_cast<uint32_t>(first), static_cast<uint32_t>(last)}});
}
Expression digits(size_t n) {
  return repeat_of(digit('0', '9'), static_cast<int64_t>(n), static_cast<int64_t>(n));
}

// The numbers of so many digits from `low` to `high`, which have as many; zeros may lead.
Expression same_length(const std::string& low, const std::string& high) {
  if (low.empty()) return text_of("");
  const std::string low_rest = low.substr(1), high_rest = high.substr(1);
  if (low[0] == high[0]) return sequence_of({digit(low[0], low[0]), same_length(low_rest, high_rest)});
  const std::string zeros(low_rest.size(), '0'), nines(low_rest.size(), '9');
  char first = low[0], last = high[0];
  std::vector<Expression> ways;
  if (low_rest != zeros) {
    ways.push_back(sequence_of({digit(first, first), same_length(low_rest, nines)}));
    ++first;
  }
  if (high_rest != nines) {
    ways.push_back(sequence_of({digit(last, last), same_length(zeros, high_rest)}));
    --last;
  }
  if (first <= last) ways.push_back(sequence_of({digit(first, last), digits(low_rest.size())}));
  return choice_of(std::move(ways));
}

// Of numbers without a sign; `most` none: up to kMostDigits digits, or as many as `least` has.
Expression magnitude_between(uint64_t least, std::optional<uint64_t> most) {
  std::vector<Expression> ways;
  const std::string low = fmt::format("{}", least);
  const size_t longest =
      most ? fmt::format("{}", *most).size() : std::max<size_t>(low.size(), static_cast<size_t>(kMostDigits));
  for (size_t n = low.size(); n <= longest; ++n) {
    const std::string first = n == low.size() ? low : "1" + std::string(n - 1, '0');
    const std::string last = most && n == longest ? fmt::format("{}", *most) : std::string(n, '9');
    if (first <= last) ways.push_back(same_length(first, last));
  }
  return choice_of(std::move(ways));
}

uint64_t magnitude(int64_t negative) { return ~static_cast<uint64_t>(negative) + 1; }

// The parts below zero and from zero on, each as a range of magnitudes, where there are such numbers.
struct Halves {
  struct Range {
    uint64_t least;
    std::optional<uint64_t> most;
  };
  std::optional<Range> below, above;
};

Halves halves_of(const IntegerBounds& bounds) {
  Halves halves;
  if (!bounds.most || *bounds.most >= 0) {
    const auto least = static_cast<uint64_t>(std::max<int64_t>(bounds.least.value_or(0), 0));
    std::optional<uint64_t> most;
    if (bounds.most) most = static_cast<uint64_t>(*bounds.most);
    if (!most || least <= *most) halves.above = {.least = least, .most = most};
  }
  if (!bounds.least || *bounds.least < 0) {
    const uint64_t least = bounds.most && *bounds.most < 0 ? magnitude(*bounds.most) : 1;
    std::optional<uint64_t> most;
    if (bounds.least) most = magnitude(*bounds.least);
    if (!most || least <= *most) halves.below = {.least = least, .most = most};
  }
  return halves;
}

Expression fraction(int64_t most_digits) {
  return sequence_of({text_of("."), repeat_of(digit('0', '9'), 1, most_digits)});
}

}  // namespace

Expression integer_between(const IntegerBounds& bounds) {
  const Halves halves = halves_of(bounds);
  std::vector<Expression> ways;
  if (halves.above) ways.push_back(magnitude_between(halves.above->least, halves.above->most));
  if (halves.below) {
    ways.push_back(sequence_of({text_of("-"), magnitude_between(halves.below->least, halves.below->most)}));
  }
  return choice_of(std::move(ways));
}

Expression number_between(const IntegerBounds& bounds, std::optional<int64_t> most_digits) {
  const Expression fraction_part = fraction(most_digits.value_or(kMostDigits));
  if (!bounds.least && !bounds.most && most_digits) {
    return sequence_of({integer_between(bounds), optional_of(fraction_part)});
  }
  if (!bounds.least && !bounds.most) {
    Expression exponent =
        sequence_of({one_of({{'E', 'E'}, {'e', 'e'}}), optional_of(one_of({{'+', '+'}, {'-', '-'}})),
                     repeat_of(digit('0', '9'), 1, 2)});
    return sequence_of({optional_of(text_of("-")), integer_between({.least = 0, .most = {}}),
                        optional_of(fraction_part), optional_of(std::move(exponent))});
  }
  // n.f lies from n to n + 1, and -n.f from -(n + 1) to -n.
  std::vector<Expression> ways{integer_between(bounds)};
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  if (!bounds.most || *bounds.most > 0) {
    IntegerBounds whole{.least = std::max<int64_t>(bounds.least.value_or(0), 0), .most = {}};
    if (bounds.most) whole.most = *bounds.most - 1;
    ways.push_back(sequence_of({integer_between(whole), fraction_part}));
  }
  if (!bounds.least || *bounds.least < 0) {
    const int64_t least = bounds.most ? (*bounds.most < 0 ? -std::max(*bounds.most, -kMost) : 0) : 0;
    IntegerBounds whole{.least = least, .most = {}};
    if (bounds.least) whole.most = -(std::max(*bounds.least, kLeast + 1) + 1);
    ways.push_back(sequence_of({text_of("-"), integer_between(whole), fraction_part}));
  }
  return choice_of(std::move(ways));
}

std::optional<Expression> multiples_of(Grammar& grammar, int64_t step, const IntegerBounds& bounds) {
  constexpr int64_t kMostListed = 1000;
  if (bounds.least && bounds.most && (*bounds.most - *bounds.least) / step <= kMostListed) {
    std::vector<Expression> ways;
    int64_t first = *bounds.least / step * step;
    if (first < *bounds.least) first += step;
    for (int64_t number = first; number <= *bounds.most; number += step) {
      ways.push_back(text_of(fmt::format("{}", number)));
    }
    if (ways.empty()) return {};
    return choice_of(std::move(ways));
  }
  // Of each sign all or none, and zero.
  const bool goes_above = !bounds.most, goes_below = !bounds.least;
  if (!goes_above && !goes_below) return {};
  // A bound further from zero than a step cuts into one side.
  if (bounds.least.value_or(-step) < -step || bounds.least.value_or(step) > step) return {};
  if (bounds.most.value_or(-step) < -step || bounds.most.value_or(step) > step) return {};
  // After some digits only their remainder matters; a rule for each says what may follow.
  std::vector<size_t> rules;
  for (int64_t i = 0; i < step; ++i) rules.push_back(grammar.add(fmt::format("remainder {} of {}", i, step)));
  const auto then = [&](int64_t remainder, int64_t next) {
    const char sign = static_cast<char>('0' + next);
    return sequence_of(
        {digit(sign, sign), rule_of(rules[static_cast<size_t>((remainder * 10 + next) % step)])});
  };
  for (int64_t remainder = 0; remainder < step; ++remainder) {
    std::vector<Expression> ways;
    for (int64_t next = 0; next < 10; ++next) ways.push_back(then(remainder, next));
    if (remainder == 0) ways.push_back(text_of(""));
    grammar.rules[rules[static_cast<size_t>(remainder)]].expression = choice_of(std::move(ways));
  }
  std::vector<Expression> positive;
  for (int64_t next = 1; next < 10; ++next) positive.push_back(then(0, next));
  const Expression magnitude_part = choice_of(std::move(positive));
  std::vector<Expression> ways;
  if (bounds.least.value_or(0) <= 0 && bounds.most.value_or(0) >= 0) ways.push_back(text_of("0"));
  if (goes_above) ways.push_back(magnitude_part);
  if (goes_below) ways.push_back(sequence_of({text_of("-"), magnitude_part}));
  return choice_of(std::move(ways));
}

}  // namespace plm::grammar
