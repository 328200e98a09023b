// Rotary positions: which angle each pair of numbers is turned by (Su et al., arXiv 2104.09864).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plm::model {

// The angle that one position adds to pair i: base^(-2i / width) for a part of `width` numbers (even),
// divided by the factors of a model whose context was stretched (empty: none; else one for each pair).
std::vector<double> rope_frequencies(int64_t width, double base, std::span<const float> factors = {});

// cos and sin of position * frequency, pair after pair: twice as many numbers as there are
// frequencies. Turning by a negative position turns back.
void fill_rope_table(int64_t position, std::span<const double> frequencies, float* cos_sin);

// The same for an unstretched base.
void fill_rope_table(int64_t position, int64_t width, float base, float* cos_sin);

}  // namespace plm::model
