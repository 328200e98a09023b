#include "runtime/draft_planner.h"

#include <gtest/gtest.h>

#include <numeric>

namespace plm::runtime {
namespace {

using Plan = std::vector<int64_t>;

// A machine that has measured its steps: each token more makes one longer by `more`.
DraftPlanner planner(double more, double draft_seconds = 0) {
  DraftPlanner made;
  for (int64_t n = 1; n <= kernels::kFineTokens; ++n) {
    made.count_step(n, 0.01 * (1 + more * static_cast<double>(n - 1)));
  }
  if (draft_seconds > 0) made.count_drafting(1, draft_seconds);
  return made;
}

Plan plan(const DraftPlanner& planner, const std::vector<DraftWish>& wishes) { return planner.plan(wishes); }

int64_t total(const Plan& plan) { return std::accumulate(plan.begin(), plan.end(), int64_t{0}); }

TEST(DraftPlanner, DraftsMuchWhereGuessesComeTrueAndNothingWhereTheyDoNot) {
  const auto planned = planner(0.2);
  EXPECT_EQ(plan(planned, {{.chance = 0.95, .most = 7}}), Plan{7});
  EXPECT_EQ(plan(planned, {{.chance = 0.1, .most = 7}}), Plan{0});
  const int64_t some = plan(planned, {{.chance = 0.5, .most = 7}})[0];
  EXPECT_GT(some, 0);
  EXPECT_LT(some, 7);
}

TEST(DraftPlanner, KeepsToWhatIsWished) {
  EXPECT_EQ(plan(planner(0.01), {{.chance = 0.99, .most = 3}}), Plan{3});
  EXPECT_EQ(plan(planner(0.01), {{.chance = 0.99, .most = 100}}), Plan{7});
  EXPECT_EQ(plan(planner(0.01), {{.chance = 0.99, .most = 0, .is_due = true}}), Plan{0});
  EXPECT_EQ(plan(planner(0.01), {}), Plan{});
}

TEST(DraftPlanner, SharesTheRoomOfAStepAmongThoseWhoseGuessesAreBest) {
  const auto planned = planner(0.01);
  const Plan two = plan(planned, {{.chance = 0.9, .most = 7}, {.chance = 0.5, .most = 7}});
  EXPECT_EQ(total(two), 6);
  EXPECT_GT(two[0], two[1]);
  EXPECT_EQ(total(plan(planned, std::vector<DraftWish>(8, {.chance = 0.99, .most = 7, .is_due = true}))), 0);
}

TEST(DraftPlanner, CountsWhatDraftingCosts) {
  EXPECT_EQ(plan(planner(0.1, 0.02), {{.chance = 0.8, .most = 7}}), Plan{0});
  EXPECT_GT(plan(planner(0.1, 0.0005), {{.chance = 0.8, .most = 7}})[0], 0);
}

TEST(DraftPlanner, LetsOneThatWasRefusedForLongTryAgain) {
  EXPECT_EQ(plan(planner(0.3), {{.chance = 0.05, .most = 7, .is_due = true}}), Plan{1});
}

TEST(DraftPlanner, PlansBeforeAnythingIsKnown) {
  EXPECT_GT(plan(DraftPlanner(), {{.chance = 0.9, .most = 7}})[0], 0);
}

TEST(DraftPlanner, ThatDoesNotAdaptGivesWhatIsWishedWhereThereIsRoom) {
  const DraftPlanner steady(/*adapts=*/false);
  EXPECT_EQ(plan(steady, {{.chance = 0.05, .most = 4}}), Plan{4});
  EXPECT_EQ(plan(steady, {{.chance = 0.05, .most = 4}, {.chance = 0.9, .most = 7}}), (Plan{4, 2}));
  EXPECT_EQ(steady.plan(std::vector<DraftWish>{{.most = 9}}, /*n_others=*/3), Plan{4});
}

TEST(DraftRecord, FollowsWhatComesTrue) {
  DraftRecord record;
  EXPECT_NEAR(record.chance(), 0.5, 1e-9);
  for (int i = 0; i < 30; ++i) record.count(4, 4);
  EXPECT_GT(record.chance(), 0.95);
  for (int i = 0; i < 60; ++i) record.count(4, 0);
  EXPECT_LT(record.chance(), 0.05);
}

TEST(DraftRecord, WaitsLongerAfterEachGuessThatWasWrong) {
  DraftRecord record;
  const auto wait = [&] {
    int64_t n = 0;
    for (; !record.is_due(); ++n) record.count_without();
    return n;
  };
  const int64_t first = wait();
  record.count(1, 0);
  EXPECT_GT(wait(), first);
  for (int i = 0; i < 100; ++i) record.count(1, 0);
  EXPECT_LE(wait(), 256);
  record.count(2, 1);
  EXPECT_LE(wait(), first);
}

}  // namespace
}  // namespace plm::runtime
