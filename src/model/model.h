// A model of some architecture, ready to run. The registry knows the architectures; each is a folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "gguf/gguf_file.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/lora/adapter.h"
#include "model/step.h"

namespace plm::model {

struct LoadOptions {
  kernels::Kernels kernels;
  int64_t max_tokens = 1024;                           // of one step
  std::vector<ScaledAdapter> adapters = {};            // needed while loading only
  std::function<void(double fraction)> progress = {};  // may be empty; called by the loading thread
};

struct WeightBytes {
  int64_t total = 0;            // of the packed weights in memory
  int64_t dense_per_token = 0;  // read for one token whatever it is
  int64_t down_per_token = 0;   // of the down projections, read as far as neurons are live
};

class Model {
 public:
  virtual ~Model() = default;

  virtual const Config& config() const = 0;
  virtual WeightBytes weight_bytes() const = 0;
  virtual int64_t max_tokens() const = 0;

  // Of the caches that its steps write to and read.
  virtual CacheLayout cache_layout() const = 0;

  // Runs a step on all threads of the pool. The step must fit: at most max_tokens() tokens, room in
  // the caches. One step at a time.
  virtual void run(const Step& step, ThreadPool& pool) = 0;

  virtual const SparsityCounts& sparsity() const = 0;
  virtual void clear_sparsity() = 0;
};

// Loads the weights of `file`, which must stay open as long as the model. An architecture that is not
// known is an error that lists those that are;
// so is an adapter that does not fit the model.
Result<std::unique_ptr<Model>> load_model(const gguf::File& file, const LoadOptions& options,
                                          ThreadPool& pool);

std::vector<std::string> known_architectures();

}  // namespace plm::model
