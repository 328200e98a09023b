#include "kernels/kernels.h"

namespace plm::kernels {

int64_t group_attend_scratch_bytes(int64_t n_heads, int64_t n_rows) {
  return n_heads * ((n_rows + 31) / 32 * 32) * static_cast<int64_t>(sizeof(float));  // the scores
}

}  // namespace plm::kernels
