// Carries out a plan: reads a GGUF file a few megabytes at a time, encodes on all threads, writes the new
// file. Memory does not grow with the model.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "base/thread_pool.h"
#include "gguf/gguf_file.h"
#include "quantize/adapter_changes.h"
#include "quantize/plan.h"

namespace plm::quantize {

struct QuantizeProgress {
  const PlannedTensor* tensor = nullptr;  // the one at hand
  size_t index = 0, n_tensors = 0;
  double fraction = 0;  // of all weights, done so far
};

struct QuantizeOptions {
  const Importance* importance = nullptr;
  std::string importance_path = {};  // recorded in the file's metadata
  // Put feed-forward neurons into the importance's order, where it has one.
  bool order_neurons = false;
  // Adapters to merge into the weights. Tensors they change are encoded anew, also in the type they have.
  const AdapterChanges* changes = nullptr;
  // Called before each tensor and each stretch of a large one; false stops the work with
  // ErrorKind::cancelled. May be empty.
  std::function<bool(const QuantizeProgress&)> progress = {};
};

struct QuantizeSummary {
  size_t n_weighted = 0;    // tensors whose importance was known
  size_t n_unweighted = 0;  // quantised without
};

// Writes `out`, whole or not at all. The result does not depend on the number of threads. Refuses
// weights that are not finite, or too large for F16 or BF16 where that is asked (naming the tensor, with
// their number; of tensors that stay as they are, only plain numbers are looked at), and importance of
// another width.
Result<QuantizeSummary> quantize_file(const gguf::File& file, const Plan& plan,
                                      const QuantizeOptions& options, const std::string& out,
                                      ThreadPool& pool);

}  // namespace plm::quantize
