// Every buffer a step needs, allocated once for the largest step. Letters: docs/dimensions.md.
#pragma once

#include <array>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/activations.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/lora/low_rank.h"

namespace plm::model {

// Positions of the cache expanded at once in prefill.
inline constexpr int64_t kExpandedStretch = 2048;

// Stretches of the cache (of one token each) that latent attention has under way at once.
inline constexpr int64_t kLatentStretches = 256;

// Up to this many tokens each thread prepares the inputs of products for itself: the same work on all
// threads takes no longer than on one, and nobody waits.
inline constexpr int64_t kPrivateTokens = kernels::kFineTokens;

// The up projection of many tokens is computed in tiles of this many tokens and groups of 16 neurons, which
// stay in the cache until they are squared and rounded. Kernels with matrix units turn the weights of a tile
// into numbers first, which many tokens must pay for.
struct UpTile {
  int64_t n_tokens, n_groups;
};
constexpr UpTile up_tile(kernels::Precision precision) {
  return precision == kernels::Precision::bf16 ? UpTile{320, 16} : UpTile{180, 4};
}

// What a thread has for itself.
struct ThreadWorkspace {
  kernels::Activations input;   // up to kPrivateTokens tokens, or one head's latent
  float* input_TK = nullptr;    // the numbers behind it
  kernels::Activations latent;  // one token of width C
  int32_t* live_index_F = nullptr;
  float* live_value_F = nullptr;
  float* up_TF = nullptr;  // a tile of the up projection
  float* k_SQ = nullptr;   // kExpandedRows expanded keys of one head
  float* v_SV = nullptr;
  std::byte* latent_scratch = nullptr;
  std::byte* expanded_scratch = nullptr;
  // Neurons that fired in this thread's share of the layer at hand, and of them those of the first tokens.
  int64_t n_live = 0;
  std::array<int64_t, kPrivateTokens> live_of_token{};
};

struct Workspace {
  // How the kernels keep many tokens (Kernels::many_tokens); of the weights, the bytes of the largest down
  // projection packed as rows and the largest rank of their adapters.
  struct Needs {
    kernels::Precision many_tokens = kernels::Precision::coarse;
    int64_t down_bytes = 0;
    int64_t adapter_rank = 0;
  };
  static Result<Workspace> allocate(const Config& config, int64_t max_tokens, int n_threads,
                                    const Needs& needs);

  int64_t max_tokens = 0;
  float* x_TD = nullptr;      // the residual stream
  float* input_TK = nullptr;  // a normed input
  float* q_TP = nullptr;
  float* kv_TE = nullptr;
  float* o_TO = nullptr;  // attention's answer, heads side by side
  float* a_TF = nullptr;
  float* cos_sin_TR = nullptr;
  float* q_latent_THE = nullptr;  // absorbed queries, kPrivateTokens tokens
  float* part_out_HC = nullptr;   // kLatentStretches partial answers
  float* part_max_H = nullptr;
  float* part_sum_H = nullptr;
  float* merged_HC = nullptr;       // kPrivateTokens tokens
  float* latent_SE = nullptr;       // kExpandedStretch cached rows in float
  float* lora_SZ = nullptr;         // of these, what an adapter of kv_up reduces them to
  float* softmax_max_HT = nullptr;  // running softmax of the expanded form
  float* softmax_sum_HT = nullptr;
  std::byte* turned_down = nullptr;   // the layer's down projection as rows, for many tokens
  std::vector<int64_t> dense_tokens;  // of each layer: tokens in steps of few that fired most neurons
  kernels::Activations input;         // max_tokens tokens
  kernels::Activations hidden;        // max_tokens tokens of width F: squared ReLUs
  kernels::Activations latents;       // kExpandedStretch tokens of width C
  LowRankRoom lora;
  std::vector<ThreadWorkspace> threads;

 private:
  AlignedBuffer storage_;
};

}  // namespace plm::model
