#include "model/gqa/gqa_workspace.h"

#include <algorithm>

#include "model/carver.h"

namespace plm::model {

Result<GqaWorkspace> GqaWorkspace::allocate(const Config& c, int64_t max_tokens, int n_threads,
                                            const Needs& needs) {
  GqaWorkspace w;
  w.max_tokens = max_tokens;
  w.threads.resize(static_cast<size_t>(n_threads));
  const int64_t T = max_tokens, H = c.n_heads, G = c.n_kv_heads, Q = c.key_width(), V = c.value_width;
  const int64_t scratch_bytes = std::max(kernels::expanded_attend_scratch_bytes(Q, V),
                                         kernels::group_attend_scratch_bytes(H / G, kStretchRows));
  const auto carve = [&](Carver& carver) {
    carver.take(w.x_TD, T * c.width);
    carver.take(w.q_TP, T * H * Q);
    carver.take(w.k_TJ, T * G * Q);
    carver.take(w.v_TU, T * G * V);
    carver.take(w.o_TO, T * H * V);
    carver.take(w.gate_TF, T * c.ffn_width);
    carver.take(w.up_TF, T * c.ffn_width);
    carver.take(w.cos_sin_TR, T * c.rope_width);
    carver.take(w.part_out_HV, kStretches * H * V);
    carver.take(w.part_max_H, kStretches * H);
    carver.take(w.part_sum_H, kStretches * H);
    carver.take(w.rows_GSX, G * kDecodedRows * (Q + V));
    carver.take(w.softmax_max_HT, H * T);
    carver.take(w.softmax_sum_HT, H * T);
    for (Thread& mine : w.threads) {
      carver.take(mine.row_X, Q + V);
      carver.take(mine.scratch, scratch_bytes);
    }
  };
  Carver measure(nullptr);
  carve(measure);
  PLM_TRY(w.storage_, AlignedBuffer::allocate(measure.size()));
  Carver carver(w.storage_.data());
  carve(carver);
  PLM_TRY(w.inputs, StepInputs::allocate(T, std::max({c.width, c.ffn_width, c.value_out_width()}), n_threads,
                                         needs.many_tokens));
  PLM_TRY(w.lora, LowRankRoom::allocate(T, needs.adapter_rank, n_threads));
  return w;
}

}  // namespace plm::model
