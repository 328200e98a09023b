#include "tokenizer/utf8_stream.h"

#include <cstddef>
#include <utility>

namespace plm::tokenizer {
namespace {

struct LeadByte {
  std::size_t length;        // of the character it begins; 0 when it begins none of several bytes
  unsigned char second_low;  // the range of the byte after it
  unsigned char second_high;
};

LeadByte lead_byte(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  return {0, 0, 0};
}

// How many bytes at the end of `text` begin a character that further bytes may complete: 0 to 3.
std::size_t incomplete_tail(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const LeadByte lead = lead_byte(byte);
    if (lead.length <= back) return 0;
    if (back >= 2) {
      const auto second = static_cast<unsigned char>(text[text.size() - back + 1]);
      if (second < lead.second_low || second > lead.second_high) return 0;
    }
    return back;
  }
  return 0;
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  std::string ready = std::move(held_);
  ready += bytes;
  const std::size_t tail = incomplete_tail(ready);
  held_ = ready.substr(ready.size() - tail);
  ready.resize(ready.size() - tail);
  return ready;
}

std::string Utf8Stream::finish() { return std::exchange(held_, {}); }

}  // namespace plm::tokenizer
