#include "quantize/collector.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "quantize/neuron_order.h"

namespace plm::quantize {
namespace {

// Which matrices the numbers that a model's trace shows are the inputs of. A matrix takes the first
// `row` columns: behind the latent, the trace "kv" also shows the rope key.
struct TracedInput {
  std::string_view trace;
  std::array<std::string_view, 6> tensors;
};

constexpr std::array kTracedInputs = {
    TracedInput{"attn_in", {"attn_q", "attn_k", "attn_v", "attn_qkv", "attn_kv_a_mqa", "attn_q_a"}},
    TracedInput{"kv", {"attn_kv_b"}},
    TracedInput{"attn_heads", {"attn_output"}},
    TracedInput{"ffn_in", {"ffn_up", "ffn_gate"}},
    TracedInput{"ffn_act", {"ffn_down"}},
};
constexpr std::string_view kOutputTrace = "final_norm", kFiringTrace = "ffn_act";

constexpr int64_t kMostTokensOfOrder = 64 * kFiringWords;

// Of correlations: a super-block where a row is whole ones, a short row at once.
int64_t stretch_of(int64_t width) {
  constexpr int64_t kSuperBlock = 256;
  if (width % kSuperBlock == 0) return kSuperBlock;
  return width < kSuperBlock ? width : 0;
}

}  // namespace

Collector::Collector(const gguf::File& file, const CollectOptions& options) : file_(file), options_(options) {
  trace_ = [this](std::string_view name, int64_t layer, const float* data, int64_t rows, int64_t columns,
                  int64_t row_stride) {
    Input* input = input_of(name, layer);
    if (input == nullptr || input->width > columns) return;
    add_rows(*input, data, rows, row_stride);
    if (options_.neuron_order && name == kFiringTrace)
      note_firing(layer, data, rows, input->width, row_stride);
  };
}

Collector::Input* Collector::input_of(std::string_view name, int64_t layer) {
  const std::string key = fmt::format("{}.{}", name, layer);
  if (const auto found = inputs_.find(key); found != inputs_.end()) {
    return found->second.tensors.empty() ? nullptr : &found->second;
  }
  Input& input = inputs_[key];
  const auto add = [&](const std::string& tensor_name) {
    const gguf::TensorInfo* tensor = file_.find_tensor(tensor_name);
    if (tensor == nullptr || tensor->n_dims != 2) return;
    if (!input.tensors.empty() && input.width != tensor->shape[0]) return;
    input.tensors.push_back(tensor_name);
    input.width = tensor->shape[0];
  };
  if (name == kOutputTrace && options_.output_matrix) {
    add(file_.find_tensor("output.weight") != nullptr ? "output.weight" : "token_embd.weight");
  }
  for (const TracedInput& traced : kTracedInputs) {
    if (traced.trace != name) continue;
    for (const std::string_view part : traced.tensors) {
      if (!part.empty()) add(fmt::format("blk.{}.{}.weight", layer, part));
    }
  }
  if (input.tensors.empty()) return nullptr;
  input.sums.resize(static_cast<size_t>(input.width));
  input.block = options_.correlations ? stretch_of(input.width) : 0;
  input.products.resize(static_cast<size_t>(input.width * input.block));
  return &input;
}

void Collector::add_rows(Input& input, const float* data, int64_t rows, int64_t stride) {
  input.n_rows += rows;
  for (int64_t row = 0; row < rows; ++row) {
    const float* x = data + row * stride;
    for (int64_t i = 0; i < input.width; ++i) input.sums[static_cast<size_t>(i)] += double{x[i]} * x[i];
    if (input.block == 0) continue;
    float* products = input.products.data();
    for (int64_t begin = 0; begin < input.width; begin += input.block) {
      for (int64_t i = 0; i < input.block; ++i, products += input.block) {
        const float value = x[begin + i];
        if (value == 0.0f) continue;  // nine in ten behind a squared ReLU
        for (int64_t j = 0; j <= i; ++j) products[j] += value * x[begin + j];
      }
    }
  }
}

void Collector::note_firing(int64_t layer, const float* data, int64_t rows, int64_t width, int64_t stride) {
  Firing& firing = firing_[layer];
  if (firing.bits.empty()) {
    firing.n_neurons = width;
    firing.bits.resize(static_cast<size_t>(width * kFiringWords));
  }
  for (int64_t row = 0; row < rows && firing.n_tokens < kMostTokensOfOrder; ++row, ++firing.n_tokens) {
    const uint64_t bit = uint64_t{1} << (firing.n_tokens % 64);
    for (int64_t i = 0; i < width; ++i) {
      if (data[row * stride + i] == 0.0f) continue;
      firing.bits[static_cast<size_t>(i * kFiringWords + firing.n_tokens / 64)] |= bit;
    }
  }
}

namespace {

// Both triangles of coefficients from the lower one of sums of products.
Correlations coefficients(const std::vector<float>& products, int64_t block) {
  Correlations result{.block = block, .coefficient = std::vector<float>(products.size())};
  const auto n = static_cast<size_t>(block);
  for (size_t begin = 0; begin < products.size(); begin += n * n) {
    const float* sums = products.data() + begin;
    float* out = result.coefficient.data() + begin;
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < i; ++j) {
        const double scale = std::sqrt(double{sums[i * n + i]} * sums[j * n + j]);
        const double value = scale > 0 ? sums[i * n + j] / scale : 0;
        out[i * n + j] = out[j * n + i] = static_cast<float>(std::clamp(value, -1.0, 1.0));
      }
      out[i * n + i] = 1;
    }
  }
  return result;
}

}  // namespace

Result<Importance> Collector::finish() {
  Importance importance;
  for (const auto& [key, input] : inputs_) {
    if (input.n_rows == 0) continue;
    InputStatistics statistics;
    for (const double sum : input.sums) {
      const auto value = static_cast<float>(sum);
      if (!std::isfinite(value)) {
        return make_error(ErrorKind::bad_data, "tensor {}: found inputs that are not finite",
                          input.tensors.front());
      }
      statistics.sums.push_back(value);
    }
    statistics.counts = {static_cast<float>(input.n_rows)};
    if (input.block != 0) statistics.correlations = coefficients(input.products, input.block);
    for (const std::string& tensor : input.tensors) importance.tensors[tensor] = statistics;
  }
  for (const auto& [layer, firing] : firing_) {
    if (file_.find_tensor(fmt::format("blk.{}.ffn_gate.weight", layer)) != nullptr) continue;
    importance.neuron_order[layer] = order_neurons(firing.bits, firing.n_neurons);
  }
  return importance;
}

}  // namespace plm::quantize
