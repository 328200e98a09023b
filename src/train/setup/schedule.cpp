#include "train/setup/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

namespace plm::train {
namespace {

template <class T>
using Names = std::pair<std::string_view, T>;

constexpr auto kTypes = std::to_array<Names<ScheduleType>>({
    {"warmup_stable_decay_constant", ScheduleType::warmup_stable_decay_constant},
    {"constant", ScheduleType::constant},
    {"constant_with_warmup", ScheduleType::constant_with_warmup},
    {"linear", ScheduleType::linear},
    {"cosine", ScheduleType::cosine},
    {"cosine_with_restarts", ScheduleType::cosine_with_restarts},
    {"cosine_with_min_lr", ScheduleType::cosine_with_min_lr},
    {"polynomial", ScheduleType::polynomial},
    {"inverse_sqrt", ScheduleType::inverse_sqrt},
    {"warmup_stable_decay", ScheduleType::warmup_stable_decay},
});
constexpr auto kShapes = std::to_array<Names<DecayShape>>({
    {"linear", DecayShape::linear},
    {"cosine", DecayShape::cosine},
    {"exponential", DecayShape::exponential},
    {"1-sqrt", DecayShape::one_minus_sqrt},
});

template <class T, size_t n>
Result<T> from_name(const std::array<Names<T>, n>& table, std::string_view name, std::string_view what) {
  std::vector<std::string_view> known;
  for (const auto& [known_name, value] : table) {
    if (known_name == name) return value;
    known.push_back(known_name);
  }
  return make_error(ErrorKind::invalid_argument, "{}: found {}, expected one of {}", what, name,
                    fmt::join(known, ", "));
}

template <class T, size_t n>
std::string_view name_of(const std::array<Names<T>, n>& table, T value) {
  return std::find_if(table.begin(), table.end(), [&](const auto& entry) { return entry.second == value; })
      ->first;
}

bool has_phases(ScheduleType type) {
  return type == ScheduleType::warmup_stable_decay || type == ScheduleType::warmup_stable_decay_constant;
}

double cosine_wave(double progress, double cycles) {
  return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * cycles * 2.0 * progress)));
}

double shaped(DecayShape shape, double progress, double floor) {
  switch (shape) {
    case DecayShape::linear:
      return 1.0 + (floor - 1.0) * progress;
    case DecayShape::cosine:
      return floor + (1.0 - floor) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
    case DecayShape::exponential:
      return std::pow(floor, progress);
    case DecayShape::one_minus_sqrt:
      return floor + (1.0 - floor) * (1.0 - std::sqrt(progress));
  }
  return 1.0;
}

Status check(const ScheduleOptions& o) {
  const auto wrong = [](std::string_view what, auto found, std::string_view expected) {
    return make_error(ErrorKind::invalid_argument, "{}: found {}, expected {}", what, found, expected);
  };
  if (!(o.peak > 0) || !std::isfinite(o.peak)) return wrong("learning_rate", o.peak, "a positive number");
  if (o.n_steps < 1) return wrong("max_steps", o.n_steps, "at least 1");
  if (o.warmup < 0 || o.warmup > o.n_steps) return wrong("warm-up steps", o.warmup, "no more than all steps");
  if (!(o.floor_ratio >= 0) || o.floor_ratio > 1) return wrong("min_lr_ratio", o.floor_ratio, "0 to 1");
  if (!has_phases(o.type)) return {};
  if (o.stable < 0 || o.decay < 0 || o.stable > o.n_steps || o.decay > o.n_steps) {
    return wrong("num_stable_steps and num_decay_steps", fmt::format("{} and {}", o.stable, o.decay),
                 "0 to max_steps");
  }
  if (o.warmup + o.stable + o.decay > o.n_steps) {
    return wrong("warm-up, stable and decay steps", o.warmup + o.stable + o.decay,
                 fmt::format("no more than max_steps, {}", o.n_steps));
  }
  if (o.shape == DecayShape::exponential && o.floor_ratio == 0) {
    return wrong("min_lr_ratio", o.floor_ratio, "more than 0 when the decay is exponential");
  }
  return {};
}

}  // namespace

Result<ScheduleType> schedule_type_from_name(std::string_view name) {
  return from_name(kTypes, name, "lr_scheduler_type");
}
std::string_view schedule_type_name(ScheduleType type) { return name_of(kTypes, type); }
Result<DecayShape> decay_shape_from_name(std::string_view name) {
  return from_name(kShapes, name, "decay_type");
}
std::string_view decay_shape_name(DecayShape shape) { return name_of(kShapes, shape); }

std::string_view phase_name(Phase phase) {
  switch (phase) {
    case Phase::warmup:
      return "warmup";
    case Phase::stable:
      return "stable";
    case Phase::decay:
      return "decay";
    case Phase::constant:
      return "constant";
  }
  return "";
}

Result<Schedule> Schedule::create(const ScheduleOptions& options) {
  ScheduleOptions filled = options;
  if (has_phases(filled.type)) {
    const int64_t rest = filled.n_steps - filled.warmup;
    if (filled.stable == -1)
      filled.stable = filled.decay == -1 ? rest / 3 : std::max<int64_t>(0, rest - filled.decay);
    if (filled.decay == -1) filled.decay = std::max<int64_t>(0, rest - filled.stable);
  }
  PLM_TRY_STATUS(check(filled));
  return Schedule(filled);
}

double Schedule::rate(int64_t step) const { return options_.peak * factor(step); }

int64_t Schedule::first_step(Phase phase) const {
  switch (phase) {
    case Phase::warmup:
      return 0;
    case Phase::stable:
      return options_.warmup;
    case Phase::decay:
      return options_.warmup + options_.stable;
    case Phase::constant:
      return options_.warmup + options_.stable + options_.decay;
  }
  return 0;
}

Phase Schedule::phase(int64_t step) const {
  if (step < options_.warmup) return Phase::warmup;
  if (!has_phases(options_.type)) {
    const bool flat =
        options_.type == ScheduleType::constant || options_.type == ScheduleType::constant_with_warmup;
    return flat ? Phase::stable : Phase::decay;
  }
  if (step < first_step(Phase::decay)) return Phase::stable;
  return step < first_step(Phase::constant) ? Phase::decay : Phase::constant;
}

double Schedule::wsdc_factor(int64_t step) const {
  const ScheduleOptions& o = options_;
  switch (phase(step)) {
    case Phase::warmup:
      return static_cast<double>(step + 1) / static_cast<double>(o.warmup);
    case Phase::stable:
      return 1.0;
    case Phase::decay: {
      const double done = static_cast<double>(step - first_step(Phase::decay) + 1);
      return shaped(o.shape, done / static_cast<double>(o.decay), o.floor_ratio);
    }
    case Phase::constant:
      return o.floor_ratio;
  }
  return 1.0;
}

// transformers' get_wsd_schedule.
double Schedule::wsd_factor(int64_t step) const {
  const ScheduleOptions& o = options_;
  switch (phase(step)) {
    case Phase::warmup: {
      const double progress = static_cast<double>(step) / static_cast<double>(o.warmup);
      return progress * (1.0 - o.floor_ratio) + o.floor_ratio;
    }
    case Phase::stable:
      return 1.0;
    case Phase::decay: {
      const double progress =
          static_cast<double>(step - first_step(Phase::decay)) / static_cast<double>(o.decay);
      if (o.shape != DecayShape::cosine) return shaped(o.shape, progress, o.floor_ratio);
      const double wave = cosine_wave(progress, o.n_cycles < 0 ? 0.5 : o.n_cycles);
      return wave * (1.0 - o.floor_ratio) + o.floor_ratio;
    }
    case Phase::constant:
      return o.floor_ratio;
  }
  return 1.0;
}

double Schedule::factor(int64_t step) const {
  const ScheduleOptions& o = options_;
  if (o.type == ScheduleType::warmup_stable_decay_constant) return wsdc_factor(step);
  if (o.type == ScheduleType::warmup_stable_decay) return wsd_factor(step);
  if (o.type == ScheduleType::constant) return 1.0;
  if (step < o.warmup) return static_cast<double>(step) / static_cast<double>(o.warmup);
  const double rest = static_cast<double>(std::max<int64_t>(1, o.n_steps - o.warmup));
  const double progress = static_cast<double>(step - o.warmup) / rest;
  switch (o.type) {
    case ScheduleType::linear:
      return std::max(0.0, static_cast<double>(o.n_steps - step) / rest);
    case ScheduleType::cosine:
      return cosine_wave(progress, o.n_cycles < 0 ? 0.5 : o.n_cycles);
    case ScheduleType::cosine_with_min_lr:
      return std::max(0.0, cosine_wave(progress, o.n_cycles < 0 ? 0.5 : o.n_cycles) * (1.0 - o.floor_ratio) +
                               o.floor_ratio);
    case ScheduleType::cosine_with_restarts: {
      if (progress >= 1) return 0;
      const double cycles = o.n_cycles < 0 ? 1 : o.n_cycles;
      return cosine_wave(std::fmod(cycles * progress, 1.0), 0.5);
    }
    case ScheduleType::polynomial: {
      const double end = o.polynomial_end / o.peak;
      return step > o.n_steps ? end : (1.0 - end) * std::pow(1.0 - progress, o.power) + end;
    }
    case ScheduleType::inverse_sqrt: {
      const double scale =
          o.timescale > 0 ? o.timescale : (o.warmup > 0 ? static_cast<double>(o.warmup) : 10'000.0);
      const double shift = scale - static_cast<double>(o.warmup);
      return 1.0 / std::sqrt((static_cast<double>(step) + shift) / scale);
    }
    default:
      return 1.0;  // constant_with_warmup
  }
}

}  // namespace plm::train
