#include "model/step_inputs.h"

namespace plm::model {

Result<StepInputs> StepInputs::allocate(int64_t max_tokens, int64_t widest, int n_threads,
                                        kernels::Precision many_tokens) {
  StepInputs inputs;
  inputs.of_thread_.resize(static_cast<size_t>(n_threads));
  const int64_t padded = (widest + 31) / 16 * 16;  // vectors may read past the end
  const int64_t n_rows = max_tokens + n_threads * kPrivateTokens;
  PLM_TRY(inputs.storage_, AlignedBuffer::allocate(static_cast<size_t>(n_rows * padded) * sizeof(float)));
  inputs.shared_.values_TK = inputs.storage_.as<float>();
  PLM_TRY(inputs.shared_.rounded, kernels::Activations::allocate(max_tokens, widest, many_tokens));
  float* next = inputs.shared_.values_TK + max_tokens * padded;
  for (Input& mine : inputs.of_thread_) {
    mine.values_TK = next;
    next += kPrivateTokens * padded;
    PLM_TRY(mine.rounded, kernels::Activations::allocate(kPrivateTokens, widest));
  }
  return inputs;
}

ThreadPool::Range StepInputs::begin(const Team& team, Input& input, const float* values_TK, int64_t width,
                                    int64_t n_tokens) {
  const bool is_shared = &input == &shared_;
  // All have left a shared input behind at the last barrier.
  if (!is_shared || team.is_first()) {
    input.rounded.begin(values_TK, n_tokens, width, width, team.k.precision_for(n_tokens));
  }
  if (!is_shared) return {0, n_tokens};
  team.barrier();
  return team.share(n_tokens);
}

const kernels::Activations& StepInputs::finish(const Team& team, const Input& input) const {
  if (&input == &shared_) team.barrier();
  return input.rounded;
}

const kernels::Activations& StepInputs::normed(const Team& team, const Norm& norm, const float* x_TD,
                                               int64_t n_tokens) {
  Input& input = input_for(team, n_tokens);
  const auto [first, last] = begin(team, input, input.values_TK, norm.width, n_tokens);
  for (int64_t t = first; t < last; ++t) {
    float* values = input.values_TK + t * norm.width;
    team.k.rms_norm(x_TD + t * norm.width, norm.weight_D, norm.width, norm.epsilon, values);
    team.k.quantize_token(values, input.rounded, t);
  }
  return finish(team, input);
}

const kernels::Activations& StepInputs::normed_rows(const Team& team, const Norm& norm, const float* x_TD,
                                                    std::span<const int64_t> rows) {
  PLM_CHECK(rows.size() <= kPrivateTokens);
  Input& mine = of_thread_[static_cast<size_t>(team.thread)];
  begin(team, mine, mine.values_TK, norm.width, static_cast<int64_t>(rows.size()));
  for (size_t i = 0; i < rows.size(); ++i) {
    float* values = mine.values_TK + static_cast<int64_t>(i) * norm.width;
    team.k.rms_norm(x_TD + rows[i] * norm.width, norm.weight_D, norm.width, norm.epsilon, values);
    team.k.quantize_token(values, mine.rounded, static_cast<int64_t>(i));
  }
  return mine.rounded;
}

const kernels::Activations& StepInputs::plain(const Team& team, const float* values_TK, int64_t width,
                                              int64_t n_tokens) {
  Input& input = input_for(team, n_tokens);
  const auto [first, last] = begin(team, input, values_TK, width, n_tokens);
  for (int64_t t = first; t < last; ++t) team.k.quantize_token(values_TK + t * width, input.rounded, t);
  return finish(team, input);
}

}  // namespace plm::model
