// All tokens of one source of text, one after the other, with the borders of its documents.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace plm::train {

// Does not change; all functions may be called from several threads.
class TokenStream {
 public:
  virtual ~TokenStream() = default;

  virtual int64_t n_tokens() const = 0;

  // Tokens begin .. begin + out.size() - 1, which must exist.
  virtual Status read(int64_t begin, std::span<int64_t> out) const = 0;

  // The places in begin + 1 .. end - 1 where a document begins, ascending.
  virtual std::vector<int64_t> document_starts(int64_t begin, int64_t end) const = 0;

  // Changes with the tokens and the borders.
  virtual std::string fingerprint() const = 0;
};

// Tokens in memory: tests, and text that was tokenised a moment ago.
class MemoryTokens : public TokenStream {
 public:
  // document_starts ascending, the first 0 (none when there are no tokens).
  MemoryTokens(std::vector<int32_t> tokens, std::vector<int64_t> document_starts);

  int64_t n_tokens() const override { return static_cast<int64_t>(tokens_.size()); }
  Status read(int64_t begin, std::span<int64_t> out) const override;
  std::vector<int64_t> document_starts(int64_t begin, int64_t end) const override;
  std::string fingerprint() const override;

 private:
  std::vector<int32_t> tokens_;
  std::vector<int64_t> starts_;
};

}  // namespace plm::train
