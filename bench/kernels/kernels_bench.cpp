// Speed of the kernels on one thread, for every instruction set this CPU has, in the shapes of
// PLM-1.8B: bytes of weights or cache a second where memory is the limit, operations a second (a product
// and its addition are two) where arithmetic is.
//   kernels_bench --benchmark_filter=matmul/.*/Q4_0
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/cache_row.h"
#include "kernels/kernels.h"
#include "quant/formats.h"

namespace plm::kernels {
namespace {

constexpr int64_t kModelWidth = 2048, kFfnWidth = 8192;
constexpr int64_t kHeads = 16, kLatentWidth = 512, kRopeWidth = 64;

std::vector<float> random_floats(int64_t n, float low = -1, float high = 1) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> out(static_cast<size_t>(n));
  for (float& x : out) x = uniform(random);
  return out;
}

// A matrix as in a file; one row encoded, then repeated.
std::vector<std::byte> file_matrix(TensorType type, int64_t rows, int64_t cols) {
  const auto one = static_cast<size_t>(row_bytes(type, cols));
  std::vector<std::byte> bytes(one * static_cast<size_t>(rows));
  quant::find_format(type)->encode(random_floats(cols).data(), bytes.data(), cols);
  for (size_t r = 1; r < static_cast<size_t>(rows); ++r) {
    std::copy(bytes.begin(), bytes.begin() + static_cast<int64_t>(one),
              bytes.begin() + static_cast<int64_t>(r * one));
  }
  return bytes;
}

void matmul(benchmark::State& state, Isa isa, TensorType type, int64_t n_tokens) {
  const Kernels kernels = *select_kernels(isa_name(isa));
  const auto file = file_matrix(type, kFfnWidth, kModelWidth);
  PackedMatrix weight{.type = type, .rows = kFfnWidth, .cols = kModelWidth};
  AlignedBuffer memory = *AlignedBuffer::allocate(static_cast<size_t>(weight.bytes()));
  weight.data = memory.data();
  std::vector<int64_t> map(static_cast<size_t>(kFfnWidth));
  std::iota(map.begin(), map.end(), 0);
  pack_groups({type, file.data(), kFfnWidth, kModelWidth}, map, 0, weight.n_groups(), memory.data());

  const auto x = random_floats(n_tokens * kModelWidth);
  Activations input = *Activations::allocate(n_tokens, kModelWidth, kernels.many_tokens);
  input.begin(x.data(), n_tokens, kModelWidth, kModelWidth, kernels.precision_for(n_tokens));
  for (int64_t t = 0; t < n_tokens; ++t) kernels.quantize_token(x.data() + t * kModelWidth, input, t);
  std::vector<float> y(static_cast<size_t>(n_tokens * kFfnWidth));
  for (auto _ : state) {
    kernels.matmul({.weight = &weight,
                    .x = &input,
                    .y = y.data(),
                    .y_stride = kFfnWidth,
                    .group_begin = 0,
                    .group_end = weight.n_groups(),
                    .n_tokens = n_tokens});
    benchmark::ClobberMemory();
  }
  const auto times = static_cast<double>(state.iterations());
  using benchmark::Counter;
  state.counters["bytes/s"] = Counter(times * static_cast<double>(weight.bytes()), Counter::kIsRate);
  state.counters["op/s"] =
      Counter(times * 2.0 * static_cast<double>(kFfnWidth * kModelWidth * n_tokens), Counter::kIsRate);
}

// The down projection of one token with one neuron in `one_in` live.
void sparse_matmul(benchmark::State& state, Isa isa, TensorType type, int64_t one_in) {
  const Kernels kernels = *select_kernels(isa_name(isa));
  const auto file = file_matrix(type, kModelWidth, kFfnWidth);
  NeuronMajorMatrix weight{.type = type, .n_outputs = kModelWidth, .n_neurons = kFfnWidth};
  AlignedBuffer memory = *AlignedBuffer::allocate(static_cast<size_t>(weight.bytes()));
  weight.data = memory.data();
  pack_neurons({type, file.data(), kModelWidth, kFfnWidth}, 0, weight.n_units(), memory.data());
  std::mt19937 random(2);
  std::vector<int32_t> index;
  for (int32_t i = 0; i < kFfnWidth; ++i) {
    if (static_cast<int64_t>(random()) % one_in == 0) index.push_back(i);
  }
  const auto n_live = static_cast<int64_t>(index.size());
  const auto value = random_floats(n_live, 0.1f, 2.0f);
  std::vector<float> y(static_cast<size_t>(kModelWidth));
  for (auto _ : state) {
    kernels.sparse_matmul({.weight = &weight,
                           .live = {.index = index.data(), .value = value.data(), .count = n_live},
                           .y = y.data(),
                           .begin = 0,
                           .end = kModelWidth});
    benchmark::ClobberMemory();
  }
}

// One token against a stretch of the latent cache.
void latent_attend(benchmark::State& state, Isa isa, TensorType type, int64_t n_rows) {
  const Kernels kernels = *select_kernels(isa_name(isa));
  const int64_t E = kLatentWidth + kRopeWidth, one = cache_row_bytes(type, E);
  std::vector<std::byte> rows(static_cast<size_t>(one * n_rows));
  for (int64_t s = 0; s < n_rows; ++s) {
    encode_cache_row(type, random_floats(E).data(), E, rows.data() + s * one);
  }
  const auto q = random_floats(kHeads * E, -0.1f, 0.1f);
  std::vector<float> out(static_cast<size_t>(kHeads * kLatentWidth)), maximum(kHeads), sum(kHeads);
  const AlignedBuffer scratch = *AlignedBuffer::allocate(
      static_cast<size_t>(latent_attend_scratch_bytes(kHeads, kLatentWidth, kRopeWidth, n_rows)));
  for (auto _ : state) {
    kernels.latent_attend({.q_HE = q.data(),
                           .n_heads = kHeads,
                           .latent_width = kLatentWidth,
                           .rope_width = kRopeWidth,
                           .cache_type = type,
                           .rows = rows.data(),
                           .row_bytes = one,
                           .n_rows = n_rows,
                           .out_HC = out.data(),
                           .max_H = maximum.data(),
                           .sum_H = sum.data(),
                           .scratch = const_cast<std::byte*>(scratch.data())});
    benchmark::ClobberMemory();
  }
  const double products = static_cast<double>(kHeads * n_rows) * static_cast<double>(E + kLatentWidth);
  state.counters["op/s"] = benchmark::Counter(2.0 * products * static_cast<double>(state.iterations()),
                                              benchmark::Counter::kIsRate);
}

// 64 tokens of one head against 128 expanded rows.
void expanded_attend(benchmark::State& state, Isa isa, bool exact) {
  const Kernels kernels = *select_kernels(isa_name(isa));
  constexpr int64_t Q = 192, V = 128;
  const auto q = random_floats(kExpandedTokens * Q, -0.1f, 0.1f);
  const auto k = random_floats(kExpandedRows * Q), v = random_floats(kExpandedRows * V);
  std::vector<float> out(static_cast<size_t>(kExpandedTokens * V)), maximum(kExpandedTokens, -HUGE_VALF),
      sum(kExpandedTokens);
  AlignedBuffer scratch = *AlignedBuffer::allocate(static_cast<size_t>(expanded_attend_scratch_bytes(Q, V)));
  for (auto _ : state) {
    kernels.expanded_attend({.q_TQ = q.data(),
                             .q_stride = Q,
                             .n_tokens = kExpandedTokens,
                             .key_width = Q,
                             .value_width = V,
                             .k_SQ = k.data(),
                             .k_stride = Q,
                             .v_SV = v.data(),
                             .v_stride = V,
                             .n_rows = kExpandedRows,
                             .first_position = kExpandedRows,
                             .first_key_position = 0,
                             .out_TV = out.data(),
                             .out_stride = V,
                             .max_T = maximum.data(),
                             .sum_T = sum.data(),
                             .exact = exact,
                             .scratch = scratch.data()});
    benchmark::ClobberMemory();
  }
  const double products = static_cast<double>(kExpandedTokens * kExpandedRows * (Q + V));
  state.counters["op/s"] = benchmark::Counter(2.0 * products * static_cast<double>(state.iterations()),
                                              benchmark::Counter::kIsRate);
}

void add(const std::string& name, std::function<void(benchmark::State&)> run) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(run))->Unit(benchmark::kMicrosecond)->MinTime(0.2);
}

void add_all() {
  const TensorType types[] = {TensorType::f16,  TensorType::q4_0, TensorType::q8_0,
                              TensorType::q4_k, TensorType::q5_k, TensorType::q6_k};
  for (const Isa isa : available_isas()) {
    const std::string_view name = isa_name(isa);
    for (const TensorType type : types) {
      const std::string_view type_name = tensor_type_name(type);
      for (const int64_t n : {1, 512}) {
        if (isa == Isa::reference && n > 1) continue;  // half a minute each
        add(fmt::format("matmul/{}/{}/{}", name, type_name, n),
            [=](benchmark::State& state) { matmul(state, isa, type, n); });
      }
      add(fmt::format("sparse_matmul/{}/{}/one_in_10", name, type_name),
          [=](benchmark::State& state) { sparse_matmul(state, isa, type, 10); });
    }
    for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q8_0}) {
      add(fmt::format("latent_attend/{}/{}/64", name, tensor_type_name(type)),
          [=](benchmark::State& state) { latent_attend(state, isa, type, 64); });
    }
    for (const bool exact : {true, false}) {
      add(fmt::format("expanded_attend/{}/{}", name, exact ? "exact" : "bf16_allowed"),
          [=](benchmark::State& state) { expanded_attend(state, isa, exact); });
    }
  }
}

}  // namespace
}  // namespace plm::kernels

int main(int argc, char** argv) {
  plm::kernels::add_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
