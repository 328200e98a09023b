#include "kernels/x86/avx2.h"

namespace plm::kernels {

void use_avx2(Kernels& kernels) {
  kernels.rms_norm = avx2::rms_norm;
  kernels.rope = avx2::rope;
  kernels.relu2 = avx2::relu2;
  kernels.silu_multiply = avx2::silu_multiply;
  kernels.list_live = avx2::list_live;
  kernels.quantize_token = avx2::quantize_token;
  kernels.quantize_blocks = avx2::quantize_blocks;
  kernels.matmul = avx2::matmul;
  kernels.combine_rows = avx2::combine_rows;
  kernels.sparse_matmul = avx2::sparse_matmul;
  kernels.turn_neurons = avx2::turn_neurons;
  kernels.latent_attend = avx2::latent_attend;
  kernels.expanded_attend = avx2::expanded_attend;
  kernels.group_attend = avx2::group_attend;
}

}  // namespace plm::kernels
