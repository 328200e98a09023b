#include "model/synth/vocabulary.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <unordered_set>

#include "base/error.h"

namespace plm::model {

const char kSynthChatTemplate[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
    "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% "
    "endif %}";

namespace {

// A leading '_' stands for the space before a word.
constexpr std::array<std::string_view, 60> kWords = {
    "_the",  "_of",    "_and",  "_to",   "_in",    "_is",    "_that",  "_for",  "_it",   "_as",
    "_was",  "_with",  "_be",   "_by",   "_on",    "_not",   "_he",    "_his",  "_but",  "_at",
    "_are",  "_this",  "_have", "_from", "_which", "_one",   "_you",   "_all",  "_her",  "_she",
    "_they", "_there", "_were", "_been", "_their", "_has",   "_would", "_what", "_will", "_more",
    "_when", "_who",   "_can",  "_said", "_time",  "_about", "_if",    "_up",   "_out",  "_people",
    "The",   "ing",    "ed",    "er",    "ly",     "tion",   "ment",   "ness",  "able",  "es"};

std::string utf8_of(uint32_t code_point) {  // below U+0800, which is all that bytes need
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xc0 | (code_point >> 6)), static_cast<char>(0x80 | (code_point & 0x3f))};
}

// How byte-level BPE writes a byte: printable Latin-1 as itself, the others in order from U+0100.
bool writes_itself(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

class Builder {
 public:
  void add_bytes() {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      if (writes_itself(byte)) add(utf8_of(byte), kNormal);
    }
    for (uint32_t other = 0; other < 68; ++other) add(utf8_of(0x100 + other), kNormal);
  }

  // Each word by merges of one more letter at a time: "Ġ t", "Ġt h", "Ġth e".
  void add_word(std::string_view word) {
    std::string left;
    for (const char letter : word) {
      const std::string right = letter == '_' ? utf8_of(0x120) : std::string(1, letter);
      std::string joined = left + right;
      if (!left.empty() && add(joined, kNormal))
        vocabulary_.merges.push_back(fmt::format("{} {}", left, right));
      left = std::move(joined);
    }
  }

  // Words that no merge builds, of three syllables: " bababa", " babace" ...
  void add_made_up_words(size_t until) {
    constexpr std::string_view kConsonants = "bcdfghjklmnpqrstvwxyz", kVowels = "aeiou";
    constexpr size_t kSyllables = kConsonants.size() * kVowels.size();
    for (size_t number = 0; vocabulary_.tokens.size() < until; ++number) {
      std::string word = utf8_of(0x120);
      for (size_t place = kSyllables * kSyllables; place > 0; place /= kSyllables) {
        const size_t syllable = number / place % kSyllables;
        word += kConsonants[syllable / kVowels.size()];
        word += kVowels[syllable % kVowels.size()];
      }
      add(word, kNormal);
    }
  }

  uint32_t add_special(const char* token) {
    PLM_CHECK(add(token, kControl));
    return static_cast<uint32_t>(vocabulary_.tokens.size() - 1);
  }

  void add_unused(size_t until) {
    while (vocabulary_.tokens.size() < until) add(fmt::format("[PAD{}]", vocabulary_.tokens.size()), kUnused);
  }

  SynthVocabulary& vocabulary() { return vocabulary_; }

 private:
  static constexpr int32_t kNormal = 1, kControl = 3, kUnused = 5;

  bool add(const std::string& token, int32_t type) {
    if (!seen_.insert(token).second) return false;
    vocabulary_.tokens.push_back(token);
    vocabulary_.types.push_back(type);
    return true;
  }

  SynthVocabulary vocabulary_{};
  std::unordered_set<std::string> seen_;
};

}  // namespace

SynthVocabulary make_synth_vocabulary(int64_t size, int64_t n_unused) {
  PLM_CHECK(n_unused >= 0 && size - n_unused >= 1024);
  Builder builder;
  builder.add_bytes();
  for (const std::string_view word : kWords) builder.add_word(word);
  builder.add_made_up_words(static_cast<size_t>(size - n_unused - 3));
  SynthVocabulary& vocabulary = builder.vocabulary();
  vocabulary.end_of_text = builder.add_special("<|endoftext|>");
  vocabulary.message_start = builder.add_special("<|im_start|>");
  vocabulary.message_end = builder.add_special("<|im_end|>");
  builder.add_unused(static_cast<size_t>(size));
  return std::move(vocabulary);
}

}  // namespace plm::model
