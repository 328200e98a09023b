// Trains a byte-level BPE vocabulary (Sennrich, Haddow, Birch 2016, on bytes as GPT-2 does): the most
// frequent pair of neighbouring tokens within words becomes a token, until the vocabulary has its size. Of
// equally frequent pairs the one with the lower ids is taken, as Hugging Face `tokenizers` does: the merges
// are equal.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "tokenizer/vocabulary_data.h"
#include "train/data/word_counts.h"

namespace plm::train {

struct BpeOptions {
  int64_t vocabulary_size = 0;  // special tokens, the 256 bytes and the merges together
  std::vector<std::string> special_tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  int64_t least_count = 2;  // pairs seen less often are not merged, even if the vocabulary stays smaller
  std::string pre_tokenizer = "qwen2";  // a name of docs/formats/tokenizer.md, the one the words were cut by
  std::string normalizer = {};          // "" or "NFC", likewise
  // Tokens there are so far; false ends the work with `cancelled`.
  std::function<bool(int64_t)> progress = {};
};

// The ids: special tokens, then the bytes in the order of GPT-2's alphabet, then the merges. The first
// special token ends documents and pads. Fails with invalid_argument on a size that does not hold the first
// two.
Result<tokenizer::VocabularyData> train_bpe(const WordCounts& counts, const BpeOptions& options);

}  // namespace plm::train
