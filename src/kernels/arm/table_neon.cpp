#include "kernels/arm/neon.h"

namespace plm::kernels {

void use_neon(Kernels& kernels) {
  kernels.rms_norm = neon::rms_norm;
  kernels.rope = neon::rope;
  kernels.relu2 = neon::relu2;
  kernels.silu_multiply = neon::silu_multiply;
  kernels.list_live = neon::list_live;
  kernels.quantize_token = neon::quantize_token;
  kernels.quantize_blocks = neon::quantize_blocks;
  kernels.matmul = neon::matmul;
  kernels.combine_rows = neon::combine_rows;
  kernels.sparse_matmul = neon::sparse_matmul;
  kernels.turn_neurons = neon::turn_neurons;
  kernels.latent_attend = neon::latent_attend;
  kernels.expanded_attend = neon::expanded_attend;
  kernels.group_attend = neon::group_attend;
}

void use_neon_dotprod(Kernels& kernels) { kernels.matmul = neon_dotprod::matmul; }

void use_neon_i8mm(Kernels& kernels) { kernels.matmul = neon_i8mm::matmul; }

}  // namespace plm::kernels
