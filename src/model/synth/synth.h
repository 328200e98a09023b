// Models of random weights in a real shape, for benchmarks and tests: they cost what the real model
// costs, down to the share of squared-ReLU outputs that are zero, and other engines load them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "model/synth/presets.h"

namespace plm::model {

struct SynthOptions {
  SynthPreset preset;
  std::string type = "Q4_0";  // see quant_mix_names()
  // Share of squared-ReLU outputs that are zero, 0 to 1, kept within 2 points by all types (measured:
  // docs/formats/synth.md). Neurons differ: some fire for nearly every token, some hardly ever.
  double sparsity = 0.9;
  uint64_t seed = 1;
  int n_threads = 1;
  // Called by the caller's thread with the share of work done, 0 to 1; may be empty. False cancels.
  std::function<bool(double fraction)> progress;
};

// Writes a GGUF file to `path`, replacing what is there when all is written. The bytes depend on the
// preset, type, sparsity and seed alone. Errors: invalid_argument for an unknown type or a sparsity out
// of range, cancelled, io.
Status write_synthetic_model(const std::string& path, const SynthOptions& options);

}  // namespace plm::model
