#include "convert/token_table.h"

#include <array>

namespace plm::convert {
namespace {

using tokenizer::TokenType;

bool looks_special(std::string_view text) {
  static constexpr std::array<std::string_view, 4> kKnown = {"<pad>", "<mask>", "<2mass>", "[@BOS@]"};
  for (const std::string_view known : kKnown) {
    if (text == known) return true;
  }
  const auto enclosed = [text](std::string_view begin, std::string_view end) {
    return text.size() >= begin.size() + end.size() && text.starts_with(begin) && text.ends_with(end);
  };
  return enclosed("<|", "|>") || enclosed("<｜", "｜>") || enclosed("<unused", ">");
}

}  // namespace

Status TokenTable::add(const Json& id, const std::string& text, TokenType type) {
  const auto index = to_count(id);
  if (!index || *index >= std::ssize(texts_)) {
    return make_error(ErrorKind::bad_data,
                      "{}: token \"{}\": found the id {}, expected an integer below the vocab_size of {}",
                      path_, shown(text), id.is_structured() ? id.type_name() : id.dump(), texts_.size());
  }
  const auto i = static_cast<size_t>(*index);
  if (types_[i] != TokenType::undefined && texts_[i] != text) {
    return make_error(ErrorKind::bad_data, "{}: token \"{}\": found the id {}, which is that of \"{}\"",
                      path_, shown(text), i, shown(texts_[i]));
  }
  texts_[i] = text;
  types_[i] = type;
  return {};
}

Status TokenTable::add_vocabulary(const Json& vocabulary) {
  if (!vocabulary.is_object()) {
    return make_error(ErrorKind::bad_data, "{}: found a vocabulary that is {}, expected an object", path_,
                      vocabulary.type_name());
  }
  for (const auto& [text, id] : vocabulary.items()) PLM_TRY_STATUS(add(id, text, TokenType::normal));
  return {};
}

Status TokenTable::add_extra(const Json& id, const std::string& text, bool is_special) {
  return add(id, text, is_special || looks_special(text) ? TokenType::control : TokenType::user_defined);
}

void TokenTable::take(tokenizer::VocabularyData& data) && {
  data.types.clear();
  for (size_t i = 0; i < texts_.size(); ++i) {
    if (types_[i] == TokenType::undefined) {
      texts_[i] = fmt::format("[PAD{}]", i);
      types_[i] = TokenType::unused;
    }
    data.types.push_back(static_cast<int32_t>(types_[i]));
  }
  data.tokens = std::move(texts_);
}

}  // namespace plm::convert
