#include "kernels/kernels.h"

namespace plm::kernels {

void use_avx2(Kernels&) {}

}  // namespace plm::kernels
