// Text files as documents that are not looked into yet: cheap enough for one thread to feed many.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "train/data/byte_stream.h"
#include "train/data/stable_hash.h"
#include "train/data/text_files.h"

namespace plm::train {

// A document, or a part of a long one.
struct RawDocument {
  std::string bytes;  // of text, or of a JSON object
  bool is_json = false;
  int64_t line = 0;  // where it begins in its file, from 1; for messages
  bool is_last_part = true;
  std::optional<Hash128> whole = {};  // of the whole text, where it comes in parts
};

// Longer ones are refused.
constexpr size_t kMaxDocumentBytes = size_t{1} << 30;

struct ReaderOptions {
  TextFormat format = {};
  // Plain text longer than this is cut between a letter and a blank that a letter follows, which is between
  // words for every pre-tokenizer of byte-level BPE. 0: never.
  size_t part_bytes = 0;
};

class DocumentReader {
 public:
  static Result<std::unique_ptr<DocumentReader>> open(const TextFile& file, ReaderOptions options);
  virtual ~DocumentReader() = default;

  // The next one, nothing at the end. Errors name file and line.
  virtual Result<std::optional<RawDocument>> next() = 0;
  virtual int64_t file_bytes_read() const = 0;
};

}  // namespace plm::train
