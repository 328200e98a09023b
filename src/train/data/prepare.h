// Text to token shards: read, check, drop duplicates, divide into training and validation, tokenise.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"
#include "train/data/dataset.h"
#include "train/data/stable_hash.h"
#include "train/data/text_files.h"

namespace plm::train {

struct TextSource {
  std::string name;                // letters, digits, _ - . : the folder of its shards
  std::vector<std::string> paths;  // files and folders (text_files.h)
  TextFormat format = {};
  int64_t max_documents = 0;  // 0: all
};

struct PrepareProgress {
  int64_t documents = 0, tokens = 0;
  int64_t text_bytes = 0;                           // tokenised
  int64_t file_bytes_read = 0, file_bytes_all = 0;  // packed, where they are packed
  bool is_catching_up = false;  // reading again what an interrupted run has prepared already
};

struct PrepareOptions {
  std::string folder;
  const tokenizer::Tokenizer* tokenizer = nullptr;
  Hash128 tokenizer_fingerprint = {};
  std::optional<tokenizer::TokenId> end_of_document;  // put after each document

  enum class Duplicates { drop, keep } duplicates = Duplicates::drop;  // equal texts, over all sources
  enum class BadDocuments { refuse, skip } bad_documents = BadDocuments::refuse;
  double validation_share = 0;  // of the documents, 0 to 1
  uint64_t split_seed = 0;      // another seed, other documents

  int64_t segment_bytes = int64_t{1} << 30;  // of text in a shard
  int n_threads = 1;
  // Called now and then from the calling thread; false ends the work with `cancelled`, to be resumed.
  std::function<bool(const PrepareProgress&)> progress = {};
};

// One process at a time may work in a folder.
//
// Fills options.folder, which is made where it does not exist. What an earlier call left there is used:
// finished work is returned at once, interrupted work goes on at the first shard that is missing. Refuses a
// folder that was prepared from other input or with other settings, naming the difference. The shards do not
// depend on the number of threads, nor on interruptions.
Result<Dataset> prepare(const std::vector<TextSource>& sources, const PrepareOptions& options);

}  // namespace plm::train
