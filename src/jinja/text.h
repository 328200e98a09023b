// Texts as Python sees them: sequences of code points, kept in UTF-8. A byte that is not part of valid UTF-8
// counts as one code point and is kept as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plm::jinja {

// The code points of a text, each as its own bytes.
std::vector<std::string_view> code_points(std::string_view text);
size_t count_code_points(std::string_view text);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
// The first letter upper, the others lower.
std::string to_capitalized(std::string_view text);
// str.title(): a letter after anything but a letter is upper, the others are lower.
std::string to_title(std::string_view text);
// jinja2's filter title: words end at blanks and at -({[< alone.
std::string to_title_words(std::string_view text);

// Python's answers for a whole text; false for an empty one.
bool is_space(std::string_view text);
bool is_alpha(std::string_view text);
bool is_digit(std::string_view text);
bool is_alnum(std::string_view text);
bool is_upper(std::string_view text);
bool is_lower(std::string_view text);

// Runs of letters, digits and _.
size_t count_words(std::string_view text);

enum class Side { left, right, both };
// Without the characters of `set` at the ends; the overload without a set drops blanks.
std::string_view strip(std::string_view text, std::string_view set, Side side);
std::string_view strip(std::string_view text, Side side);

// At runs of blanks, without empty pieces. max_splits < 0: no limit.
std::vector<std::string_view> split_at_blanks(std::string_view text, int64_t max_splits, bool from_right);
// At a separator that is not empty.
std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, int64_t max_splits,
                                       bool from_right);
// Python's splitlines(), without the ends of lines.
std::vector<std::string_view> split_lines(std::string_view text);

// repr('it"s'): quotes and escapes as Python chooses them.
std::string repr_of_text(std::string_view text);
// repr(0.1): the shortest digits that give the number back.
std::string repr_of_real(double number);
// A JSON string as json.dumps(ensure_ascii=...) writes it.
std::string json_of_text(std::string_view text, bool ascii_only);
// UTF-8 of a code point; "" when it is none.
std::string utf8_of(uint32_t code_point);

}  // namespace plm::jinja
