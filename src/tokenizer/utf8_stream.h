// For writing an answer while it is made: a token may end in the middle of a character, and a terminal or a
// JSON string must not see half of one.
#pragma once

#include <string>
#include <string_view>

namespace plm::tokenizer {

// One stream of bytes; not for several threads at once.
class Utf8Stream {
 public:
  // Adds the bytes of the next token and returns what can be shown now: everything but a final sequence that
  // is a correct beginning of a longer character (at most 3 bytes are held). Invalid bytes pass unchanged.
  std::string push(std::string_view bytes);

  // What is still held at the end of the answer, and starts afresh.
  std::string finish();

 private:
  std::string held_;
};

}  // namespace plm::tokenizer
