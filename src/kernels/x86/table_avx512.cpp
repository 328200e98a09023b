#include "kernels/x86/avx512.h"

namespace plm::kernels {

void use_avx512(Kernels& kernels) {
  kernels.rms_norm = avx512::rms_norm;
  kernels.relu2 = avx512::relu2;
  kernels.silu_multiply = avx512::silu_multiply;
  kernels.list_live = avx512::list_live;
  kernels.quantize_token = avx512::quantize_token;
  kernels.quantize_blocks = avx512::quantize_blocks;
  kernels.matmul = avx512::matmul;
  kernels.combine_rows = avx512::combine_rows;
  kernels.sparse_matmul = avx512::sparse_matmul;
  kernels.turn_neurons = avx512::turn_neurons;
  kernels.latent_attend = avx512::latent_attend;
  kernels.expanded_attend = avx512::expanded_attend;
  kernels.group_attend = avx512::group_attend;
}

}  // namespace plm::kernels
