#include "kernels/x86/avx512.h"

namespace plm::kernels {

void use_avx512_bf16(Kernels& kernels) {
  kernels.latent_attend = avx512_bf16::latent_attend;
  kernels.expanded_attend = avx512_bf16::expanded_attend;
}

}  // namespace plm::kernels
