// One step of a model: which tokens of which sequences it runs, and what is wanted of it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "model/cache.h"

namespace plm::model {

// Consecutive tokens of one sequence. They are appended to its cache by the step, which calls
// cache->advance at its end. A cache occurs once in a step.
struct SequenceSlice {
  Cache* cache = nullptr;
  int64_t n_tokens = 0;
};

// Shows a test the numbers inside a step: a name, the layer (-1 outside the layers), rows and columns.
// Called by one thread, in order.
using Trace = std::function<void(std::string_view name, int64_t layer, const float* data, int64_t rows,
                                 int64_t columns, int64_t row_stride)>;

// How attention is computed; the answers are equal up to rounding.
enum class AttentionForm {
  automatic,
  absorbed,  // queries are taken into the latent space: cheap to read, for a few tokens
  expanded,  // latents are expanded to keys and values of each head: less arithmetic, for many tokens
};

struct Step {
  std::span<const int32_t> tokens;           // of all slices, one after the other; ids are in range
  std::span<const SequenceSlice> sequences;  // their n_tokens add up to tokens.size()
  std::span<const int64_t> logits_of;        // the tokens (indices) whose logits are wanted
  float* logits = nullptr;                   // [logits_of.size()][W], dense
  // The last hidden rows, normed as the output product reads them, of all tokens; may be null.
  float* hidden = nullptr;  // [tokens.size()][D]
  AttentionForm attention = AttentionForm::automatic;
  // One for each layer: squared ReLUs that are not above it count as zero, and their rows of the down
  // projection are not read. Finite, not negative. Empty: nothing is dropped but zeros. Models without a
  // squared ReLU have no use for it.
  std::span<const float> live_above = {};
  const Trace* trace = nullptr;
};

// What the squared ReLU did, summed over all steps since it was cleared.
struct SparsityCounts {
  std::vector<int64_t> live_of_layer;  // neurons that fired
  int64_t n_tokens = 0;
  // Of the last step alone, [T, layers]; empty where that had more than kernels::kFineTokens tokens.
  std::vector<int64_t> last_live_TL;
};

}  // namespace plm::model
