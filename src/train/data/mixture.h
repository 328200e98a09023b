// Which source each row of a run comes from: by weights that change at the borders of phases.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace plm::train {

struct MixturePhase {
  int64_t first_row = 0;        // of the run; the first phase begins at 0
  std::vector<double> weights;  // one for each source, not negative, not all 0; their sum does not matter
};

// Weights are met exactly in every period of kMixturePeriod rows of a phase, in a random order within it.
// A weight that is not 0 gives at least one row in a period.
constexpr int64_t kMixturePeriod = 10'000;

class Mixture {
 public:
  // phases ascending by first_row. Fails with invalid_argument, naming phase and source.
  static Result<Mixture> create(std::vector<MixturePhase> phases,
                                const std::vector<std::string>& source_names, uint64_t seed);

  struct Pick {
    int64_t source;
    int64_t ordinal;  // this is the ordinal-th row that the source gives in this run, from 0
  };
  // Of rows first_row .. first_row + n_rows - 1. Needs nothing but these numbers: time does not grow with
  // them.
  std::vector<Pick> pick(int64_t first_row, int64_t n_rows) const;

 private:
  struct Phase {
    int64_t first_row;
    std::vector<int64_t> in_period;  // rows of each source in a period; their sum is kMixturePeriod
    std::vector<int64_t> before;     // rows each source gave in earlier phases
  };
  // The sources of the rows of one period.
  std::vector<int32_t> period_slots(size_t phase, int64_t period) const;
  size_t phase_of(int64_t row) const;

  std::vector<Phase> phases_;
  uint64_t seed_ = 0;
};

}  // namespace plm::train
