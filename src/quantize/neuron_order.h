// An order of feed-forward neurons in which those that fire together are neighbours. Any order gives the
// same model: the rows of ffn_up and the columns of ffn_down move together. A good one leaves more
// blocks of 32 neurons in which none fires, whose weights and scales a sparse product never reads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plm::quantize {

// 64-bit words of firing a neuron has: one bit for each token seen.
inline constexpr int64_t kFiringWords = 128;
// Neurons that share a scale, and so are read together.
inline constexpr int64_t kNeuronBlock = 32;

// firing: [n_neurons][kFiringWords]. The result: place i takes neuron order[i].
std::vector<int32_t> order_neurons(std::span<const uint64_t> firing, int64_t n_neurons);

// Blocks of neighbours of which at least one fires, in the mean over tokens, as a share of all blocks.
double live_block_share(std::span<const uint64_t> firing, std::span<const int32_t> order, int64_t n_tokens);

}  // namespace plm::quantize
