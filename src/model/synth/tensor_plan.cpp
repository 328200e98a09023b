#include "model/synth/tensor_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "model/synth/random_weights.h"

namespace plm::model {
namespace {

constexpr double kLogitDeviation = 3.0;
constexpr double kBiasSize = 2.0;           // of the bias channels, in deviations of the embedding
constexpr double kNormNoise = 0.05;         // deviation of norm weights around 1
constexpr double kFeedForwardGrowth = 1.0;  // variance that all layers' FFNs add, in that of the embedding
constexpr double kAttentionGrowth = 0.2;    // the same of attention, when it reads a single position
// What is left of the variance of attention's output after averaging over some tens of positions.
constexpr double kAttentionAveraging = 0.15;
constexpr double kProjectionBias = 0.3;       // deviation of the biases of queries, keys and values
constexpr double kSiluMeanSquare = 0.355776;  // of silu(z) for a standard normal z

// E[max(z - t, 0)^4] of a standard normal z: the mean square of a squared-ReLU output.
double fourth_moment_above(double t) {
  const double tail = 0.5 * std::erfc(t / std::sqrt(2.0));
  const double density = std::exp(-0.5 * t * t) / std::sqrt(2 * M_PI);
  return std::max(0.0, (t * t * t * t + 6 * t * t + 3) * tail - (t * t * t + 5 * t) * density);
}

class Planner {
 public:
  Planner(const SynthPreset& preset, const PlanOptions& options) : preset_(preset), options_(options) {
    embedding_deviation_ = kLogitDeviation * static_cast<double>(preset.logit_divisor) /
                           std::sqrt(static_cast<double>(preset.width));
    variance_ = embedding_deviation_ * embedding_deviation_;
  }

  std::vector<TensorPlan> run() {
    TensorPlan& embedding = add("token_embd.weight", {preset_.width, preset_.vocabulary_size});
    embedding.deviation = static_cast<float>(embedding_deviation_);
    if (preset_.is_latent()) embedding.head = {static_cast<float>(kBiasSize * embedding_deviation_)};
    for (int64_t layer = 0; layer < preset_.n_layers; ++layer) {
      const std::string prefix = fmt::format("blk.{}.", layer);
      if (preset_.is_latent()) {
        add_attention(prefix);
        add_feed_forward(prefix);
      } else {
        add_grouped_attention(prefix);
        add_gated_feed_forward(prefix);
      }
    }
    add_norm("output_norm.weight", preset_.width).random_signs = true;
    return std::move(plans_);
  }

 private:
  TensorPlan& add(std::string name, std::vector<int64_t> shape) {
    plans_.emplace_back();
    plans_.back().description = {std::move(name), TensorType::f32, std::move(shape)};
    return plans_.back();
  }

  TensorPlan& add_norm(std::string name, int64_t width) {
    TensorPlan& norm = add(std::move(name), {width});
    norm.mean = 1;
    norm.deviation = static_cast<float>(kNormNoise);
    if (preset_.is_latent()) norm.head = {1.0f};
    return norm;
  }

  // Outputs of variance 1 for normalised inputs.
  void add_matrix(std::string name, int64_t n_in, int64_t n_out) {
    add(std::move(name), {n_in, n_out}).deviation =
        static_cast<float>(1 / std::sqrt(static_cast<double>(n_in)));
  }

  // Writes to the residual stream: `added` is the variance it is to add to each channel but the bias
  // channels, `input_square` the expected sum of squares of its input.
  void add_output_matrix(std::string name, int64_t n_in, double added, double input_square) {
    TensorPlan& matrix = add(std::move(name), {n_in, preset_.width});
    // The model scales what embeddings and layers bring in.
    const double scale =
        static_cast<double>(preset_.embedding_scale) / static_cast<double>(preset_.residual_scale);
    matrix.deviation = static_cast<float>(std::sqrt(added / input_square) * scale);
    if (preset_.is_latent()) matrix.n_zero_rows = kBiasChannels;
  }

  // Unit queries, keys and values: scores of deviation 1 after the division by sqrt(N + R).
  void add_attention(const std::string& prefix) {
    const int64_t heads = preset_.n_heads;
    add_norm(prefix + "attn_norm.weight", preset_.width);
    add_matrix(prefix + "attn_q.weight", preset_.width, heads * (preset_.nope_width + preset_.rope_width));
    add_matrix(prefix + "attn_kv_a_mqa.weight", preset_.width, preset_.kv_lora_rank + preset_.rope_width);
    add_norm(prefix + "attn_kv_a_norm.weight", preset_.kv_lora_rank);
    add_matrix(prefix + "attn_kv_b.weight", preset_.kv_lora_rank,
               heads * (preset_.nope_width + preset_.value_width));
    const int64_t n_in = heads * preset_.value_width;
    const double added = growth(kAttentionGrowth);
    add_output_matrix(prefix + "attn_output.weight", n_in, added, static_cast<double>(n_in));
    variance_ += added * kAttentionAveraging;
  }

  void add_feed_forward(const std::string& prefix) {
    add_norm(prefix + "ffn_norm.weight", preset_.width);
    TensorPlan& up = add(prefix + "ffn_up.weight", {preset_.width, preset_.ffn_width});
    const double rest = static_cast<double>(preset_.width - kBiasChannels);
    const double bias = kBiasSize * embedding_deviation_;
    // Of the normalised stream; squares sum to D, bias channels included.
    const double mean_square = (static_cast<double>(kBiasChannels) * bias * bias + rest * variance_) /
                               static_cast<double>(preset_.width);
    const double input_deviation = std::sqrt(rest * variance_ * (1 + kNormNoise * kNormNoise));
    up.deviation = static_cast<float>(std::sqrt(mean_square) / input_deviation);  // inputs of variance 1

    const double sparsity = std::clamp(options_.sparsity, 0.001, 0.999);
    const double mean_threshold =
        std::sqrt(1 + options_.spread * options_.spread) * normal_quantile(sparsity);
    std::vector<float> offset(static_cast<size_t>(preset_.ffn_width));
    fill_normal(row_key(options_.seed, prefix + "threshold", 0), static_cast<float>(options_.spread),
                offset.data(), preset_.ffn_width);
    double output_square = 0;
    for (const float neuron_offset : offset) {
      const double threshold = mean_threshold + static_cast<double>(neuron_offset);
      output_square += fourth_moment_above(threshold);
      const double weight = threshold * std::sqrt(mean_square) / (static_cast<double>(kBiasChannels) * bias);
      up.head.push_back(static_cast<float>(-weight));
    }
    const double added = growth(kFeedForwardGrowth);
    add_output_matrix(prefix + "ffn_down.weight", preset_.ffn_width, added, output_square);
    variance_ += added;
  }

  void add_bias(std::string name, int64_t width) {
    add(std::move(name), {width}).deviation = static_cast<float>(kProjectionBias);
  }

  // Unit queries, keys and values, as above.
  void add_grouped_attention(const std::string& prefix) {
    const int64_t key_width = preset_.nope_width + preset_.rope_width;
    add_norm(prefix + "attn_norm.weight", preset_.width);
    const std::array rows = {preset_.n_heads * key_width, preset_.n_kv_heads * key_width,
                             preset_.n_kv_heads * preset_.value_width};
    constexpr std::array kNames = {"attn_q", "attn_k", "attn_v"};
    for (size_t i = 0; i < rows.size(); ++i) {
      add_matrix(prefix + kNames[i] + ".weight", preset_.width, rows[i]);
      if (preset_.has_biases) add_bias(prefix + kNames[i] + ".bias", rows[i]);
    }
    if (preset_.has_head_norms) {
      add_norm(prefix + "attn_q_norm.weight", key_width);
      add_norm(prefix + "attn_k_norm.weight", key_width);
    }
    const int64_t n_in = preset_.n_heads * preset_.value_width;
    add_output_matrix(prefix + "attn_output.weight", n_in, growth(kAttentionGrowth),
                      static_cast<double>(n_in));
  }

  void add_gated_feed_forward(const std::string& prefix) {
    add_norm(prefix + "ffn_norm.weight", preset_.width);
    add_matrix(prefix + "ffn_gate.weight", preset_.width, preset_.ffn_width);
    add_matrix(prefix + "ffn_up.weight", preset_.width, preset_.ffn_width);
    add_output_matrix(prefix + "ffn_down.weight", preset_.ffn_width, growth(kFeedForwardGrowth),
                      kSiluMeanSquare * static_cast<double>(preset_.ffn_width));
  }

  // One layer's part of a growth over the whole model.
  double growth(double whole) const {
    return whole * embedding_deviation_ * embedding_deviation_ / static_cast<double>(preset_.n_layers);
  }

  const SynthPreset& preset_;
  const PlanOptions& options_;
  double embedding_deviation_;
  double variance_;  // of the residual stream's channels behind the bias channels, so far
  std::vector<TensorPlan> plans_;
};

}  // namespace

std::vector<TensorPlan> plan_tensors(const SynthPreset& preset, const PlanOptions& options) {
  return Planner(preset, options).run();
}

void fill_row(const TensorPlan& plan, uint64_t seed, int64_t row, float* out) {
  const int64_t n = plan.row_length();
  if (row < plan.n_zero_rows) {
    std::fill_n(out, n, 0.0f);
    return;
  }
  const uint64_t key = row_key(seed, plan.description.name, row);
  fill_normal(key, plan.deviation, out, n);
  if (plan.mean != 0) {
    for (int64_t i = 0; i < n; ++i) out[i] += plan.mean;
  }
  if (!plan.head.empty()) {
    const float head = plan.head[plan.head.size() > 1 ? static_cast<size_t>(row) : 0];
    std::fill_n(out, kBiasChannels, head);
  }
  if (plan.random_signs) {
    for (int64_t i = 0; i < n; ++i) out[i] *= random_sign(key, i);
  }
}

}  // namespace plm::model
