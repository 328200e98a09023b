// The arithmetic of a step, one thread's share at a time. Every kernel has a plain version in
// reference/ that serves on any machine, says what is meant and is what the others are tested
// against; x86/ and arm/ hold faster ones, chosen at run time (select.cpp).
//
// All kernels: no allocation, no locks, noexcept in spirit; any thread may call them at the same
// time on different outputs. Unless said otherwise inputs and outputs do not overlap. Sums are
// accumulated in float32 or wider (the reference in double). Letters: docs/dimensions.md.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/tensor_type.h"
#include "kernels/activations.h"
#include "kernels/neuron_major.h"
#include "kernels/packed_format.h"

namespace plm::kernels {

enum class Isa { reference, avx2, avx512, avx512_bf16, amx, neon, neon_dotprod, neon_i8mm };

std::string_view isa_name(Isa isa);

// y[t, r] = (or +=) sum over k of W[r, k] x[t, k], for the groups [group_begin, group_end) of W and
// for the tokens first_token + i * token_stride, i < n_tokens, of x. Row i of the result is written
// at y + i * y_stride; only real rows are touched.
// Error bound: docs/numerics.md; with quantised weights the input was rounded when it was prepared.
struct MatmulArgs {
  const PackedMatrix* weight = nullptr;
  const Activations* x = nullptr;
  float* y = nullptr;
  int64_t y_stride = 0;
  int64_t group_begin = 0, group_end = 0;
  int64_t first_token = 0, n_tokens = 1, token_stride = 1;
  bool add = false;
};

// y[k] = (or +=) sum over r of coefficient[r] W[r, k], for all columns: rows of W added up, which is the
// product with the transposed matrix. At most kCombineRows rows. Error bound: docs/numerics.md.
struct CombineRowsArgs {
  const PackedMatrix* weight = nullptr;
  const float* coefficient_R = nullptr;
  float* y_K = nullptr;
  bool add = false;
};
inline constexpr int64_t kCombineRows = 256;

// Prepares blocks [first_block, first_block + n_blocks) of 32 numbers of the tokens [first_token,
// first_token + n_tokens) of `out`. x: the first of these numbers of the first of these tokens.
struct QuantizeBlocksArgs {
  const float* x = nullptr;
  int64_t x_stride = 0;  // from token to token
  int64_t n_tokens = 0, first_token = 0;
  int64_t first_block = 0, n_blocks = 0;
  Activations* out = nullptr;
};

// The neurons of one token that fired, in ascending order. `value` is positive.
struct LiveRows {
  const int32_t* index = nullptr;
  const float* value = nullptr;
  int64_t count = 0;
};

// y[o] += sum over live rows j of value_j W[o, j], for outputs [begin, end), multiples of
// kNeuronMajorOutputs (the last may be the end of the matrix).
struct SparseMatmulArgs {
  const NeuronMajorMatrix* weight = nullptr;
  LiveRows live;
  float* y = nullptr;
  int64_t begin = 0, end = 0;
};

// Writes 128 outputs of a neuron-major matrix (those of chunk `chunk`) as rows of the packed layout: their
// groups' units [unit_begin, unit_end) (plain numbers: columns) of the packed matrix that begins at `out`,
// aligned to 64. Bit for bit what pack_groups makes from the file. Rows that fill up a last group are left
// as they come out (their scales are zero).
struct TurnNeuronsArgs {
  const NeuronMajorMatrix* weight = nullptr;
  int64_t chunk = 0;
  int64_t unit_begin = 0, unit_end = 0;
  std::byte* out = nullptr;
};

// One token's queries against a stretch of the latent cache, all heads, absorbed form (the paper's
// MLA; plm-facts 1.5): the same C numbers of a row are key and value for every head.
//   score[h, s] = q[h] . row[s]           (q is already scaled; C + R numbers)
//   max[h] = max over s, sum[h] = sum over s of exp(score - max)
//   out[h, c] = sum over s of exp(score - max) row[s, c]
// The stretches of a long context are merged afterwards (merge_attention).
struct LatentAttendArgs {
  const float* q_HE = nullptr;  // dense, row stride E = latent_width + rope_width
  int64_t n_heads = 0, latent_width = 0, rope_width = 0;
  TensorType cache_type = TensorType::f32;
  const std::byte* rows = nullptr;  // the first row of the stretch
  int64_t row_bytes = 0;            // distance between rows
  int64_t n_rows = 0;               // at least 1
  float* out_HC = nullptr;          // dense
  float* max_H = nullptr;
  float* sum_H = nullptr;
  std::byte* scratch = nullptr;  // latent_attend_scratch_bytes(), aligned to 64
};
int64_t latent_attend_scratch_bytes(int64_t n_heads, int64_t latent_width, int64_t rope_width,
                                    int64_t n_rows);

// Several tokens of one head against a stretch of expanded keys and values (prefill). Continues a
// running softmax: out, max and sum hold the state after the stretches before (max = -infinity and
// sum = 0, out = 0 at the start; afterwards out / sum is the answer).
//   score[t, s] = q[t] . k[s]             (q is already scaled), for s with key_position <= position of t
struct ExpandedAttendArgs {
  const float* q_TQ = nullptr;
  int64_t q_stride = 0, n_tokens = 0;
  int64_t key_width = 0, value_width = 0;  // Q and V
  const float* k_SQ = nullptr;
  int64_t k_stride = 0;
  const float* v_SV = nullptr;
  int64_t v_stride = 0;
  int64_t n_rows = 0;
  int64_t first_position = 0;      // of token 0; token t is at first_position + t
  int64_t first_key_position = 0;  // of row 0
  float* out_TV = nullptr;
  int64_t out_stride = 0;
  float* max_T = nullptr;
  float* sum_T = nullptr;
  bool exact = true;             // float32 products; otherwise bf16 products are allowed
  std::byte* scratch = nullptr;  // expanded_attend_scratch_bytes(), aligned to 64
};
// The tokens and rows of one call are at most these.
inline constexpr int64_t kExpandedTokens = 64;
inline constexpr int64_t kExpandedRows = 128;
int64_t expanded_attend_scratch_bytes(int64_t key_width, int64_t value_width);

// One token's queries of the heads that share a key-value head, against a stretch of that head's rows
// (grouped-query attention, arXiv 2305.13245). A row is a key and behind it a value.
//   score[h, s] = q[h] . row[s][0, Q)     (q is already scaled)
//   max[h] = max over s, sum[h] = sum over s of exp(score - max)
//   out[h, v] = sum over s of exp(score - max) row[s][Q + v]
// Stretches are merged by merge_attention, as latents are.
struct GroupAttendArgs {
  const float* q_HQ = nullptr;  // dense
  int64_t n_heads = 0, key_width = 0, value_width = 0;
  TensorType cache_type = TensorType::f32;
  const std::byte* rows = nullptr;  // the first row of the stretch
  int64_t row_bytes = 0;            // distance between rows
  int64_t n_rows = 0;               // at least 1
  float* out_HV = nullptr;          // dense
  float* max_H = nullptr;
  float* sum_H = nullptr;
  std::byte* scratch = nullptr;  // group_attend_scratch_bytes(), aligned to 64
};
int64_t group_attend_scratch_bytes(int64_t n_heads, int64_t n_rows);

struct Kernels {
  Isa isa = Isa::reference;

  // How the input of a product is kept for more than kFineTokens tokens.
  Precision many_tokens = Precision::coarse;
  Precision precision_for(int64_t n_tokens) const {
    return n_tokens <= kFineTokens ? Precision::fine : many_tokens;
  }

  // out = weight * x / sqrt(mean(x^2) + epsilon), n numbers. out may be x.
  void (*rms_norm)(const float* x, const float* weight, int64_t n, float epsilon, float* out) = nullptr;

  // Rotates the pairs (2i, 2i+1): cos_sin holds cos, sin of pair i at 2i, 2i+1. n is even. In place.
  void (*rope)(float* x, int64_t n, const float* cos_sin) = nullptr;

  // Squared ReLU in place: x = max(x, 0)^2, and zero where that is not above `threshold` (0: nothing more
  // is dropped; never negative). Returns how many are not zero.
  int64_t (*relu2)(float* x, int64_t n, float threshold) = nullptr;

  // The gate of a SwiGLU network in place: gate = gate / (1 + exp(-gate)) * up.
  void (*silu_multiply)(float* gate, const float* up, int64_t n) = nullptr;

  // Lists the numbers of x that are positive, in order; index and value have room for n.
  int64_t (*list_live)(const float* x, int64_t n, int32_t* index, float* value) = nullptr;

  // Prepares token `token` of `out` from n = out.width numbers: rounds them to the precision of out.
  void (*quantize_token)(const float* x, Activations& out, int64_t token) = nullptr;

  // The same for some blocks of several tokens, which is the order they lie in.
  void (*quantize_blocks)(const QuantizeBlocksArgs& args) = nullptr;

  void (*matmul)(const MatmulArgs& args) = nullptr;
  void (*combine_rows)(const CombineRowsArgs& args) = nullptr;
  void (*sparse_matmul)(const SparseMatmulArgs& args) = nullptr;
  void (*turn_neurons)(const TurnNeuronsArgs& args) = nullptr;
  void (*latent_attend)(const LatentAttendArgs& args) = nullptr;
  void (*expanded_attend)(const ExpandedAttendArgs& args) = nullptr;
  void (*group_attend)(const GroupAttendArgs& args) = nullptr;
};

// The fastest kernels for this CPU, or those named by the environment variable PLM_ISA
// (reference, avx2, avx512, avx512_bf16, amx, neon, ...): an error if the name is unknown or the CPU cannot
// run them.
Result<Kernels> select_kernels();
Result<Kernels> select_kernels(std::string_view isa);

// What this CPU can run, slowest (reference) first. For tests and benchmarks.
std::vector<Isa> available_isas();

// Merges the results of latent_attend on n stretches (their arrays follow each other: out_nHC,
// max_nH, sum_nH) into out_HC, normalised. Heads [head_begin, head_end) only.
void merge_attention(int64_t n, int64_t n_heads, int64_t latent_width, const float* out_nHC,
                     const float* max_nH, const float* sum_nH, int64_t head_begin, int64_t head_end,
                     float* out_HC);

// The tables an ISA folder fills: each starts from what it was given and replaces what it does faster.
void use_reference(Kernels& kernels);
void use_avx2(Kernels& kernels);
void use_avx512(Kernels& kernels);
void use_avx512_bf16(Kernels& kernels);
void use_amx(Kernels& kernels);
void use_neon(Kernels& kernels);
void use_neon_dotprod(Kernels& kernels);
void use_neon_i8mm(Kernels& kernels);

}  // namespace plm::kernels
