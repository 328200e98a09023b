// Bit fields that several formats share: how codes of 4, 2 and 1 bits lie in bytes.
#pragma once

#include <cstdint>

namespace plm::quant {

// n bytes become 2 n codes: first all low nibbles, then all high ones.
inline void unpack_nibbles(const uint8_t* bytes, int n, uint8_t* codes) {
  for (int j = 0; j < n; ++j) codes[j] = bytes[j] & 15;
  for (int j = 0; j < n; ++j) codes[n + j] = bytes[j] >> 4;
}

inline void pack_nibbles(const uint8_t* codes, int n, uint8_t* bytes) {
  for (int j = 0; j < n; ++j) bytes[j] = static_cast<uint8_t>((codes[j] & 15) | ((codes[n + j] & 15) << 4));
}

// The fifth bits of 32 codes: bit i of four bytes, little endian, is bit 4 of element i.
inline void add_fifth_bits(const uint8_t bytes[4], uint8_t codes[32]) {
  for (int i = 0; i < 32; ++i) {
    codes[i] = static_cast<uint8_t>(codes[i] | (((bytes[i / 8] >> (i % 8)) & 1) << 4));
  }
}

inline void pack_fifth_bits(const uint8_t codes[32], uint8_t bytes[4]) {
  for (int j = 0; j < 4; ++j) {
    int byte = 0;
    for (int i = 0; i < 8; ++i) byte |= ((codes[8 * j + i] >> 4) & 1) << i;
    bytes[j] = static_cast<uint8_t>(byte);
  }
}

// 64 bytes become 256 codes of 2 bits: bits 2k, 2k+1 of byte 32 h + j are element 128 h + 32 k + j.
inline void unpack_bit_pairs(const uint8_t bytes[64], uint8_t codes[256]) {
  for (int h = 0; h < 2; ++h) {
    for (int k = 0; k < 4; ++k) {
      for (int j = 0; j < 32; ++j) codes[128 * h + 32 * k + j] = (bytes[32 * h + j] >> (2 * k)) & 3;
    }
  }
}

inline void pack_bit_pairs(const uint8_t codes[256], uint8_t bytes[64]) {
  for (int h = 0; h < 2; ++h) {
    for (int j = 0; j < 32; ++j) {
      int byte = 0;
      for (int k = 0; k < 4; ++k) byte |= (codes[128 * h + 32 * k + j] & 3) << (2 * k);
      bytes[32 * h + j] = static_cast<uint8_t>(byte);
    }
  }
}

// 32 bytes hold one bit for each of 256 elements: bit k of byte j is element 32 k + j. Adds it to
// the codes as bit `shift`.
inline void add_bit_plane(const uint8_t bytes[32], int shift, uint8_t codes[256]) {
  for (int k = 0; k < 8; ++k) {
    for (int j = 0; j < 32; ++j) {
      codes[32 * k + j] = static_cast<uint8_t>(codes[32 * k + j] | (((bytes[j] >> k) & 1) << shift));
    }
  }
}

inline void pack_bit_plane(const uint8_t codes[256], int shift, uint8_t bytes[32]) {
  for (int j = 0; j < 32; ++j) {
    int byte = 0;
    for (int k = 0; k < 8; ++k) byte |= ((codes[32 * k + j] >> shift) & 1) << k;
    bytes[j] = static_cast<uint8_t>(byte);
  }
}

}  // namespace plm::quant
