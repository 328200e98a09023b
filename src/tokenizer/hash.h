// A fast hash for tables that this process fills and reads itself; its values are not stable across builds.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace plm::tokenizer {

// The 128-bit product, folded: every input bit reaches every output bit.
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD6E8FEB86659FD93u);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t hash_bytes(std::string_view text) {
  std::uint64_t hash = text.size();
  const char* p = text.data();
  std::size_t left = text.size();
  for (; left > 8; left -= 8, p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    hash = mix(hash, word);
  }
  std::uint64_t word = 0;
  if (left != 0) std::memcpy(&word, p, left);
  return mix(hash, word);
}

}  // namespace plm::tokenizer
