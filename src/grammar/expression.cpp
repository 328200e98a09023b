#include "grammar/expression.h"

#include <algorithm>

namespace plm::grammar {

CharacterSet make_set(std::vector<CodePointRange> ranges) {
  std::erase_if(ranges, [](const CodePointRange& range) { return range.first > range.last; });
  std::ranges::sort(ranges, {}, &CodePointRange::first);
  CharacterSet set;
  for (const CodePointRange& range : ranges) {
    if (!set.empty() && range.first <= set.back().last + 1) {
      set.back().last = std::max(set.back().last, range.last);
    } else {
      set.push_back(range);
    }
  }
  return set;
}

CharacterSet complement(const CharacterSet& set) {
  CharacterSet result;
  uint32_t next = 0;
  for (const CodePointRange& range : set) {
    if (range.first > next) result.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastCodePoint) result.push_back({next, kLastCodePoint});
  return result;
}

CharacterSet intersection(const CharacterSet& a, const CharacterSet& b) {
  CharacterSet result;
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    const uint32_t first = std::max(a[i].first, b[j].first), last = std::min(a[i].last, b[j].last);
    if (first <= last) result.push_back({first, last});
    if (a[i].last < b[j].last) {
      ++i;
    } else {
      ++j;
    }
  }
  return result;
}

bool contains(const CharacterSet& set, uint32_t code_point) {
  return std::ranges::any_of(set, [&](const CodePointRange& range) {
    return range.first <= code_point && code_point <= range.last;
  });
}

Expression text_of(std::string bytes) { return {.kind = Expression::Kind::text, .text = std::move(bytes)}; }
Expression one_of(CharacterSet set) {
  return {.kind = Expression::Kind::characters, .characters = std::move(set)};
}
Expression rule_of(size_t rule) { return {.kind = Expression::Kind::rule, .rule = rule}; }

Expression sequence_of(std::vector<Expression> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  return {.kind = Expression::Kind::sequence, .parts = std::move(parts)};
}
Expression choice_of(std::vector<Expression> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  return {.kind = Expression::Kind::choice, .parts = std::move(parts)};
}
Expression repeat_of(Expression part, int64_t least, int64_t most) {
  Expression repeat{.kind = Expression::Kind::repeat, .least = least, .most = most};
  repeat.parts.push_back(std::move(part));
  return repeat;
}
Expression optional_of(Expression part) { return repeat_of(std::move(part), 0, 1); }

size_t Grammar::add(std::string name, Expression expression) {
  rules.push_back({std::move(name), std::move(expression)});
  return rules.size() - 1;
}

}  // namespace plm::grammar
