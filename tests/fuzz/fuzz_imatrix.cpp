// Any bytes as an importance matrix, of either kind: refused with one line, or all of it can be used.
#include <cmath>

#include "quantize/importance.h"
#include "quantize/legacy_importance.h"

namespace {

using namespace plm;
using namespace plm::quantize;

void use(const Importance& importance) {
  for (const auto& [name, statistics] : importance.tensors) {
    PLM_CHECK(importance.find(name) == &statistics);
    PLM_CHECK(!statistics.sums.empty() && statistics.mean_squares().size() == statistics.sums.size());
    const Correlations& correlations = statistics.correlations;
    if (correlations.block == 0) continue;
    PLM_CHECK(statistics.sums.size() % static_cast<size_t>(correlations.block) == 0);
    PLM_CHECK(correlations.coefficient.size() ==
              statistics.sums.size() * static_cast<size_t>(correlations.block));
  }
  for (const auto& [layer, order] : importance.neuron_order) {
    PLM_CHECK(layer >= 0);
    for (const int32_t neuron : order) PLM_CHECK(neuron >= 0 && neuron < std::ssize(order));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto importance = parse_importance(std::as_bytes(std::span(data, size)), "fuzz.imatrix");
  if (!importance.ok()) {
    PLM_CHECK(importance.error().message.starts_with("fuzz.imatrix: "));
    PLM_CHECK(importance.error().message.find('\n') == std::string::npos);
    return 0;
  }
  use(*importance);
  Importance twice = *importance;
  if (twice.merge(*importance).ok() && !twice.tensors.empty()) {
    use(twice);
    PLM_CHECK(!encode_legacy_importance(twice).empty());
  }
  return 0;
}
