#include "train/setup/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace plm::train {
namespace {

ScheduleOptions wsdc(DecayShape shape) {
  ScheduleOptions options;
  options.type = ScheduleType::warmup_stable_decay_constant;
  options.peak = 2e-3;
  options.n_steps = 200;
  options.warmup = 20;
  options.stable = 100;
  options.decay = 60;
  options.floor_ratio = 0.1;
  options.shape = shape;
  return options;
}

Schedule make(const ScheduleOptions& options) {
  auto schedule = Schedule::create(options);
  EXPECT_TRUE(schedule.ok()) << schedule.error().message;
  return *schedule;
}

TEST(Schedule, WarmsUpStaysDecaysAndStaysAtTheFloor) {
  for (const DecayShape shape :
       {DecayShape::linear, DecayShape::cosine, DecayShape::exponential, DecayShape::one_minus_sqrt}) {
    const Schedule schedule = make(wsdc(shape));
    EXPECT_DOUBLE_EQ(schedule.rate(0), 2e-3 / 20);
    EXPECT_DOUBLE_EQ(schedule.rate(19), 2e-3);
    EXPECT_DOUBLE_EQ(schedule.rate(119), 2e-3);
    EXPECT_NEAR(schedule.rate(179), 2e-4, 1e-12);
    EXPECT_DOUBLE_EQ(schedule.rate(199), 2e-4);
    for (int64_t step = 120; step < 180; ++step) EXPECT_LT(schedule.rate(step), schedule.rate(step - 1));
    EXPECT_EQ(schedule.phase(19), Phase::warmup);
    EXPECT_EQ(schedule.phase(20), Phase::stable);
    EXPECT_EQ(schedule.phase(120), Phase::decay);
    EXPECT_EQ(schedule.phase(180), Phase::constant);
  }
}

TEST(Schedule, DecayShapesGoThroughTheirMiddle) {
  // The 30th of 60 steps of the decay is half way.
  const int64_t middle = 149;
  EXPECT_NEAR(make(wsdc(DecayShape::linear)).rate(middle), 2e-3 * 0.55, 1e-9);
  EXPECT_NEAR(make(wsdc(DecayShape::cosine)).rate(middle), 2e-3 * 0.55, 1e-9);
  EXPECT_NEAR(make(wsdc(DecayShape::exponential)).rate(middle), 2e-3 * std::sqrt(0.1), 1e-9);
  EXPECT_NEAR(make(wsdc(DecayShape::one_minus_sqrt)).rate(middle), 2e-3 * (0.1 + 0.9 * (1 - std::sqrt(0.5))),
              1e-9);
}

// Numbers printed by transformers 4.x: get_scheduler(name, SGD(lr=1), 10, 100, ...).
TEST(Schedule, TransformersNamesHaveTransformersRates) {
  ScheduleOptions options;
  options.peak = 1;
  options.n_steps = 100;
  options.warmup = 10;
  options.type = ScheduleType::linear;
  EXPECT_DOUBLE_EQ(make(options).rate(0), 0);
  EXPECT_DOUBLE_EQ(make(options).rate(5), 0.5);
  EXPECT_DOUBLE_EQ(make(options).rate(10), 1);
  EXPECT_DOUBLE_EQ(make(options).rate(55), 0.5);
  options.type = ScheduleType::cosine;
  EXPECT_NEAR(make(options).rate(55), 0.5, 1e-12);
  EXPECT_NEAR(make(options).rate(32), 0.5 * (1 + std::cos(3.14159265358979 * 22 / 90)), 1e-12);
  options.type = ScheduleType::constant_with_warmup;
  EXPECT_DOUBLE_EQ(make(options).rate(99), 1);
  options.type = ScheduleType::inverse_sqrt;
  EXPECT_NEAR(make(options).rate(40), std::sqrt(10.0 / 40), 1e-12);
  options.type = ScheduleType::polynomial;
  EXPECT_NEAR(make(options).rate(55), 0.5 * (1 - 1e-7) + 1e-7, 1e-12);
  options.type = ScheduleType::cosine_with_min_lr;
  options.floor_ratio = 0.2;
  EXPECT_NEAR(make(options).rate(55), 0.5 * 0.8 + 0.2, 1e-12);
  options.type = ScheduleType::warmup_stable_decay;
  options.stable = 50;
  options.decay = 30;
  EXPECT_NEAR(make(options).rate(5), 0.5 * 0.8 + 0.2, 1e-12);
  EXPECT_NEAR(make(options).rate(75), 0.5 * 0.8 + 0.2, 1e-12);
  EXPECT_NEAR(make(options).rate(95), 0.2, 1e-12);
}

TEST(Schedule, RefusesPhasesThatDoNotFit) {
  ScheduleOptions options = wsdc(DecayShape::linear);
  options.stable = 150;
  EXPECT_FALSE(Schedule::create(options).ok());
  options = wsdc(DecayShape::exponential);
  options.floor_ratio = 0;
  EXPECT_FALSE(Schedule::create(options).ok());
  options.peak = 0;
  EXPECT_FALSE(Schedule::create(options).ok());
  EXPECT_FALSE(schedule_type_from_name("reduce_lr_on_plateau").ok());
}

}  // namespace
}  // namespace plm::train
