#include "quantize/importance.h"

#include <algorithm>
#include <cmath>

#include "gguf/value.h"

namespace plm::quantize {

std::vector<float> InputStatistics::mean_squares() const {
  std::vector<float> means(sums.size());
  const size_t width = counts.empty() ? 0 : sums.size() / counts.size();
  for (size_t i = 0; i < means.size(); ++i) {
    const float count = width > 0 ? counts[i / width] : 0.0f;
    means[i] = count > 0 ? sums[i] / count : 1.0f;
  }
  return means;
}

const InputStatistics* Importance::find(std::string_view tensor) const {
  const auto found = tensors.find(tensor);
  return found == tensors.end() ? nullptr : &found->second;
}

Status Importance::merge(const Importance& other) {
  if (!tensors.empty() && was_legacy != other.was_legacy) {
    return make_error(ErrorKind::invalid_argument,
                      "a .dat file counts calls and a GGUF one tokens: they do not add up");
  }
  was_legacy = other.was_legacy;
  for (const auto& [name, theirs] : other.tensors) {
    InputStatistics& ours = tensors[name];
    if (ours.sums.empty()) {
      ours = theirs;
      continue;
    }
    if (ours.sums.size() != theirs.sums.size() || ours.counts.size() != theirs.counts.size()) {
      return make_error(ErrorKind::bad_data, "tensor {}: found {} sums and {} counts, expected {} and {}",
                        gguf::printable(name), theirs.sums.size(), theirs.counts.size(), ours.sums.size(),
                        ours.counts.size());
    }
    // Coefficients of different texts cannot be added without the sums they came from.
    ours.correlations = {};
    for (size_t i = 0; i < ours.sums.size(); ++i) ours.sums[i] += theirs.sums[i];
    for (size_t i = 0; i < ours.counts.size(); ++i) ours.counts[i] += theirs.counts[i];
  }
  n_chunks += other.n_chunks;
  datasets.insert(datasets.end(), other.datasets.begin(), other.datasets.end());
  if (neuron_order.empty()) neuron_order = other.neuron_order;
  if (sensitivity.empty()) sensitivity = other.sensitivity;
  return {};
}

}  // namespace plm::quantize
