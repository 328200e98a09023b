#include "runtime/sampler_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace plm::runtime {

namespace {

// A breaker's tail is cut here: long ones are compared at every token.
constexpr size_t kMaxBreakerTail = 20;
constexpr size_t kMaxBreakerBytes = 40;

void add_breakers_of_token(const tokenizer::Tokenizer& tokenizer, TokenId id, std::string_view breaker,
                           std::vector<DryBreaker>& breakers) {
  const std::string_view bytes = tokenizer.token_bytes(id);
  if (bytes.find(breaker) != std::string_view::npos) {
    breakers.push_back({id, {}});
    return;
  }
  for (size_t n = std::min(bytes.size(), breaker.size() - 1); n > 0; --n) {
    if (bytes.substr(bytes.size() - n) != breaker.substr(0, n)) continue;
    auto tail = tokenizer.encode(breaker.substr(n), {.add_special = false, .parse_special = false});
    if (tail.size() > kMaxBreakerTail) tail.resize(kMaxBreakerTail);
    breakers.push_back({id, std::move(tail)});
  }
}

}  // namespace

const std::vector<std::string>& default_dry_breakers() {
  static const std::vector<std::string> breakers = {"\n", ":", "\"", "*"};
  return breakers;
}

std::vector<DryBreaker> find_dry_breakers(const tokenizer::Tokenizer& tokenizer,
                                          const std::vector<std::string>& texts) {
  std::vector<DryBreaker> breakers;
  for (const std::string& text : texts) {
    const std::string_view breaker = std::string_view(text).substr(0, kMaxBreakerBytes);
    if (breaker.empty()) continue;
    for (size_t id = 0; id < tokenizer.vocabulary_size(); ++id) {
      add_breakers_of_token(tokenizer, static_cast<TokenId>(id), breaker, breakers);
    }
  }
  return breakers;
}

Result<std::pair<TokenId, float>> parse_logit_bias(std::string_view text) {
  const auto wrong = [text] {
    return make_error(ErrorKind::invalid_argument,
                      "logit bias \"{}\": expected TOKEN+BIAS or TOKEN-BIAS, such as 15043+1 or 15043-inf",
                      text);
  };
  TokenId id = 0;
  const char* const end = text.data() + text.size();
  const auto [after_id, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || after_id == end) return wrong();
  const std::string_view rest(after_id, static_cast<size_t>(end - after_id));
  if (rest == ":false" || rest == "-inf") return std::pair{id, -std::numeric_limits<float>::infinity()};
  if (rest[0] != '+' && rest[0] != '-') return wrong();
  float bias = 0.0f;
  const auto [after_bias, bias_error] = std::from_chars(after_id + (rest[0] == '+' ? 1 : 0), end, bias);
  if (bias_error != std::errc() || after_bias != end || !std::isfinite(bias)) return wrong();
  return std::pair{id, bias};
}

}  // namespace plm::runtime
