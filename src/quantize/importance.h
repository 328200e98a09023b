// What is known about the inputs of each matrix from running a model over a text (an "imatrix"): how
// large each input is in the mean of squares, and so how much an error of the weights it meets costs.
//
// The files are llama.cpp's, of both kinds: GGUF (general.type "imatrix") and the older .dat. Ours may
// hold more, in tensors and keys that llama.cpp passes over: docs/formats/imatrix.md.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plm::quantize {

// How the inputs of a matrix go together, within stretches of them as long as a super-block.
struct Correlations {
  int64_t block = 0;               // inputs of a stretch; divides their number
  std::vector<float> coefficient;  // [stretch][block][block], symmetric, 1 on the diagonal
};

struct InputStatistics {
  std::vector<float> sums;    // of squares, for each input; of stacked matrices one after another
  std::vector<float> counts;  // of rows seen, for each stacked matrix: mostly one number
  Correlations correlations;  // empty when not collected

  // Mean squares; all ones for a stacked matrix that saw nothing.
  std::vector<float> mean_squares() const;
};

struct Importance {
  std::map<std::string, InputStatistics, std::less<>> tensors;  // by name in the model's file
  std::vector<std::string> datasets;
  uint32_t n_chunks = 0;
  uint32_t chunk_tokens = 0;
  bool was_legacy = false;  // read from a .dat file

  // For each layer an order of its feed-forward neurons in which those that fire together are
  // neighbours: place i takes neuron order[i]. Empty when not collected.
  std::map<int64_t, std::vector<int32_t>> neuron_order;

  // Nats of KL divergence for each unit of mean squared output error of a tensor, measured. Empty when not.
  std::map<std::string, float, std::less<>> sensitivity;

  const InputStatistics* find(std::string_view tensor) const;

  // Adds what another run saw. Refuses tensors of different widths.
  Status merge(const Importance& other);
};

// Refuses what breaks the format, is not finite or negative.
Result<Importance> read_importance(const std::string& path);
// The same from memory, either kind; `name` is for messages.
Result<Importance> parse_importance(std::span<const std::byte> bytes, const std::string& name);
// The older kind alone.
Result<Importance> parse_legacy_importance(std::string_view bytes, const std::string& name);

enum class ImportanceFormat { gguf, legacy };
// Appears whole or not at all. The older format has no room for what is ours alone.
Status write_importance(const std::string& path, const Importance& importance, ImportanceFormat format);

}  // namespace plm::quantize
