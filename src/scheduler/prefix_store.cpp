#include "scheduler/prefix_store.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace plm::scheduler {

struct PrefixStore::Page {
  std::vector<TokenId> ids;
  std::shared_ptr<const std::vector<std::byte>> rows = std::make_shared<std::vector<std::byte>>();
  bool exact = false;
  Page* parent = nullptr;
  std::vector<std::unique_ptr<Page>> children;
  std::list<Page*>::iterator use;

  bool is_full() const { return std::ssize(ids) == kPageTokens; }
};

namespace {

int64_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto n = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin()).first - a.begin();
}

}  // namespace

PrefixStore::PrefixStore(int64_t budget_bytes)
    : budget_bytes_(budget_bytes), root_(std::make_unique<Page>()) {}

PrefixStore::~PrefixStore() = default;

std::vector<PrefixStore::Step> PrefixStore::path(std::span<const TokenId> tokens, bool exact_only) const {
  std::vector<Step> steps;
  Page* page = root_.get();
  while (!tokens.empty()) {
    Step best{.page = nullptr, .n_tokens = 0};
    for (const auto& child : page->children) {
      const int64_t n = common_prefix(child->ids, tokens);
      const bool is_usable = !exact_only || (child->exact && n == kPageTokens);
      if (is_usable && n > best.n_tokens) best = {.page = child.get(), .n_tokens = n};
    }
    if (best.page == nullptr) break;
    steps.push_back(best);
    if (best.n_tokens < kPageTokens) break;
    page = best.page;
    tokens = tokens.subspan(kPageTokens);
  }
  return steps;
}

int64_t PrefixStore::match(std::span<const TokenId> tokens, bool exact_only) const {
  int64_t n = 0;
  for (const Step& step : path(tokens, exact_only)) n += step.n_tokens;
  return n;
}

PrefixStore::Loaded PrefixStore::load(std::span<const TokenId> tokens, bool exact_only, model::Cache& cache) {
  PLM_CHECK(cache.n_tokens() == 0 && cache.capacity() >= std::ssize(tokens));
  Loaded loaded;
  std::vector<Page*> used;
  for (const auto& [page, n_tokens] : path(tokens, exact_only)) {
    const std::byte* from = page->rows->data();
    for (int64_t stream = 0; stream < cache.layout().n_streams; ++stream) {
      std::memcpy(cache.row(stream, loaded.n_tokens), from,
                  static_cast<size_t>(n_tokens * cache.row_bytes()));
      from += std::ssize(page->ids) * cache.row_bytes();
    }
    if (page->exact && n_tokens == kPageTokens && loaded.n_exact == loaded.n_tokens) {
      loaded.n_exact += n_tokens;
    }
    loaded.n_tokens += n_tokens;
    used.push_back(page);
  }
  cache.advance(loaded.n_tokens);
  touch(used);
  return loaded;
}

void PrefixStore::insert(std::span<const TokenId> tokens, int64_t n_exact, const model::Cache& cache) {
  PLM_CHECK(std::ssize(tokens) <= cache.n_tokens());
  std::vector<Page*> used;
  Page* parent = root_.get();
  for (int64_t begin = 0; begin < std::ssize(tokens); begin += kPageTokens) {
    const int64_t n = std::min(kPageTokens, std::ssize(tokens) - begin);
    const auto ids = tokens.subspan(static_cast<size_t>(begin), static_cast<size_t>(n));
    const bool is_exact = n == kPageTokens && begin + n <= n_exact;
    // A page that begins as this one and holds no less, or one that this one continues.
    Page* page = nullptr;
    for (const auto& child : parent->children) {
      const int64_t common = common_prefix(child->ids, ids);
      if (common == n || (common == std::ssize(child->ids) && child->children.empty())) page = child.get();
      if (common == n) break;
    }
    const bool holds_it = page != nullptr && std::ssize(page->ids) >= n && (page->exact || !is_exact);
    if (page == nullptr) page = &add_page(*parent, ids);
    used.push_back(page);
    if (!holds_it) {
      std::vector<std::byte> rows(static_cast<size_t>(n * cache.bytes_per_token()));
      std::byte* to = rows.data();
      for (int64_t stream = 0; stream < cache.layout().n_streams; ++stream) {
        std::memcpy(to, cache.row(stream, begin), static_cast<size_t>(n * cache.row_bytes()));
        to += n * cache.row_bytes();
      }
      page->ids.assign(ids.begin(), ids.end());
      page->exact = is_exact;
      set_rows(*page, std::make_shared<const std::vector<std::byte>>(std::move(rows)));
    }
    if (!page->is_full()) break;
    parent = page;
  }
  touch(used);
  shrink();
}

PrefixStore::Page& PrefixStore::add_page(Page& parent, std::span<const TokenId> ids) {
  auto page = std::make_unique<Page>();
  page->ids.assign(ids.begin(), ids.end());
  page->parent = &parent;
  page->use = by_use_.insert(by_use_.end(), page.get());
  parent.children.push_back(std::move(page));
  return *parent.children.back();
}

void PrefixStore::set_rows(Page& page, std::shared_ptr<const std::vector<std::byte>> rows) {
  bytes_ += std::ssize(*rows) - std::ssize(*page.rows);
  page.rows = std::move(rows);
  ++version_;
}

// The first of a path becomes the latest.
void PrefixStore::touch(std::span<Page* const> pages) {
  for (size_t i = pages.size(); i-- > 0;) by_use_.splice(by_use_.begin(), by_use_, pages[i]->use);
}

void PrefixStore::shrink() {
  while (bytes_ > budget_bytes_ && !by_use_.empty()) forget(*by_use_.back());
}

void PrefixStore::forget(Page& page) {
  PLM_CHECK(page.children.empty());
  bytes_ -= std::ssize(*page.rows);
  ++version_;
  by_use_.erase(page.use);
  std::erase_if(page.parent->children, [&](const auto& child) { return child.get() == &page; });
}

void PrefixStore::clear() {
  by_use_.clear();
  root_ = std::make_unique<Page>();
  bytes_ = 0;
  ++version_;
}

std::vector<PrefixStore::KeptPage> PrefixStore::pages() const {
  std::vector<KeptPage> kept;
  std::unordered_map<const Page*, int64_t> places = {{root_.get(), -1}};
  for (const Page* page : by_use_) {
    places[page] = std::ssize(kept);
    kept.push_back(
        {.parent = places.at(page->parent), .ids = page->ids, .exact = page->exact, .rows = page->rows});
  }
  return kept;
}

void PrefixStore::restore(std::span<const KeptPage> pages) {
  clear();
  std::vector<Page*> made;
  for (const KeptPage& kept : pages) {
    if (bytes_ + std::ssize(*kept.rows) > budget_bytes_) break;
    PLM_CHECK(kept.parent < std::ssize(made) && !kept.ids.empty());
    Page& parent = kept.parent < 0 ? *root_ : *made[static_cast<size_t>(kept.parent)];
    PLM_CHECK(&parent == root_.get() || parent.is_full());
    Page& page = add_page(parent, kept.ids);
    page.exact = kept.exact;
    set_rows(page, kept.rows);
    made.push_back(&page);
  }
}

}  // namespace plm::scheduler
