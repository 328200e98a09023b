// The cached rows of prompts and answers of the past, so that a text that begins as another did is not run
// again.
//
// A tree of pages: a page holds the rows of up to kPageTokens tokens, its parent those of the tokens before
// them, so a prefix that many texts share is kept once. Only a full page has children. Rows are copied in and
// out: one token's take microseconds, running it takes milliseconds. Past its budget the store forgets the
// page that was of no use for longest; a page is never forgotten before those that follow it.
//
// Not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "model/cache.h"
#include "tokenizer/token.h"

namespace plm::scheduler {

using tokenizer::TokenId;

class PrefixStore {
 public:
  // Steps of prefill begin at multiples of this (scheduler.h), which makes the rows of a page the same
  // whatever came after it in its prompt.
  static constexpr int64_t kPageTokens = 64;

  explicit PrefixStore(int64_t budget_bytes);
  ~PrefixStore();

  // The longest prefix of `tokens` there is. exact_only: of whole pages that are exact.
  int64_t match(std::span<const TokenId> tokens, bool exact_only) const;

  struct Loaded {
    int64_t n_tokens = 0;
    int64_t n_exact = 0;  // the first of them that are exact
  };
  // Fills an empty cache, with room for all tokens, with the rows of the longest prefix.
  Loaded load(std::span<const TokenId> tokens, bool exact_only, model::Cache& cache);

  // Keeps the rows of `tokens`, which begin `cache`. Of them the first n_exact are exact.
  void insert(std::span<const TokenId> tokens, int64_t n_exact, const model::Cache& cache);

  void clear();

  // A page apart from the tree. Its rows do not change any more, so that they can be written to a file while
  // the store goes on.
  struct KeptPage {
    int64_t parent = -1;  // an earlier one of the list; -1: it begins a text
    std::vector<TokenId> ids;
    bool exact = false;
    std::shared_ptr<const std::vector<std::byte>> rows;  // [stream][token]
  };
  // All of them, the last used first.
  std::vector<KeptPage> pages() const;
  // Puts pages in place of what there is; those that do not fit the budget are left out, the last of the list
  // first. Parents are full and come before those that follow them.
  void restore(std::span<const KeptPage> pages);
  // Differs where pages() would.
  int64_t version() const { return version_; }

  int64_t bytes() const { return bytes_; }
  int64_t n_pages() const { return static_cast<int64_t>(by_use_.size()); }

 private:
  struct Page;
  struct Step {
    Page* page;
    int64_t n_tokens;  // of the page that match
  };
  std::vector<Step> path(std::span<const TokenId> tokens, bool exact_only) const;
  Page& add_page(Page& parent, std::span<const TokenId> ids);
  void set_rows(Page& page, std::shared_ptr<const std::vector<std::byte>> rows);
  void touch(std::span<Page* const> pages);
  void shrink();
  void forget(Page& page);

  int64_t budget_bytes_, bytes_ = 0, version_ = 0;
  std::unique_ptr<Page> root_;
  std::list<Page*> by_use_;  // the latest first; a page always before those that follow it
};

}  // namespace plm::scheduler
