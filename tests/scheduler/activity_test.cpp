#include "scheduler/activity.h"

#include <gmock/gmock.h>

namespace plm::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Counts = model::SparsityCounts;

// What a model of two layers says after a step of these tokens.
Counts after(std::vector<int64_t> last_live_TL) {
  return {.live_of_layer = {1000, 2000}, .n_tokens = 100, .last_live_TL = std::move(last_live_TL)};
}

TEST(RecentActivity, AddsUpTheStepsOfAnswers) {
  RecentActivity activity;
  EXPECT_EQ(activity.recent().n_tokens, 0);
  activity.add_answer_step(after({10, 20}), std::vector<int64_t>{0});
  activity.add_answer_step(after({1, 2, 3, 4}), std::vector<int64_t>{0, 1});
  EXPECT_EQ(activity.recent().n_tokens, 3);
  EXPECT_THAT(activity.recent().live_of_layer, ElementsAre(14, 26));
}

TEST(RecentActivity, LeavesOutTokensThatWereNotKept) {
  RecentActivity activity;
  activity.add_answer_step(after({1, 2, 30, 40, 5, 6, 700, 800}), std::vector<int64_t>{0, 2});
  EXPECT_EQ(activity.recent().n_tokens, 2);
  EXPECT_THAT(activity.recent().live_of_layer, ElementsAre(6, 8));
}

TEST(RecentActivity, ForgetsAllButTheLastSteps) {
  RecentActivity activity;
  for (int64_t i = 0; i < 3 * static_cast<int64_t>(RecentActivity::kSteps) + 5; ++i) {
    activity.add_answer_step(after({i, 1}), std::vector<int64_t>{0});
  }
  const auto n = static_cast<int64_t>(RecentActivity::kSteps);
  const int64_t last = 3 * n + 4;
  EXPECT_EQ(activity.recent().n_tokens, n);
  EXPECT_THAT(activity.recent().live_of_layer, ElementsAre(n * last - n * (n - 1) / 2, n));
}

TEST(RecentActivity, HasNoLayersWhereTheModelHasNoSquaredRelu) {
  RecentActivity activity;
  activity.add_answer_step({}, std::vector<int64_t>{0});
  EXPECT_THAT(activity.recent().live_of_layer, IsEmpty());
  EXPECT_EQ(activity.recent().n_tokens, 0);
}

}  // namespace
}  // namespace plm::scheduler
