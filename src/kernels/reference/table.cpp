#include "kernels/reference/reference.h"

namespace plm::kernels {

void use_reference(Kernels& kernels) {
  kernels.isa = Isa::reference;
  kernels.rms_norm = reference::rms_norm;
  kernels.rope = reference::rope;
  kernels.relu2 = reference::relu2;
  kernels.silu_multiply = reference::silu_multiply;
  kernels.list_live = reference::list_live;
  kernels.quantize_token = reference::quantize_token;
  kernels.quantize_blocks = reference::quantize_blocks;
  kernels.matmul = reference::matmul;
  kernels.combine_rows = reference::combine_rows;
  kernels.sparse_matmul = reference::sparse_matmul;
  kernels.turn_neurons = reference::turn_neurons;
  kernels.latent_attend = reference::latent_attend;
  kernels.expanded_attend = reference::expanded_attend;
  kernels.group_attend = reference::group_attend;
}

}  // namespace plm::kernels
