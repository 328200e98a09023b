#include "tokenizer/pre_tokenizer.h"

#include "tokenizer/character_class.h"
#include "tokenizer/word_patterns.h"

namespace plm::tokenizer {
namespace {

// \p{N}
const char* next_single_number(const char* begin, const char* end) {
  const ClassifiedChar first = classify(begin, end);
  if (first.is_number()) return begin + first.length;
  return next_run(begin, end, [](const ClassifiedChar& c) { return c.is_number(); });
}

// \p{N}+
const char* next_number_run(const char* begin, const char* end) {
  return next_run(begin, end, [](const ClassifiedChar& c) { return c.is_number(); });
}

// [\p{P}\$\+<=>\^~\|]+
const char* next_punctuation_run(const char* begin, const char* end) {
  return next_run(begin, end, [](const ClassifiedChar& c) {
    if ((c.flags & kPunctuation) != 0) return true;
    return c.code_point < 0x80 &&
           std::string_view("$+<=>^~|").find(static_cast<char>(c.code_point)) != std::string_view::npos;
  });
}

// [0-9][0-9][0-9]
const char* next_three_digits(const char* begin, const char* end) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto matches = [&](const char* p) {
    return end - p >= 3 && is_digit(p[0]) && is_digit(p[1]) && is_digit(p[2]);
  };
  if (matches(begin)) return begin + 3;
  const char* p = begin;
  while (p < end && !matches(p)) ++p;
  return p;
}

// [\r\n]
const char* next_line_end(const char* begin, const char* end) {
  if (*begin == '\r' || *begin == '\n') return begin + 1;
  return next_run(begin, end, [](const ClassifiedChar& c) { return c.is_newline(); });
}

// \s?[class]+
template <class Accepts>
const char* next_spaced_run(const char* begin, const char* end, Accepts accepts) {
  for (const char* p = begin; p < end;) {
    const ClassifiedChar c = classify(p, end);
    const char* const after = p + c.length;
    const bool matches = accepts(c) || (c.is_space() && after < end && accepts(classify(after, end)));
    if (matches) return p != begin ? p : skip_run(after, end, accepts);
    p = after;
  }
  return end;
}

const char* next_deepseek_letters(const char* begin, const char* end) {
  return next_spaced_run(begin, end,
                         [](const ClassifiedChar& c) { return is_deepseek_letter(c.code_point); });
}

// \s?[!-/:-~！-／：-～‘-‟　-。]+
const char* next_deepseek_punctuation(const char* begin, const char* end) {
  return next_spaced_run(begin, end, [](const ClassifiedChar& c) {
    const auto within = [&c](std::uint32_t low, std::uint32_t high) {
      return c.code_point >= low && c.code_point <= high;
    };
    return within('!', '/') || within(':', '~') || within(0xFF01, 0xFF0F) || within(0xFF1A, 0xFF5E) ||
           within(0x2018, 0x201F) || within(0x3000, 0x3002);
  });
}

// \s+$
const char* next_trailing_whitespace(const char* begin, const char* end) {
  const char* space_begin = nullptr;
  for (const char* p = begin; p < end;) {
    const ClassifiedChar c = classify(p, end);
    if (!c.is_space()) {
      space_begin = nullptr;
    } else if (space_begin == nullptr) {
      space_begin = p;
    }
    p += c.length;
  }
  return space_begin == nullptr || space_begin == begin ? end : space_begin;
}

// [一-龥ࠀ-一가-퟿]+
const char* next_deepseek_cjk(const char* begin, const char* end) {
  return next_run(begin, end, [](const ClassifiedChar& c) {
    return (c.code_point >= 0x0800 && c.code_point <= 0x9FA5) ||
           (c.code_point >= 0xAC00 && c.code_point <= 0xD7FF);
  });
}

constexpr NextPiece kPlainStages[] = {next_punctuation_run, next_gpt2_word, next_number_run,
                                      next_three_digits};
constexpr NextPiece kGpt2Stages[] = {next_gpt2_word};
constexpr NextPiece kQwen2Stages[] = {next_qwen2_word};
constexpr NextPiece kLlama3Stages[] = {next_llama3_word};
constexpr NextPiece kSmollmStages[] = {next_single_number, next_gpt2_word};
constexpr NextPiece kDeepseekStages[] = {
    next_line_end,     next_deepseek_letters, next_deepseek_punctuation, next_trailing_whitespace,
    next_deepseek_cjk, next_number_run};

std::span<const NextPiece> stages_of(PreTokenizer kind) {
  switch (kind) {
    case PreTokenizer::plain:
      return kPlainStages;
    case PreTokenizer::gpt2:
      return kGpt2Stages;
    case PreTokenizer::qwen2:
      return kQwen2Stages;
    case PreTokenizer::llama3:
      return kLlama3Stages;
    case PreTokenizer::smollm:
      return kSmollmStages;
    case PreTokenizer::deepseek_llm:
      return kDeepseekStages;
  }
  return kPlainStages;
}

struct NamedPreTokenizer {
  std::string_view name;
  PreTokenizer kind;
};
constexpr NamedPreTokenizer kNames[] = {
    {"default", PreTokenizer::plain}, {"gpt-2", PreTokenizer::gpt2},
    {"qwen2", PreTokenizer::qwen2},   {"llama-bpe", PreTokenizer::llama3},
    {"llama3", PreTokenizer::llama3}, {"llama-v3", PreTokenizer::llama3},
    {"smollm", PreTokenizer::smollm}, {"deepseek-llm", PreTokenizer::deepseek_llm},
};

}  // namespace

std::optional<PreTokenizer> find_pre_tokenizer(std::string_view name) {
  if (name.empty()) return PreTokenizer::plain;
  for (const NamedPreTokenizer& known : kNames) {
    if (known.name == name) return known.kind;
  }
  return std::nullopt;
}

std::string known_pre_tokenizers() {
  std::string names;
  for (const NamedPreTokenizer& known : kNames) {
    if (!names.empty()) names += ", ";
    names += known.name;
  }
  return names;
}

WordSplitter::WordSplitter(PreTokenizer kind, std::string_view text) : stages_(stages_of(kind)) {
  rest_.fill({nullptr, nullptr});
  rest_[0] = {text.data(), text.data() + text.size()};
}

std::string_view WordSplitter::next() {
  const std::size_t last = stages_.size() - 1;
  std::size_t stage = last;
  while (rest_[stage].begin == rest_[stage].end) {
    if (stage == 0) return {};
    --stage;
  }
  for (;; ++stage) {
    Chunk& chunk = rest_[stage];
    const char* const piece_begin = chunk.begin;
    chunk.begin = stages_[stage](chunk.begin, chunk.end);
    if (stage == last) return {piece_begin, static_cast<std::size_t>(chunk.begin - piece_begin)};
    rest_[stage + 1] = {piece_begin, chunk.begin};
  }
}

}  // namespace plm::tokenizer
