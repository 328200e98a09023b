#include "cli/token_ids.h"

#include <charconv>

#include "gguf/value.h"

namespace plm::cli {

Result<std::vector<tokenizer::TokenId>> parse_token_ids(std::string_view text, size_t vocabulary_size) {
  constexpr std::string_view kSeparators = " ,\t\r\n[]";
  std::vector<tokenizer::TokenId> ids;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kSeparators), text.size()));
    if (text.empty()) return ids;
    const std::string_view word = text.substr(0, text.find_first_of(kSeparators));
    text.remove_prefix(word.size());
    int64_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size()) {
      return make_error(ErrorKind::invalid_argument, "token ids: \"{}\" is not a number",
                        gguf::printable(word));
    }
    if (id < 0 || id >= static_cast<int64_t>(vocabulary_size)) {
      return make_error(ErrorKind::invalid_argument, "token ids: {} is not in the vocabulary of 0 to {}", id,
                        vocabulary_size - 1);
    }
    ids.push_back(static_cast<tokenizer::TokenId>(id));
  }
}

}  // namespace plm::cli
