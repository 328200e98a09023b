#include "tokenizer/byte_alphabet.h"

#include <array>

#include "tokenizer/utf8.h"

namespace plm::tokenizer {
namespace {

constexpr std::uint32_t kFirstStandIn = 0x100;
constexpr std::int16_t kNoByte = -1;

struct Alphabet {
  std::array<std::string, 256> characters;
  std::array<std::int16_t, 512> bytes;

  Alphabet() {
    bytes.fill(kNoByte);
    std::uint32_t stand_in = kFirstStandIn;
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const bool visible = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
      const std::uint32_t code_point = visible ? byte : stand_in++;
      append_utf8(characters[byte], code_point);
      bytes[code_point] = static_cast<std::int16_t>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

const std::string& byte_character(std::uint8_t byte) { return alphabet().characters[byte]; }

std::optional<std::uint8_t> character_byte(std::uint32_t code_point) {
  const auto& bytes = alphabet().bytes;
  if (code_point >= bytes.size() || bytes[code_point] == kNoByte) return std::nullopt;
  return static_cast<std::uint8_t>(bytes[code_point]);
}

std::string to_byte_alphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) text += byte_character(static_cast<std::uint8_t>(byte));
  return text;
}

std::string from_byte_alphabet(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (const auto byte = character_byte(c.code_point)) {
      bytes.push_back(static_cast<char>(*byte));
    } else {
      bytes.append(text.substr(0, c.length));
    }
    text.remove_prefix(c.length);
  }
  return bytes;
}

}  // namespace plm::tokenizer
