// Random numbers for new weights: a function of seed, name and place, whatever the number of threads or
// workers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace plm::train {

// float32 on the CPU, normal with this standard deviation.
at::Tensor draw_normal(uint64_t seed, std::string_view name, const std::vector<int64_t>& shape,
                       double deviation);

}  // namespace plm::train
