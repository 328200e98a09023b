// The patterns of one stage that GPT-2 and its descendants use, as NextPiece functions.
#pragma once

#include <cstdint>

namespace plm::tokenizer {

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
const char* next_gpt2_word(const char* begin, const char* end);

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|
// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
const char* next_qwen2_word(const char* begin, const char* end);

// The same with \p{N}{1,3}.
const char* next_llama3_word(const char* begin, const char* end);

// The cased letters of DeepSeek LLM's pattern, which lists them one by one: deepseek_letters.cpp.
bool is_deepseek_letter(std::uint32_t code_point);

}  // namespace plm::tokenizer
