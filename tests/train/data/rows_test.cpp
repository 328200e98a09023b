// The order of training rows: every token once an epoch, the same for any workers, any moment of resuming.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "train/data/packed_rows.h"

namespace plm::train {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

// Tokens first, first + 1, ...: each is found again by its value.
std::shared_ptr<MemoryTokens> counting(int32_t first, int64_t n_tokens, std::vector<int64_t> starts = {0}) {
  std::vector<int32_t> tokens(static_cast<size_t>(n_tokens));
  std::iota(tokens.begin(), tokens.end(), first);
  if (n_tokens == 0) starts.clear();
  return std::make_shared<MemoryTokens>(std::move(tokens), std::move(starts));
}

std::unique_ptr<PackedRows> make(std::vector<NamedStream> sources, PackedRowsOptions options) {
  auto rows = PackedRows::create(std::move(sources), std::move(options));
  EXPECT_TRUE(rows.ok()) << (rows.ok() ? "" : rows.error().message);
  return *std::move(rows);
}

Batch read(const BatchSource& rows, int64_t first, int64_t n) {
  auto batch = rows.batch(first, n);
  EXPECT_TRUE(batch.ok()) << (batch.ok() ? "" : batch.error().message);
  return *std::move(batch);
}

TEST(Permutation, HoldsEachNumberOnceForEverySize) {
  for (int64_t size = 1; size < 300; ++size) {
    const Permutation permutation(size, 7);
    std::set<int64_t> seen;
    for (int64_t i = 0; i < size; ++i) seen.insert(permutation.at(i));
    ASSERT_EQ(std::ssize(seen), size);
    ASSERT_EQ(*seen.rbegin(), size - 1);
  }
}

TEST(Permutation, SpreadsNeighboursEvenly) {
  // The mean distance of two random places is a third of the size; its deviation over 10^5 pairs is tiny.
  const int64_t size = 100'000;
  const Permutation permutation(size, 99);
  double distance = 0;
  for (int64_t i = 1; i < size; ++i) {
    distance += static_cast<double>(std::abs(permutation.at(i) - permutation.at(i - 1)));
  }
  EXPECT_NEAR(distance / static_cast<double>(size) / static_cast<double>(size), 1.0 / 3, 0.01);
}

TEST(Permutation, WorksForATrillionRows) {
  const Permutation permutation(1'000'000'000'000, 5);
  const int64_t at = permutation.at(123'456'789'012);
  EXPECT_GE(at, 0);
  EXPECT_LT(at, 1'000'000'000'000);
}

TEST(PackedRows, CutsOneStreamAndShiftsTheLabels) {
  const auto rows =
      make({{"a", counting(10, 7)}}, {.row_tokens = 3, .order = RowOrder::sequential, .padding_token = 1});
  EXPECT_EQ(rows->rows_in_epoch(), 3);
  const Batch batch = read(*rows, 0, 3);
  EXPECT_THAT(batch.ids_BT, ElementsAre(10, 11, 12, 13, 14, 15, 16, 1, 1));
  EXPECT_THAT(batch.labels_BT, ElementsAre(11, 12, 13, 14, 15, 16, -100, -100, -100));
  EXPECT_TRUE(batch.documents_BT.empty());
}

TEST(PackedRows, KeepsDocumentsApartWhenAsked) {
  // Documents of 2, 1, 4 and 2 tokens; one ends where a row ends.
  const auto rows = make({{"a", counting(10, 9, {0, 2, 3, 7})}}, {.row_tokens = 4,
                                                                  .order = RowOrder::sequential,
                                                                  .attention = DocumentAttention::within,
                                                                  .padding_token = 0});
  const Batch batch = read(*rows, 0, 3);
  EXPECT_THAT(batch.ids_BT, ElementsAre(10, 11, 12, 13, 14, 15, 16, 17, 18, 0, 0, 0));
  EXPECT_THAT(batch.labels_BT, ElementsAre(11, -100, -100, 14, 15, 16, -100, 18, -100, -100, -100, -100));
  EXPECT_THAT(batch.documents_BT, ElementsAre(0, 0, 1, 2, 0, 0, 0, 1, 0, 1, 1, 1));
}

TEST(PackedRows, IgnoresTheLabelAcrossADocumentThatEndsWithTheRow) {
  const auto rows =
      make({{"a", counting(0, 4, {0, 2})}},
           {.row_tokens = 2, .order = RowOrder::sequential, .attention = DocumentAttention::within});
  EXPECT_THAT(read(*rows, 0, 2).labels_BT, ElementsAre(1, -100, 3, -100));
}

TEST(PackedRows, GivesEveryTokenOnceInEachEpochInAnotherOrder) {
  const auto rows = make({{"a", counting(0, 1000)}, {"b", counting(1000, 501)}, {"c", counting(1501, 3)}},
                         {.row_tokens = 10, .seed = 3, .padding_token = -1});
  const int64_t n = rows->rows_in_epoch();
  EXPECT_EQ(n, 100 + 51 + 1);
  std::vector<std::vector<int64_t>> orders;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    Batch batch = read(*rows, epoch * n, n);
    orders.push_back(batch.ids_BT);
    std::erase(batch.ids_BT, -1);
    std::sort(batch.ids_BT.begin(), batch.ids_BT.end());
    std::vector<int64_t> all(1504);
    std::iota(all.begin(), all.end(), 0);
    ASSERT_EQ(batch.ids_BT, all);
    // Each is predicted once, but for the first of each source.
    std::erase(batch.labels_BT, kIgnoredLabel);
    EXPECT_EQ(batch.labels_BT.size(), 1504u - 3);
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_NE(orders[1], orders[2]);
}

TEST(PackedRows, AreAFunctionOfSeedAndPosition) {
  const auto make_with = [](uint64_t seed) {
    return make({{"a", counting(0, 5000)}}, {.row_tokens = 16, .seed = seed});
  };
  const auto rows = make_with(1), again = make_with(1), other = make_with(2);
  const Batch whole = read(*rows, 0, 64);
  EXPECT_EQ(whole.ids_BT, read(*again, 0, 64).ids_BT);
  EXPECT_NE(whole.ids_BT, read(*other, 0, 64).ids_BT);
  // Asked for in any pieces and any order.
  for (const int64_t first : {63, 0, 17, 40}) {
    const Batch row = read(*rows, first, 1);
    EXPECT_THAT(row.ids_BT, ElementsAreArray(whole.ids_BT.data() + first * 16, 16));
    EXPECT_THAT(row.labels_BT, ElementsAreArray(whole.labels_BT.data() + first * 16, 16));
  }
}

TEST(WorkerShare, DividesAStepSoThatAnyNumberOfWorkersReadsTheSameRows) {
  const auto rows_read = [](WorkerShare share) {
    std::multiset<int64_t> seen;
    for (int64_t step = 0; step < 3; ++step) {
      for (share.rank = 0; share.rank < share.n_workers; ++share.rank) {
        for (int64_t m = 0; m < share.n_micro_batches; ++m) {
          const int64_t first = share.first_row(step * share.rows_per_step(), m);
          for (int64_t r = 0; r < share.rows; ++r) seen.insert(first + r);
        }
      }
    }
    return seen;
  };
  const auto one = rows_read({.rows = 8});
  EXPECT_EQ(one.size(), 24u);
  EXPECT_EQ(std::set<int64_t>(one.begin(), one.end()).size(), 24u);
  EXPECT_EQ(one, rows_read({.n_workers = 4, .rows = 2}));
  EXPECT_EQ(one, rows_read({.n_workers = 2, .rows = 2, .n_micro_batches = 2}));
}

const std::vector<std::string> kNames = {"web", "books", "code"};

TEST(Mixture, MeetsItsWeightsInEveryPeriod) {
  const auto mixture = Mixture::create({{0, {0.7, 0.2999, 0.00001}}}, kNames, 4);
  ASSERT_TRUE(mixture.ok());
  for (int64_t period = 0; period < 3; ++period) {
    std::map<int64_t, int64_t> counts;
    for (const auto& pick : mixture->pick(period * kMixturePeriod, kMixturePeriod)) ++counts[pick.source];
    EXPECT_NEAR(static_cast<double>(counts[0]), 7000, 1);
    EXPECT_NEAR(static_cast<double>(counts[1]), 2999, 1);
    EXPECT_EQ(counts[2], 1);
  }
}

TEST(Mixture, CountsTheRowsOfEachSourceAcrossPhases) {
  // Borders within periods; the second phase leaves a source out.
  const std::vector<MixturePhase> phases = {
      {0, {1, 2, 3}}, {12'345, {1, 0, 1}}, {12'346, {1, 1, 0}}, {40'000, {0, 0, 9}}};
  const auto mixture = Mixture::create(phases, kNames, 11);
  ASSERT_TRUE(mixture.ok());
  std::vector<int64_t> given(3, 0);
  const auto all = mixture->pick(0, 45'000);
  for (size_t row = 0; row < all.size(); ++row) {
    const auto& pick = all[row];
    ASSERT_EQ(pick.ordinal, given[static_cast<size_t>(pick.source)]++) << "row " << row;
    ASSERT_TRUE(row < 12'346 || row >= 40'000 || pick.source != 2);
    ASSERT_TRUE(row < 40'000 || pick.source == 2);
  }
  // Resumed anywhere, and read in pieces that cross periods and phases.
  for (const int64_t first : {0, 9'999, 12'344, 12'345, 12'346, 33'333, 39'999, 44'000}) {
    const auto part = mixture->pick(first, 500);
    for (size_t i = 0; i < part.size(); ++i) {
      ASSERT_EQ(part[i].source, all[static_cast<size_t>(first) + i].source);
      ASSERT_EQ(part[i].ordinal, all[static_cast<size_t>(first) + i].ordinal);
    }
  }
}

TEST(Mixture, KeepsTheRowsBeforeABorderWhenABranchMovesIt) {
  const auto trunk = Mixture::create({{0, {1, 1, 1}}, {30'000, {1, 0, 0}}}, kNames, 5);
  const auto branch = Mixture::create({{0, {1, 1, 1}}, {20'000, {0, 1, 0}}}, kNames, 5);
  ASSERT_TRUE(trunk.ok() && branch.ok());
  const auto a = trunk->pick(0, 20'001), b = branch->pick(0, 20'001);
  for (size_t row = 0; row < 20'000; ++row) ASSERT_EQ(a[row].source, b[row].source);
  EXPECT_EQ(b[20'000].source, 1);
}

TEST(Mixture, RefusesWeightsThatCannotBe) {
  const auto message = [](std::vector<MixturePhase> phases) {
    const auto mixture = Mixture::create(std::move(phases), kNames, 0);
    return mixture.ok() ? "" : mixture.error().message;
  };
  EXPECT_THAT(message({}), HasSubstr("must begin at row 0"));
  EXPECT_THAT(message({{5, {1, 1, 1}}}), HasSubstr("must begin at row 0"));
  EXPECT_THAT(message({{0, {1, 1}}}), HasSubstr("phase 1: 2 weights for 3 sources"));
  EXPECT_THAT(message({{0, {1, -1, 1}}}), HasSubstr("phase 1: weight of books: found -1"));
  EXPECT_THAT(message({{0, {1, NAN, 1}}}), HasSubstr("weight of books"));
  EXPECT_THAT(message({{0, {0, 0, 0}}}), HasSubstr("add up to 0"));
  EXPECT_THAT(message({{0, {1, 1, 1}}, {0, {1, 1, 1}}}), HasSubstr("phase 2: begins at row 0"));
}

TEST(PackedRows, MixSourcesEachWithItsOwnEpochs) {
  // 10 rows of a, 40 of b, at equal weights: four epochs of a for one of b.
  const auto rows = make({{"a", counting(0, 40)}, {"b", counting(1000, 160)}},
                         {.row_tokens = 4, .seed = 8, .phases = {{0, {1, 1}}}});
  std::map<int64_t, int> times;
  const int64_t n = kMixturePeriod;
  for (const int64_t id : read(*rows, 0, n).ids_BT) ++times[id];
  EXPECT_EQ(times.size(), 200u);
  for (const auto& [id, count] : times) EXPECT_EQ(count, id < 1000 ? n / 20 : n / 80) << id;
  EXPECT_THAT(rows->sources_of(0, 3), testing::SizeIs(3));
}

TEST(PackedRows, RefuseASourceWithoutTokensUnlessItIsNeverRead) {
  const auto create = [](std::vector<MixturePhase> phases) {
    return PackedRows::create({{"full", counting(0, 8)}, {"empty", counting(0, 0)}},
                              {.row_tokens = 4, .phases = std::move(phases)});
  };
  const auto refused = create({});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "empty: holds no token");
  EXPECT_FALSE(create({{0, {1, 0.5}}}).ok());
  EXPECT_TRUE(create({{0, {1, 0}}}).ok());
}

TEST(PackedRows, RefuseRowsThatCannotBe) {
  const auto rows = make({{"a", counting(0, 8)}}, {.row_tokens = 4});
  EXPECT_FALSE(rows->batch(-1, 1).ok());
  EXPECT_FALSE(rows->batch(0, 0).ok());
  EXPECT_FALSE(rows->batch(INT64_MAX, 1).ok());
  EXPECT_FALSE(rows->batch(0, INT64_MAX / 2).ok());
  EXPECT_FALSE(PackedRows::create({{"a", counting(0, 8)}}, {.row_tokens = 0}).ok());
  EXPECT_FALSE(PackedRows::create({}, {.row_tokens = 4}).ok());
}

TEST(PackedRows, ChangeTheirFingerprintWithDataSeedAndLength) {
  const auto print = [](int64_t n_tokens, PackedRowsOptions options, std::vector<int64_t> starts = {0}) {
    return make({{"a", counting(0, n_tokens, std::move(starts))}}, std::move(options))->fingerprint();
  };
  const std::string base = print(100, {.row_tokens = 4, .seed = 1});
  EXPECT_EQ(base.size(), 32u);
  EXPECT_EQ(base, print(100, {.row_tokens = 4, .seed = 1}));
  EXPECT_EQ(base, print(100, {.row_tokens = 4, .seed = 1, .phases = {{0, {1}}}}));
  EXPECT_NE(base, print(101, {.row_tokens = 4, .seed = 1}));
  EXPECT_NE(base, print(100, {.row_tokens = 4, .seed = 1}, {0, 50}));
  EXPECT_NE(base, print(100, {.row_tokens = 5, .seed = 1}));
  EXPECT_NE(base, print(100, {.row_tokens = 4, .seed = 2}));
}

}  // namespace
}  // namespace plm::train
