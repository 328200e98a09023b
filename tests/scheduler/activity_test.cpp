#include "scheduler/activity.h"

#include <gmock/gmock.h>

namespace plm::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A model that counts, as far as RecentActivity sees it.
class Counting {
 public:
  const model::SparsityCounts& step(int64_t n_tokens, std::vector<int64_t> live) {
    counts_.live_of_layer.resize(live.size());
    for (size_t layer = 0; layer < live.size(); ++layer) counts_.live_of_layer[layer] += live[layer];
    counts_.n_tokens += n_tokens;
    return counts_;
  }

 private:
  model::SparsityCounts counts_;
};

TEST(RecentActivity, AddsUpTheStepsOfAnswers) {
  Counting model;
  RecentActivity activity;
  EXPECT_EQ(activity.recent().n_tokens, 0);
  activity.add_answer_step(model.step(1, {10, 20}));
  activity.add_answer_step(model.step(2, {1, 2}));
  EXPECT_EQ(activity.recent().n_tokens, 3);
  EXPECT_THAT(activity.recent().live_of_layer, ElementsAre(11, 22));
}

TEST(RecentActivity, LeavesOutStepsOfPrompts) {
  Counting model;
  RecentActivity activity;
  activity.skip_step(model.step(500, {5000, 6000}));
  activity.add_answer_step(model.step(1, {3, 4}));
  activity.skip_step(model.step(500, {5000, 6000}));
  activity.add_answer_step(model.step(1, {5, 6}));
  EXPECT_EQ(activity.recent().n_tokens, 2);
  EXPECT_THAT(activity.recent().live_of_layer, ElementsAre(8, 10));
}

TEST(RecentActivity, ForgetsAllButTheLastSteps) {
  Counting model;
  RecentActivity activity;
  for (int64_t i = 0; i < 3 * static_cast<int64_t>(RecentActivity::kSteps) + 5; ++i) {
    activity.add_answer_step(model.step(2, {i}));
  }
  const auto n = static_cast<int64_t>(RecentActivity::kSteps);
  const int64_t last = 3 * n + 4;
  EXPECT_EQ(activity.recent().n_tokens, 2 * n);
  EXPECT_THAT(activity.recent().live_of_layer, ElementsAre(n * last - n * (n - 1) / 2));
}

TEST(RecentActivity, HasNoLayersWhereTheModelHasNoSquaredRelu) {
  RecentActivity activity;
  activity.add_answer_step({});
  EXPECT_THAT(activity.recent().live_of_layer, IsEmpty());
  EXPECT_EQ(activity.recent().n_tokens, 0);
}

}  // namespace
}  // namespace plm::scheduler
