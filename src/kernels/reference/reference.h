// The plain versions, one function for each entry of Kernels. Contracts: kernels.h.
#pragma once

#include <algorithm>

#include "kernels/kernels.h"

namespace plm::kernels::reference {

void rms_norm(const float* x, const float* weight, int64_t n, float epsilon, float* out);
void rope(float* x, int64_t n, const float* cos_sin);
int64_t relu2(float* x, int64_t n, float threshold);
void silu_multiply(float* gate, const float* up, int64_t n);
int64_t list_live(const float* x, int64_t n, int32_t* index, float* value);
void quantize_token(const float* x, Activations& out, int64_t token);
void quantize_blocks(const QuantizeBlocksArgs& args);
void matmul(const MatmulArgs& args);
void combine_rows(const CombineRowsArgs& args);
void sparse_matmul(const SparseMatmulArgs& args);
void turn_neurons(const TurnNeuronsArgs& args);
void latent_attend(const LatentAttendArgs& args);
void expanded_attend(const ExpandedAttendArgs& args);
void group_attend(const GroupAttendArgs& args);

}  // namespace plm::kernels::reference
