// The alphabet of byte-level BPE (GPT-2): each byte is written as one visible character, printable Latin-1 as
// itself and the rest as U+0100 and following, so that a vocabulary is valid text without blanks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plm::tokenizer {

// Byte b as its character, in UTF-8. Valid for ever.
const std::string& byte_character(std::uint8_t byte);

// The byte a character stands for; nothing for characters outside the alphabet.
std::optional<std::uint8_t> character_byte(std::uint32_t code_point);

// " the" -> "Ġthe".
std::string to_byte_alphabet(std::string_view bytes);

// "Ġthe" -> " the". Characters outside the alphabet stay as they are.
std::string from_byte_alphabet(std::string_view text);

}  // namespace plm::tokenizer
