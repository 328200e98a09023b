// Embeddings, once their rows are one vector.
#pragma once

#include <span>

namespace plm::scheduler {

// So that a dot product is the cosine. Zeros stay.
void scale_to_unit_length(std::span<float> vector);

}  // namespace plm::scheduler
