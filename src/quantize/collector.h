// Collects the statistics of importance.h while a model runs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf_file.h"
#include "model/step.h"
#include "quantize/importance.h"

namespace plm::quantize {

struct CollectOptions {
  bool correlations = false;   // also how inputs go together (importance.h)
  bool neuron_order = false;   // also which neurons fire together
  bool output_matrix = false;  // also the inputs of the output matrix
};

// Give trace() to runtime::Session::set_trace while the text runs; then take the result. One thread.
class Collector {
 public:
  // The tensors of `file`, the model that runs, are those that may get statistics.
  Collector(const gguf::File& file, const CollectOptions& options);
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  const model::Trace& trace() const { return trace_; }

  // The statistics, without datasets and chunks. Refuses numbers that are not finite, naming the tensor.
  Result<Importance> finish();

 private:
  struct Input {
    std::vector<std::string> tensors;  // those that have this input
    int64_t width = 0;
    int64_t block = 0;  // of correlations, 0 where they are not collected
    int64_t n_rows = 0;
    std::vector<double> sums;
    std::vector<float> products;  // [stretch][block][block], the lower triangle
  };
  Input* input_of(std::string_view name, int64_t layer);
  void add_rows(Input& input, const float* data, int64_t rows, int64_t stride);
  void note_firing(int64_t layer, const float* data, int64_t rows, int64_t width, int64_t stride);

  const gguf::File& file_;
  CollectOptions options_;
  model::Trace trace_;
  std::map<std::string, Input> inputs_;  // by trace name and layer
  // For each layer and neuron a bit for each of the first tokens: whether it fired.
  struct Firing {
    int64_t n_neurons = 0, n_tokens = 0;
    std::vector<uint64_t> bits;  // [neuron][kFiringWords]
  };
  std::map<int64_t, Firing> firing_;
};

}  // namespace plm::quantize
