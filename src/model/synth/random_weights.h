// Reproducible random numbers that any thread can make for any row: each is a hash of a key and its
// place, with no state between them.
#pragma once

#include <cstdint>
#include <string_view>

namespace plm::model {

// The key of one row of one tensor.
uint64_t row_key(uint64_t seed, std::string_view tensor, int64_t row);

// The inverse of the normal distribution function, for 0 < probability < 1.
double normal_quantile(double probability);

// n normal numbers of mean 0 and the given standard deviation, to about 12 bits: cut off at 3.7
// deviations. The same on every machine with the same erfc.
void fill_normal(uint64_t key, float deviation, float* out, int64_t n);

// -1 or 1, for element i of a row.
float random_sign(uint64_t key, int64_t i);

}  // namespace plm::model
