// How often each word of a text occurs: what a tokenizer is trained on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "tokenizer/hash.h"
#include "tokenizer/pre_tokenizer.h"
#include "train/data/prepare.h"

namespace plm::train {

class WordCounts {
 public:
  void add(std::string_view word, int64_t count = 1);
  void add(const WordCounts& other);

  struct Word {
    std::string_view text;  // valid until the next add()
    int64_t count;
  };
  // Those at least this often, in an order that depends on the words alone.
  std::vector<Word> words(int64_t least_count = 1) const;
  size_t size() const { return counts_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return tokenizer::hash_bytes(text); }
  };
  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> counts_;
};

struct CountOptions {
  tokenizer::PreTokenizer pre_tokenizer = tokenizer::PreTokenizer::qwen2;
  bool normalize_nfc = false;
  TextFormat format = {};  // column: of JSON objects
  PrepareOptions::BadDocuments bad_documents = PrepareOptions::BadDocuments::refuse;
  int64_t max_documents = 0;  // 0: all
  int n_threads = 1;
  // As in PrepareOptions; `tokens` counts nothing here.
  std::function<bool(const PrepareProgress&)> progress = {};
};

// The words of all documents of files and folders. The counts do not depend on the number of threads.
Result<WordCounts> count_words(const std::vector<std::string>& paths, const CountOptions& options);

}  // namespace plm::train
