#include "scheduler/pooling.h"

#include <cmath>

namespace plm::scheduler {

void scale_to_unit_length(std::span<float> vector) {
  double sum = 0;
  for (const float number : vector) sum += static_cast<double>(number) * static_cast<double>(number);
  if (sum <= 0) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& number : vector) number = static_cast<float>(static_cast<double>(number) * scale);
}

}  // namespace plm::scheduler
