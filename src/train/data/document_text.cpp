#include "train/data/document_text.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tokenizer/utf8.h"

namespace plm::train {

namespace {

// What nlohmann says, without its number and position in bytes of the document.
std::string reason_of(const nlohmann::json::exception& error) {
  const std::string_view what = error.what();
  const size_t at = what.find("column ");
  return std::string(at == std::string_view::npos ? what : what.substr(at));
}

}  // namespace

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    uint64_t eight;
    if (end - p >= 8 && (std::memcpy(&eight, p, 8), (eight & 0x8080808080808080u) == 0)) {
      p += 8;
      continue;
    }
    const auto character = tokenizer::decode_utf8(p, end);
    if (character.code_point == tokenizer::kInvalidCodePoint) return static_cast<size_t>(p - text.data());
    p += character.length;
  }
  return std::nullopt;
}

Result<std::string> text_of(RawDocument document, const std::string& column, const std::string& path) {
  if (!document.is_json) {
    if (const auto at = find_invalid_utf8(document.bytes)) {
      const auto invalid = document.bytes.begin() + static_cast<std::ptrdiff_t>(*at);
      return make_error(ErrorKind::bad_data, "{}:{}: not UTF-8 (byte 0x{:02X})", path,
                        document.line + std::count(document.bytes.begin(), invalid, '\n'),
                        static_cast<unsigned char>(*invalid));
    }
    return std::move(document.bytes);
  }
  try {
    auto object = nlohmann::json::parse(document.bytes);
    if (!object.is_object()) {
      return make_error(ErrorKind::bad_data, "{}:{}: found {}, expected a JSON object", path, document.line,
                        object.type_name());
    }
    const auto field = object.find(column);
    if (field == object.end()) {
      return make_error(ErrorKind::bad_data, "{}:{}: no field \"{}\"", path, document.line, column);
    }
    if (!field->is_string()) {
      return make_error(ErrorKind::bad_data, "{}:{}: field \"{}\": found {}, expected a string", path,
                        document.line, column, field->type_name());
    }
    return std::move(field->get_ref<std::string&>());
  } catch (const nlohmann::json::exception& error) {
    return make_error(ErrorKind::bad_data, "{}:{}: bad JSON: {}", path, document.line, reason_of(error));
  }
}

}  // namespace plm::train
