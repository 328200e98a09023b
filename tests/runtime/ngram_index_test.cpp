#include "runtime/ngram_index.h"

#include <gtest/gtest.h>

#include <random>

namespace plm::runtime {
namespace {

using Tokens = std::vector<TokenId>;

Tokens lookup(const Tokens& text, int64_t most, NgramSizes sizes = {.shortest = 2, .longest = 8}) {
  NgramIndex index(sizes);
  for (const TokenId token : text) index.add(token);
  return index.lookup(most);
}

TEST(NgramIndex, SaysWhatFollowedTheLastTimeTheTextEndedSo) {
  EXPECT_EQ(lookup({1, 2, 3, 4, 5, 9, 1, 2}, 3), (Tokens{3, 4, 5}));
}

TEST(NgramIndex, PrefersTheLongestAgreementThenTheLatest) {
  EXPECT_EQ(lookup({7, 1, 2, 30, 8, 1, 2, 40, 7, 1, 2}, 1), Tokens{30});
  EXPECT_EQ(lookup({1, 2, 30, 1, 2, 40, 1, 2}, 1), Tokens{40});
}

TEST(NgramIndex, HasNoGuessWhereTheEndIsNew) {
  EXPECT_EQ(lookup({}, 4), Tokens{});
  EXPECT_EQ(lookup({1}, 4), Tokens{});
  EXPECT_EQ(lookup({1, 2}, 4), Tokens{});
  EXPECT_EQ(lookup({1, 2, 3, 1, 9}, 4), Tokens{});
  EXPECT_EQ(lookup({1, 2, 3, 1, 2}, 0), Tokens{});
}

TEST(NgramIndex, GoesOnWithALoop) {
  EXPECT_EQ(lookup({5, 6, 7, 5, 6, 7, 5, 6}, 7), (Tokens{7, 5, 6, 7, 5, 6, 7}));
  EXPECT_EQ(lookup({4, 4, 4}, 3), (Tokens{4, 4, 4}));
}

TEST(NgramIndex, ForgetsWhenCleared) {
  NgramIndex index({.shortest = 2, .longest = 4});
  for (const TokenId token : {1, 2, 3}) index.add(token);
  index.clear();
  for (const TokenId token : {1, 2}) index.add(token);
  EXPECT_EQ(index.lookup(3), Tokens{});
  EXPECT_EQ(std::ssize(index.tokens()), 2);
}

// What a search of the whole text finds.
Tokens searched(const Tokens& text, int64_t most, NgramSizes sizes) {
  const auto n = std::ssize(text);
  int64_t best = 0, best_length = sizes.shortest - 1;
  for (int64_t place = n - 1; place > 0; --place) {
    int64_t length = 0;
    while (length < std::min(place, sizes.longest) &&
           text[static_cast<size_t>(place - length - 1)] == text[static_cast<size_t>(n - length - 1)]) {
      ++length;
    }
    if (length > best_length) {
      best = place;
      best_length = length;
    }
  }
  Tokens next;
  for (int64_t i = best; best > 0 && std::ssize(next) < most; ++i) {
    next.push_back(i < n ? text[static_cast<size_t>(i)] : next[static_cast<size_t>(i - n)]);
  }
  return next;
}

TEST(NgramIndex, FindsWhatASearchOfTheWholeTextFinds) {
  std::mt19937 random(1);
  for (const NgramSizes sizes : {NgramSizes{1, 1}, NgramSizes{1, 5}, NgramSizes{3, 4}}) {
    NgramIndex index(sizes);
    Tokens text;
    // So many different tokens that no end is found at more places than are looked at.
    for (int i = 0; i < 600; ++i) {
      text.push_back(static_cast<TokenId>(random() % 20));
      index.add(text.back());
      ASSERT_EQ(index.lookup(6), searched(text, 6, sizes)) << i;
    }
  }
}

}  // namespace
}  // namespace plm::runtime
