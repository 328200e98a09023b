#include "scheduler/prefix_store.h"

#include <gtest/gtest.h>

#include <numeric>

namespace plm::scheduler {
namespace {

constexpr int64_t kPage = PrefixStore::kPageTokens;
constexpr int64_t kStreams = 3, kWidth = 8;

model::Cache new_cache(int64_t capacity = 1000) {
  return *model::Cache::create({.n_streams = kStreams, .row_width = kWidth, .rope_frequencies = {}},
                               TensorType::f32, capacity);
}

// What a model would write for a token: a number that tells token, stream and position.
float mark(TokenId token, int64_t stream, int64_t position) {
  return static_cast<float>(token) + 0.001F * static_cast<float>(position) +
         0.1F * static_cast<float>(stream);
}

model::Cache cache_of(std::span<const TokenId> tokens) {
  auto cache = new_cache();
  for (int64_t stream = 0; stream < kStreams; ++stream) {
    for (int64_t position = 0; position < std::ssize(tokens); ++position) {
      const float value = mark(tokens[static_cast<size_t>(position)], stream, position);
      std::fill_n(reinterpret_cast<float*>(cache.row(stream, position)), kWidth, value);
    }
  }
  cache.advance(std::ssize(tokens));
  return cache;
}

std::vector<TokenId> text(TokenId first, int64_t n) {
  std::vector<TokenId> tokens(static_cast<size_t>(n));
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

std::vector<TokenId> joined(std::vector<TokenId> a, const std::vector<TokenId>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void insert(PrefixStore& store, const std::vector<TokenId>& tokens, int64_t n_exact = 0) {
  store.insert(tokens, n_exact, cache_of(tokens));
}

// Loads a prefix, looks at its rows and returns how long it was.
int64_t loaded(PrefixStore& store, const std::vector<TokenId>& tokens, bool exact_only = false) {
  auto cache = new_cache();
  const auto found = store.load(tokens, exact_only, cache);
  EXPECT_EQ(found.n_tokens, cache.n_tokens());
  EXPECT_LE(found.n_exact, found.n_tokens);
  for (int64_t stream = 0; stream < kStreams; ++stream) {
    for (int64_t position = 0; position < found.n_tokens; ++position) {
      const auto* row = reinterpret_cast<const float*>(cache.row(stream, position));
      for (int64_t i = 0; i < kWidth; ++i) {
        EXPECT_EQ(row[i], mark(tokens[static_cast<size_t>(position)], stream, position));
      }
    }
  }
  return found.n_tokens;
}

TEST(PrefixStore, GivesBackTheRowsOfTheLongestCommonBeginning) {
  PrefixStore store(1 << 30);
  const auto base = text(0, 3 * kPage + 10);
  EXPECT_EQ(loaded(store, base), 0);
  insert(store, base);
  EXPECT_EQ(loaded(store, base), 3 * kPage + 10);
  EXPECT_EQ(loaded(store, joined(base, text(900, 50))), 3 * kPage + 10);
  EXPECT_EQ(loaded(store, text(0, kPage + 7)), kPage + 7);
  EXPECT_EQ(loaded(store, joined(text(0, kPage + 7), text(500, 100))), kPage + 7);
  EXPECT_EQ(loaded(store, text(1, 100)), 0);
}

TEST(PrefixStore, KeepsACommonBeginningOnce) {
  PrefixStore store(1 << 30);
  const auto base = text(0, 4 * kPage);
  insert(store, base);
  const int64_t bytes = store.bytes();
  for (TokenId i = 1; i <= 5; ++i) insert(store, joined(base, text(1000 * i, kPage)));
  EXPECT_EQ(store.n_pages(), 4 + 5);
  EXPECT_EQ(store.bytes(), bytes / 4 * 9);
  EXPECT_EQ(loaded(store, joined(base, text(3000, kPage))), 5 * kPage);
}

TEST(PrefixStore, ATextThatGrowsReplacesItsLastPage) {
  PrefixStore store(1 << 30);
  for (const int64_t n : {int64_t{5}, kPage - 1, kPage, kPage + 3, 3 * kPage}) {
    insert(store, text(0, n));
    EXPECT_EQ(loaded(store, text(0, 500)), n);
    EXPECT_EQ(store.n_pages(), (n + kPage - 1) / kPage);
  }
  insert(store, text(0, 5));
  EXPECT_EQ(store.n_pages(), 3);
}

TEST(PrefixStore, TellsExactPagesFromOthers) {
  PrefixStore store(1 << 30);
  const auto tokens = text(0, 3 * kPage + 20);
  insert(store, tokens, 2 * kPage);
  EXPECT_EQ(loaded(store, tokens, true), 2 * kPage);
  EXPECT_EQ(loaded(store, tokens, false), 3 * kPage + 20);
  EXPECT_EQ(loaded(store, text(0, kPage + 20), true), kPage) << "part of a page is not exact";
  insert(store, tokens, 0);
  EXPECT_EQ(loaded(store, tokens, true), 2 * kPage) << "exact rows stay";
  insert(store, tokens, 3 * kPage);
  EXPECT_EQ(loaded(store, tokens, true), 3 * kPage) << "exact rows replace others";
}

TEST(PrefixStore, ForgetsWhatWasUnusedForLongestAndNeverAParentFirst) {
  const auto a = text(0, 2 * kPage), b = text(1000, 2 * kPage), c = text(2000, 2 * kPage);
  PrefixStore probe(1 << 30);
  insert(probe, a);
  PrefixStore store(2 * probe.bytes());  // room for four pages
  insert(store, a);
  insert(store, b);
  EXPECT_EQ(loaded(store, a), 2 * kPage);  // a is now the later used
  insert(store, c);
  EXPECT_LE(store.bytes(), 2 * probe.bytes());
  EXPECT_EQ(loaded(store, b), 0);
  EXPECT_EQ(loaded(store, a), 2 * kPage);
  insert(store, text(3000, kPage));
  EXPECT_EQ(loaded(store, c), kPage) << "the later page goes first";
  store.clear();
  EXPECT_EQ(store.bytes(), 0);
  EXPECT_EQ(loaded(store, a), 0);
}

TEST(PrefixStore, WithoutABudgetKeepsNothing) {
  PrefixStore store(0);
  insert(store, text(0, 100));
  EXPECT_EQ(store.n_pages(), 0);
  EXPECT_EQ(store.bytes(), 0);
}

TEST(PrefixStore, ComesBackFromItsPages) {
  PrefixStore store(1 << 30), other(1 << 30);
  const auto a = text(0, 3 * kPage + 10), b = joined(text(0, kPage), text(500, 2 * kPage)), c = text(900, 20);
  insert(store, a, 2 * kPage);
  insert(store, b);
  insert(store, c);
  insert(other, text(700, 70));
  other.restore(store.pages());
  EXPECT_EQ(other.bytes(), store.bytes());
  EXPECT_EQ(other.n_pages(), store.n_pages());
  EXPECT_EQ(loaded(other, text(700, 70)), 0);
  for (const auto& tokens : {a, b, c}) EXPECT_EQ(loaded(other, tokens), std::ssize(tokens));
  EXPECT_EQ(loaded(other, a, /*exact_only=*/true), 2 * kPage);
  insert(other, joined(c, text(40, 100)));
  EXPECT_EQ(loaded(other, joined(c, text(40, 100))), 120);
}

TEST(PrefixStore, KeepsWhatWasOfUseLastWhereThereIsRoomForLess) {
  PrefixStore store(1 << 30);
  const auto old = text(0, 2 * kPage), late = text(500, 2 * kPage);
  insert(store, old);
  insert(store, late);
  PrefixStore small(store.bytes() * 3 / 4);
  small.restore(store.pages());
  EXPECT_EQ(small.n_pages(), 3);
  EXPECT_EQ(loaded(small, late), 2 * kPage);
  EXPECT_EQ(loaded(small, old), kPage);
}

TEST(PrefixStore, DoesNotChangePagesThatAreBeingWritten) {
  PrefixStore store(1 << 30);
  const auto tokens = text(0, kPage);
  insert(store, text(0, 10));
  const int64_t version = store.version();
  const auto before = store.pages();
  const std::vector<std::byte> rows = *before.front().rows;
  insert(store, tokens);
  EXPECT_NE(store.version(), version);
  store.clear();
  EXPECT_EQ(*before.front().rows, rows);
  EXPECT_EQ(before.front().ids, text(0, 10));
}

}  // namespace
}  // namespace plm::scheduler
