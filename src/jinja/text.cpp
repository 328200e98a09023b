#include "jinja/text.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace plm::jinja {
namespace {

// The code point at the beginning of a text that is not empty, and its length; -1 and 1 for a stray byte.
struct CodePoint {
  int32_t value;
  size_t bytes;
};
CodePoint first_of(std::string_view text) {
  if (static_cast<unsigned char>(text[0]) < 0x80) return {static_cast<unsigned char>(text[0]), 1};
  utf8proc_int32_t value = -1;
  const auto bytes =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                       static_cast<utf8proc_ssize_t>(std::min<size_t>(text.size(), 4)), &value);
  if (bytes <= 0) return {-1, 1};
  return {value, static_cast<size_t>(bytes)};
}

template <class Function>
void for_each_code_point(std::string_view text, Function function) {
  while (!text.empty()) {
    const CodePoint point = first_of(text);
    function(point.value, text.substr(0, point.bytes));
    text.remove_prefix(point.bytes);
  }
}

utf8proc_category_t category(int32_t c) { return c < 0 ? UTF8PROC_CATEGORY_CN : utf8proc_category(c); }

bool is_letter(int32_t c) {
  const auto kind = category(c);
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT ||
         kind == UTF8PROC_CATEGORY_LM || kind == UTF8PROC_CATEGORY_LO;
}
bool has_case(int32_t c) { return c >= 0 && (utf8proc_toupper(c) != c || utf8proc_tolower(c) != c); }

// str.isspace() of one code point.
bool is_blank(int32_t c) {
  if (c < 0) return false;
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
  return c == 0x85 || category(c) == UTF8PROC_CATEGORY_ZS || c == 0x2028 || c == 0x2029;
}

void append_upper(int32_t c, std::string_view bytes, std::string& out) {
  if (c == 0xdf) {
    out += "SS";
  } else {
    out += c < 0 ? std::string(bytes) : utf8_of(static_cast<uint32_t>(utf8proc_toupper(c)));
  }
}
void append_title(int32_t c, std::string_view bytes, std::string& out) {
  if (c == 0xdf) {
    out += "Ss";
  } else {
    out += c < 0 ? std::string(bytes) : utf8_of(static_cast<uint32_t>(utf8proc_totitle(c)));
  }
}
void append_lower(int32_t c, std::string_view bytes, std::string& out) {
  out += c < 0 ? std::string(bytes) : utf8_of(static_cast<uint32_t>(utf8proc_tolower(c)));
}

template <class Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  bool all = !text.empty();
  for_each_code_point(text, [&](int32_t c, std::string_view) { all = all && predicate(c); });
  return all;
}

// Some letter has a case, and none the other one.
bool has_only_case(std::string_view text, bool upper) {
  bool some = false, all = true;
  for_each_code_point(text, [&](int32_t c, std::string_view) {
    if (!has_case(c)) return;
    const bool is_upper_case = utf8proc_tolower(c) != c && utf8proc_toupper(c) == c;
    const bool is_lower_case = utf8proc_toupper(c) != c && utf8proc_tolower(c) == c;
    some = some || is_upper_case || is_lower_case;
    all = all && (upper ? is_upper_case : is_lower_case);
  });
  return some && all;
}

template <class Strips>
std::string_view strip_if(std::string_view text, Side side, Strips strips) {
  const auto points = code_points(text);
  size_t first = 0, last = points.size();
  while (side != Side::right && first < last && strips(points[first])) ++first;
  while (side != Side::left && last > first && strips(points[last - 1])) --last;
  if (first == last) return {};
  return {points[first].data(),
          static_cast<size_t>(points[last - 1].data() + points[last - 1].size() - points[first].data())};
}

// What repr() writes as it is.
bool is_printable(int32_t c) {
  if (c == ' ') return true;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
      return false;
    default:
      return true;
  }
}

}  // namespace

std::string utf8_of(uint32_t code_point) {
  std::array<utf8proc_uint8_t, 4> bytes;
  if (!utf8proc_codepoint_valid(static_cast<utf8proc_int32_t>(code_point))) return {};
  const auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), bytes.data());
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(n)};
}

std::vector<std::string_view> code_points(std::string_view text) {
  std::vector<std::string_view> points;
  for_each_code_point(text, [&](int32_t, std::string_view bytes) { points.push_back(bytes); });
  return points;
}

size_t count_code_points(std::string_view text) {
  size_t n = 0;
  for_each_code_point(text, [&](int32_t, std::string_view) { ++n; });
  return n;
}

std::string to_upper(std::string_view text) {
  std::string out;
  for_each_code_point(text, [&](int32_t c, std::string_view bytes) { append_upper(c, bytes, out); });
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  for_each_code_point(text, [&](int32_t c, std::string_view bytes) { append_lower(c, bytes, out); });
  return out;
}

std::string to_capitalized(std::string_view text) {
  std::string out;
  bool is_first = true;
  for_each_code_point(text, [&](int32_t c, std::string_view bytes) {
    is_first ? append_title(c, bytes, out) : append_lower(c, bytes, out);
    is_first = false;
  });
  return out;
}

std::string to_title(std::string_view text) {
  std::string out;
  bool after_letter = false;
  for_each_code_point(text, [&](int32_t c, std::string_view bytes) {
    after_letter ? append_lower(c, bytes, out) : append_title(c, bytes, out);
    after_letter = has_case(c);
  });
  return out;
}

std::string to_title_words(std::string_view text) {
  std::string out;
  bool at_start = true;
  for_each_code_point(text, [&](int32_t c, std::string_view bytes) {
    at_start ? append_upper(c, bytes, out) : append_lower(c, bytes, out);
    at_start =
        is_blank(c) || (c >= 0 && c < 0x80 &&
                        std::string_view("-({[<").find(static_cast<char>(c)) != std::string_view::npos);
  });
  return out;
}

bool is_space(std::string_view text) { return all_of(text, is_blank); }
bool is_alpha(std::string_view text) { return all_of(text, is_letter); }
bool is_digit(std::string_view text) {
  return all_of(text, [](int32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; });
}
bool is_alnum(std::string_view text) {
  return all_of(text, [](int32_t c) {
    const auto kind = category(c);
    return is_letter(c) || kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL ||
           kind == UTF8PROC_CATEGORY_NO;
  });
}
size_t count_words(std::string_view text) {
  size_t n = 0;
  bool in_word = false;
  for_each_code_point(text, [&](int32_t, std::string_view bytes) {
    const bool is_part = bytes == "_" || is_alnum(bytes);
    if (is_part && !in_word) ++n;
    in_word = is_part;
  });
  return n;
}
bool is_upper(std::string_view text) { return has_only_case(text, true); }
bool is_lower(std::string_view text) { return has_only_case(text, false); }

std::string_view strip(std::string_view text, std::string_view set, Side side) {
  const auto stripped = code_points(set);
  return strip_if(text, side, [&](std::string_view point) {
    return std::find(stripped.begin(), stripped.end(), point) != stripped.end();
  });
}

std::string_view strip(std::string_view text, Side side) {
  return strip_if(text, side, [](std::string_view point) { return is_blank(first_of(point).value); });
}

std::vector<std::string_view> split_at_blanks(std::string_view text, int64_t max_splits, bool from_right) {
  const auto points = code_points(text);
  const auto blank = [&](size_t i) { return is_blank(first_of(points[i]).value); };
  const auto piece = [&](size_t first, size_t last) {
    return std::string_view(
        points[first].data(),
        static_cast<size_t>(points[last - 1].data() + points[last - 1].size() - points[first].data()));
  };
  std::vector<std::string_view> pieces;
  if (from_right) {
    size_t last = points.size();
    while (true) {
      while (last > 0 && blank(last - 1)) --last;
      if (last == 0) break;
      size_t first = 0;
      if (max_splits < 0 || std::ssize(pieces) < max_splits) {
        first = last;
        while (first > 0 && !blank(first - 1)) --first;
      }
      pieces.push_back(piece(first, last));
      last = first;
    }
    std::reverse(pieces.begin(), pieces.end());
    return pieces;
  }
  size_t first = 0;
  while (true) {
    while (first < points.size() && blank(first)) ++first;
    if (first == points.size()) break;
    size_t last = points.size();
    if (max_splits < 0 || std::ssize(pieces) < max_splits) {
      last = first;
      while (last < points.size() && !blank(last)) ++last;
    }
    pieces.push_back(piece(first, last));
    first = last;
  }
  return pieces;
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, int64_t max_splits,
                                       bool from_right) {
  std::vector<std::string_view> pieces;
  while (max_splits < 0 || std::ssize(pieces) < max_splits) {
    const size_t at = from_right ? text.rfind(separator) : text.find(separator);
    if (at == std::string_view::npos) break;
    pieces.push_back(from_right ? text.substr(at + separator.size()) : text.substr(0, at));
    text = from_right ? text.substr(0, at) : text.substr(at + separator.size());
  }
  pieces.push_back(text);
  if (from_right) std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  size_t start = 0, at = 0;
  while (at < text.size()) {
    const CodePoint point = first_of(text.substr(at));
    const int32_t c = point.value;
    const bool ends =
        (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
    size_t next = at + point.bytes;
    if (ends) {
      lines.push_back(text.substr(start, at - start));
      if (c == '\r' && next < text.size() && text[next] == '\n') ++next;
      start = next;
    }
    at = next;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

std::string repr_of_text(std::string_view text) {
  const bool double_quotes =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = double_quotes ? '"' : '\'';
  std::string out(1, quote);
  for_each_code_point(text, [&](int32_t c, std::string_view bytes) {
    if (c == quote || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0]));
    } else if (is_printable(c)) {
      out += bytes;
    } else if (c < 0x100) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += c < 0x10000 ? fmt::format("\\u{:04x}", c) : fmt::format("\\U{:08x}", c);
    }
  });
  out += quote;
  return out;
}

std::string repr_of_real(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::array<char, 40> buffer;
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::scientific);
  const std::string_view shortest(buffer.data(), static_cast<size_t>(end.ptr - buffer.data()));
  const size_t e = shortest.find('e');
  int exponent = 0;
  const size_t sign_bytes = shortest[e + 1] == '+' ? 2 : 1;
  std::from_chars(shortest.data() + e + sign_bytes, shortest.data() + shortest.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(shortest);
  const auto fixed =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed);
  std::string out(buffer.data(), static_cast<size_t>(fixed.ptr - buffer.data()));
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::string json_of_text(std::string_view text, bool ascii_only) {
  std::string out = "\"";
  for_each_code_point(text, [&](int32_t c, std::string_view bytes) {
    switch (c) {
      case '"':
        out += "\\\"";
        return;
      case '\\':
        out += "\\\\";
        return;
      case '\n':
        out += "\\n";
        return;
      case '\r':
        out += "\\r";
        return;
      case '\t':
        out += "\\t";
        return;
      case '\b':
        out += "\\b";
        return;
      case '\f':
        out += "\\f";
        return;
      default:
        break;
    }
    if ((c >= 0 && c < 0x20) || (ascii_only && c >= 0x7f && c < 0x10000 && c != 0x7f)) {
      out += fmt::format("\\u{:04x}", c);
    } else if (ascii_only && c >= 0x10000) {
      const auto offset = static_cast<uint32_t>(c) - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (offset >> 10), 0xdc00 + (offset & 0x3ff));
    } else {
      out += bytes;
    }
  });
  out += '"';
  return out;
}

}  // namespace plm::jinja
