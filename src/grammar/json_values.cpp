#include "grammar/json_values.h"

#include <algorithm>

#include "grammar/json_numbers.h"
#include "grammar/json_text.h"

namespace plm::grammar {

size_t JsonValues::number(Kind kind) {
  if (const auto known = numbers_.find(kind); known != numbers_.end()) return known->second;
  const size_t rule = grammar_.add("json");
  numbers_[kind] = rule;  // first, for objects hold values and values objects
  grammar_.rules[rule].expression = expression(kind);
  return rule;
}

Expression JsonValues::expression(Kind kind) {
  switch (kind) {
    case Kind::blank:
      // Little, so that a model cannot write blanks for ever.
      return optional_of(
          choice_of({text_of(" "),
                     sequence_of({text_of("\n"), repeat_of(one_of({{'\t', '\t'}, {' ', ' '}}), 0, 20)})}));
    case Kind::character:
      return any_json_character();
    case Kind::string:
      return sequence_of({text_of("\""), repeat_of(character(), 0), text_of("\"")});
    case Kind::array:
      return array_of({}, value(), 0, Expression::kNoLimit);
    case Kind::object: {
      const auto one = [&] { return member(string(), value()); };
      return braces(optional_of(sequence_of({one(), repeat_of(sequence_of({comma(), one()}), 0)})));
    }
    case Kind::value:
      return choice_of({object(), array(), string(), number_between({}), text_of("true"), text_of("false"),
                        text_of("null")});
  }
  return {};
}

Expression JsonValues::comma() { return sequence_of({text_of(","), blank()}); }

Expression JsonValues::member(Expression key, Expression value) {
  return sequence_of({std::move(key), text_of(":"), blank(), std::move(value)});
}

Expression JsonValues::braces(Expression inner) {
  return sequence_of({text_of("{"), blank(), std::move(inner), blank(), text_of("}")});
}

Expression JsonValues::array_of(std::vector<Expression> heads, Expression item, int64_t least, int64_t most) {
  const auto n_heads = std::ssize(heads);
  std::vector<Expression> parts;
  for (Expression& head : heads) {
    if (!parts.empty()) parts.push_back(comma());
    parts.push_back(std::move(head));
  }
  const int64_t n_least = std::max<int64_t>(least - n_heads, 0);
  const int64_t n_most = most == Expression::kNoLimit ? most : most - n_heads;
  if (n_heads > 0) {
    parts.push_back(repeat_of(sequence_of({comma(), std::move(item)}), n_least, n_most));
  } else if (n_most != 0) {
    Expression more = repeat_of(sequence_of({comma(), item}), std::max<int64_t>(n_least - 1, 0),
                                n_most == Expression::kNoLimit ? n_most : n_most - 1);
    Expression all = sequence_of({std::move(item), std::move(more)});
    parts.push_back(n_least == 0 ? optional_of(std::move(all)) : std::move(all));
  }
  return sequence_of({text_of("["), blank(), sequence_of(std::move(parts)), blank(), text_of("]")});
}

}  // namespace plm::grammar
