// Cuts text into the words that byte-level BPE merges within. Each GGUF name (tokenizer.ggml.pre) stands for
// one or more regular expressions; they are written out here as code, several times as fast as a regular
// expression engine, never quadratic, and defined for invalid UTF-8 too (each broken byte is a symbol).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace plm::tokenizer {

enum class PreTokenizer { plain, gpt2, qwen2, llama3, smollm, deepseek_llm };

// For a value of tokenizer.ggml.pre; "" (no such key) and "default" give `plain`. Nothing for unknown names.
std::optional<PreTokenizer> find_pre_tokenizer(std::string_view name);

// "default, gpt-2, ...": for messages.
std::string known_pre_tokenizers();

// The end of the first piece of [begin, end), which is not empty. A pattern that does not match at `begin`
// gives the piece before its next match.
using NextPiece = const char* (*)(const char* begin, const char* end);

// Hands out the words of a text one by one. Patterns of several stages cut each piece of the stage before.
class WordSplitter {
 public:
  WordSplitter(PreTokenizer kind, std::string_view text);

  // The next word; empty at the end of the text.
  std::string_view next();

 private:
  static constexpr std::size_t kMaxStages = 6;
  struct Chunk {
    const char* begin;
    const char* end;
  };

  std::span<const NextPiece> stages_;
  std::array<Chunk, kMaxStages> rest_;  // by stage: what it has still to cut
};

}  // namespace plm::tokenizer
