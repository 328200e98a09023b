#include "kernels/x86/amx.h"

namespace plm::kernels {

void use_amx(Kernels& kernels) {
  kernels.many_tokens = Precision::bf16;
  kernels.quantize_token = amx::quantize_token;
  kernels.quantize_blocks = amx::quantize_blocks;
  kernels.matmul = amx::matmul;
  kernels.latent_attend = amx::latent_attend;
  kernels.expanded_attend = amx::expanded_attend;
}

}  // namespace plm::kernels
