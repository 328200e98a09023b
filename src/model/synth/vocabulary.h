// A vocabulary for synthetic models: all bytes, some English words with the merges that build them,
// made-up words up to the asked size, and the special tokens of ChatML. Byte-level BPE ("gpt2",
// pre-tokenizer "qwen2").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace plm::model {

struct SynthVocabulary {
  std::vector<std::string> tokens;  // all different
  std::vector<int32_t> types;       // as GGUF numbers them: 1 normal, 3 control, 5 unused
  std::vector<std::string> merges;  // "left right"
  uint32_t end_of_text, message_start, message_end;
};

// `size` tokens: the last `n_unused` are padding, before them <|endoftext|>, <|im_start|>, <|im_end|>.
// size must be at least 1024 + n_unused.
SynthVocabulary make_synth_vocabulary(int64_t size, int64_t n_unused);

// ChatML, as Qwen2 and PLM use it.
extern const char kSynthChatTemplate[];

}  // namespace plm::model
