#include "model/lora/low_rank.h"

#include "model/carver.h"
#include "model/step_inputs.h"

namespace plm::model {

void scale_rows(const std::vector<float>& scale_Z, int64_t n, float* u_nZ) {
  for (int64_t i = 0; i < n; ++i) {
    for (const float scale : scale_Z) *u_nZ++ *= scale;
  }
}

void reduce_tokens(const Team& team, const kernels::PackedMatrix& a_ZK, const std::vector<float>& scale_Z,
                   const kernels::Activations& x, ThreadPool::Range tokens, float* u_TZ) {
  const auto [begin, end] = tokens;
  if (begin == end) return;
  const int64_t Z = a_ZK.rows;
  const auto numbers = kernels::Activations::unrounded(x.values, x.n_tokens, x.width, x.value_stride);
  team.k.matmul({.weight = &a_ZK,
                 .x = &numbers,
                 .y = u_TZ + begin * Z,
                 .y_stride = Z,
                 .group_begin = 0,
                 .group_end = a_ZK.n_groups(),
                 .first_token = begin,
                 .n_tokens = end - begin});
  scale_rows(scale_Z, end - begin, u_TZ + begin * Z);
}

Result<LowRankRoom> LowRankRoom::allocate(int64_t max_tokens, int64_t largest_rank, int n_threads) {
  LowRankRoom room;
  room.of_thread_.resize(static_cast<size_t>(n_threads), nullptr);
  if (largest_rank == 0) return room;
  const auto carve = [&](Carver& carver) {
    carver.take(room.shared_TZ_, max_tokens * largest_rank);
    for (float*& mine : room.of_thread_) carver.take(mine, StepInputs::kPrivateTokens * largest_rank);
  };
  Carver measure(nullptr);
  carve(measure);
  PLM_TRY(room.storage_, AlignedBuffer::allocate(measure.size()));
  Carver carver(room.storage_.data());
  carve(carver);
  return room;
}

kernels::Activations LowRankRoom::reduce_alone(const Team& team, const kernels::PackedMatrix& a_ZK,
                                               const std::vector<float>& scale_Z,
                                               const kernels::Activations& x) {
  PLM_CHECK(x.n_tokens <= StepInputs::kPrivateTokens);
  const int64_t Z = a_ZK.rows;
  float* u_TZ = mine(team);
  reduce_tokens(team, a_ZK, scale_Z, x, {0, x.n_tokens}, u_TZ);
  return kernels::Activations::unrounded(u_TZ, x.n_tokens, Z, Z);
}

kernels::Activations LowRankRoom::reduce(const Team& team, const LowRank& lora,
                                         const kernels::Activations& x) {
  // So little work that every thread does all of it, and nobody waits.
  if (x.n_tokens <= StepInputs::kPrivateTokens) return reduce_alone(team, lora.a_ZK, lora.scale_Z, x);
  const int64_t Z = lora.a_ZK.rows;
  team.barrier();  // all have left behind what was there
  reduce_tokens(team, lora.a_ZK, lora.scale_Z, x, team.share(x.n_tokens, kTokenGrain), shared_TZ_);
  team.barrier();
  return kernels::Activations::unrounded(shared_TZ_, x.n_tokens, Z, Z);
}

void LowRankRoom::add(const Team& team, const LowRank& lora, const kernels::Activations& x, float* y,
                      int64_t y_stride) {
  if (lora.is_none()) return;
  const kernels::Activations u_TZ = reduce(team, lora, x);
  team.matmul(lora.b_YZ, u_TZ, y, y_stride, /*add=*/true);
}

}  // namespace plm::model
