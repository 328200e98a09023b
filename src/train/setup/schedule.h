// Learning rates: PLM's Warmup-Stable-Decay-Constant and the schedules of transformers' names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plm::train {

enum class ScheduleType {
  warmup_stable_decay_constant,
  // As in transformers, step for step.
  constant,
  constant_with_warmup,
  linear,
  cosine,
  cosine_with_restarts,
  cosine_with_min_lr,
  polynomial,
  inverse_sqrt,
  warmup_stable_decay,
};
Result<ScheduleType> schedule_type_from_name(std::string_view name);
std::string_view schedule_type_name(ScheduleType type);

enum class DecayShape { linear, cosine, exponential, one_minus_sqrt };
// "linear", "cosine", "exponential", "1-sqrt"
Result<DecayShape> decay_shape_from_name(std::string_view name);
std::string_view decay_shape_name(DecayShape shape);

struct ScheduleOptions {
  ScheduleType type = ScheduleType::linear;
  double peak = 0;      // the learning rate that factors multiply
  int64_t n_steps = 0;  // of the whole run
  int64_t warmup = 0;   // steps
  // warmup_stable_decay and ..._constant. -1: a third of what follows the warm-up, and all that is left.
  int64_t stable = -1;
  int64_t decay = -1;
  double floor_ratio = 0;  // rate at the end of the decay over the peak
  DecayShape shape = DecayShape::cosine;
  double n_cycles = -1;  // of the cosine schedules; -1: each one's own default
  double power = 1;      // polynomial
  double polynomial_end = 1e-7;
  double timescale = -1;  // inverse_sqrt; -1: the warm-up, or 10,000 without
};

enum class Phase { warmup, stable, decay, constant };
std::string_view phase_name(Phase phase);

class Schedule {
 public:
  // Fails with invalid_argument: a phase or a ratio that cannot be, an exponential decay to zero.
  static Result<Schedule> create(const ScheduleOptions& options);

  // The rate of the step-th update, from 0.
  //
  // warmup_stable_decay_constant: peak * (step + 1) / warmup; then peak; then from peak to the floor, which
  // is reached by the last step of the decay; then the floor. The others have transformers' formulas, where
  // the first step of a warm-up has rate 0.
  double rate(int64_t step) const;

  // Which part a step lies in. Of schedules without parts: warmup, then decay (constant: stable).
  Phase phase(int64_t step) const;
  // The first step of a phase, of warmup_stable_decay(_constant).
  int64_t first_step(Phase phase) const;

  const ScheduleOptions& options() const { return options_; }

 private:
  explicit Schedule(const ScheduleOptions& options) : options_(options) {}
  double factor(int64_t step) const;
  double wsdc_factor(int64_t step) const;
  double wsd_factor(int64_t step) const;

  ScheduleOptions options_;
};

}  // namespace plm::train
