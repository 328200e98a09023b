#include "train/data/mixture.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/data/counter_random.h"

namespace plm::train {

namespace {

// Shares of kMixturePeriod: at least one for a weight that is not 0, the rest by largest remainder.
std::vector<int64_t> rows_in_period(const std::vector<double>& weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<int64_t> rows(weights.size());
  std::vector<double> missing(weights.size());
  for (size_t s = 0; s < weights.size(); ++s) {
    const double exact = weights[s] / total * static_cast<double>(kMixturePeriod);
    rows[s] = weights[s] > 0 ? std::max<int64_t>(1, static_cast<int64_t>(std::floor(exact))) : 0;
    missing[s] = weights[s] > 0 ? exact - static_cast<double>(rows[s]) : -INFINITY;
  }
  for (int64_t sum = std::accumulate(rows.begin(), rows.end(), int64_t{0}); sum != kMixturePeriod;) {
    const int64_t step = sum < kMixturePeriod ? 1 : -1;
    // Too many after the small ones were lifted to one: the largest gives.
    const auto chosen = step > 0 ? std::max_element(missing.begin(), missing.end()) - missing.begin()
                                 : std::max_element(rows.begin(), rows.end()) - rows.begin();
    rows[static_cast<size_t>(chosen)] += step;
    missing[static_cast<size_t>(chosen)] -= static_cast<double>(step);
    sum += step;
  }
  return rows;
}

Status check_phase(const MixturePhase& phase, size_t index, const std::vector<std::string>& names) {
  if (phase.weights.size() != names.size()) {
    return make_error(ErrorKind::invalid_argument, "phase {}: {} weights for {} sources", index + 1,
                      phase.weights.size(), names.size());
  }
  double total = 0;
  for (size_t s = 0; s < names.size(); ++s) {
    const double weight = phase.weights[s];
    if (!std::isfinite(weight) || weight < 0) {
      return make_error(ErrorKind::invalid_argument, "phase {}: weight of {}: found {}, expected 0 or more",
                        index + 1, names[s], weight);
    }
    total += weight;
  }
  if (!std::isfinite(total) || total <= 0) {
    return make_error(ErrorKind::invalid_argument, "phase {}: the weights add up to {}", index + 1, total);
  }
  return {};
}

}  // namespace

Result<Mixture> Mixture::create(std::vector<MixturePhase> phases,
                                const std::vector<std::string>& source_names, uint64_t seed) {
  if (phases.empty() || phases.front().first_row != 0) {
    return make_error(ErrorKind::invalid_argument, "mixture: the first phase must begin at row 0");
  }
  if (std::ssize(source_names) > kMixturePeriod) {
    return make_error(ErrorKind::invalid_argument, "mixture: {} sources, at most {}", source_names.size(),
                      kMixturePeriod);
  }
  Mixture mixture;
  mixture.seed_ = seed;
  for (size_t i = 0; i < phases.size(); ++i) {
    PLM_TRY_STATUS(check_phase(phases[i], i, source_names));
    if (i > 0 && phases[i].first_row <= phases[i - 1].first_row) {
      return make_error(ErrorKind::invalid_argument,
                        "phase {}: begins at row {}, not after phase {} (row {})", i + 1, phases[i].first_row,
                        i, phases[i - 1].first_row);
    }
    std::vector<int64_t> before(source_names.size(), 0);
    if (i > 0) {
      // Where the row after the last of the phase before would stand, were it still of that phase.
      const Phase& last = mixture.phases_.back();
      const int64_t n_rows = phases[i].first_row - last.first_row;
      before = last.before;
      for (size_t s = 0; s < before.size(); ++s) {
        before[s] += n_rows / kMixturePeriod * last.in_period[s];
      }
      const auto slots = mixture.period_slots(i - 1, n_rows / kMixturePeriod);
      for (int64_t slot = 0; slot < n_rows % kMixturePeriod; ++slot) {
        ++before[static_cast<size_t>(slots[static_cast<size_t>(slot)])];
      }
    }
    mixture.phases_.push_back({phases[i].first_row, rows_in_period(phases[i].weights), std::move(before)});
  }
  return mixture;
}

std::vector<int32_t> Mixture::period_slots(size_t phase, int64_t period) const {
  std::vector<int32_t> slots;
  slots.reserve(kMixturePeriod);
  const auto& in_period = phases_[phase].in_period;
  for (size_t s = 0; s < in_period.size(); ++s) {
    slots.insert(slots.end(), static_cast<size_t>(in_period[s]), static_cast<int32_t>(s));
  }
  const uint64_t key = combine_keys(seed_, phase, static_cast<uint64_t>(period));
  for (size_t i = slots.size() - 1; i > 0; --i) std::swap(slots[i], slots[random_below(key, i, i + 1)]);
  return slots;
}

size_t Mixture::phase_of(int64_t row) const {
  const auto after = std::upper_bound(phases_.begin(), phases_.end(), row,
                                      [](int64_t r, const Phase& phase) { return r < phase.first_row; });
  return static_cast<size_t>(after - phases_.begin()) - 1;
}

std::vector<Mixture::Pick> Mixture::pick(int64_t first_row, int64_t n_rows) const {
  PLM_CHECK(first_row >= 0 && n_rows >= 0);
  std::vector<Pick> picks;
  picks.reserve(static_cast<size_t>(n_rows));
  const int64_t end_row = first_row + n_rows;
  for (int64_t row = first_row; row < end_row;) {
    const size_t phase_index = phase_of(row);
    const Phase& phase = phases_[phase_index];
    const int64_t phase_end = phase_index + 1 < phases_.size() ? phases_[phase_index + 1].first_row : end_row;
    const int64_t period = (row - phase.first_row) / kMixturePeriod;
    const int64_t period_begin = phase.first_row + period * kMixturePeriod;
    const auto slots = period_slots(phase_index, period);
    std::vector<int64_t> given(phase.before);
    for (size_t s = 0; s < given.size(); ++s) given[s] += period * phase.in_period[s];
    const int64_t stop = std::min({end_row, phase_end, period_begin + kMixturePeriod});
    for (int64_t r = period_begin; r < stop; ++r) {
      const int32_t source = slots[static_cast<size_t>(r - period_begin)];
      const int64_t ordinal = given[static_cast<size_t>(source)]++;
      if (r >= row) picks.push_back({source, ordinal});
    }
    row = stop;
  }
  return picks;
}

}  // namespace plm::train
