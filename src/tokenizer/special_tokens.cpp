#include "tokenizer/special_tokens.h"

#include <algorithm>

namespace plm::tokenizer {
namespace {

unsigned first_byte(std::string_view text) { return static_cast<unsigned char>(text[0]); }

}  // namespace

SpecialTokens::SpecialTokens(const Vocabulary& vocabulary) {
  for (std::size_t id = 0; id < vocabulary.size(); ++id) {
    const TokenType type = vocabulary.types[id];
    const bool is_control = type == TokenType::control || type == TokenType::unknown;
    if ((!is_control && type != TokenType::user_defined) || vocabulary.texts[id].empty()) continue;
    tokens_.push_back({vocabulary.texts[id], static_cast<TokenId>(id), is_control});
  }
  std::sort(tokens_.begin(), tokens_.end(),
            [](const Token& a, const Token& b) { return a.text != b.text ? a.text < b.text : a.id < b.id; });
  std::size_t index = 0;
  for (unsigned byte = 0; byte < 256; ++byte) {
    first_index_[byte] = index;
    while (index < tokens_.size() && first_byte(tokens_[index].text) == byte) ++index;
  }
  first_index_[256] = tokens_.size();
}

std::vector<SpecialMatch> SpecialTokens::find(std::string_view text, bool with_control) const {
  std::vector<SpecialMatch> matches = candidates(text, with_control);
  const bool overlap = std::adjacent_find(matches.begin(), matches.end(), [](const auto& a, const auto& b) {
                         return a.begin + a.size > b.begin;
                       }) != matches.end();
  if (!overlap) return matches;
  std::sort(matches.begin(), matches.end(), [](const SpecialMatch& a, const SpecialMatch& b) {
    if (a.size != b.size) return a.size > b.size;
    return a.id != b.id ? a.id < b.id : a.begin < b.begin;
  });
  // Whoever came before is at least as long, so an overlap covers the first or the last byte.
  std::vector<bool> taken(text.size());
  std::vector<SpecialMatch> chosen;
  for (const SpecialMatch& match : matches) {
    if (taken[match.begin] || taken[match.begin + match.size - 1]) continue;
    std::fill_n(taken.begin() + static_cast<std::ptrdiff_t>(match.begin), match.size, true);
    chosen.push_back(match);
  }
  std::sort(chosen.begin(), chosen.end(),
            [](const SpecialMatch& a, const SpecialMatch& b) { return a.begin < b.begin; });
  return chosen;
}

// All places where a special token is written, by their beginning; they may overlap.
std::vector<SpecialMatch> SpecialTokens::candidates(std::string_view text, bool with_control) const {
  std::vector<SpecialMatch> matches;
  if (tokens_.empty()) return matches;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const unsigned byte = first_byte(text.substr(at));
    for (std::size_t i = first_index_[byte]; i < first_index_[byte + 1]; ++i) {
      const Token& token = tokens_[i];
      if (token.is_control && !with_control) continue;
      if (text.substr(at, token.text.size()) == token.text) {
        matches.push_back({at, token.text.size(), token.id});
      }
    }
  }
  return matches;
}

}  // namespace plm::tokenizer
