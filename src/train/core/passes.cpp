#include "train/core/passes.h"

namespace plm::train::fused {

const Passes* passes_for(const at::Tensor& x) {
  if (x.scalar_type() != at::kFloat && x.scalar_type() != at::kBFloat16) return nullptr;
  if (x.is_cpu()) return &cpu_passes();
#ifdef PLM_TRAIN_CUDA
  if (x.is_cuda()) return &cuda_passes();
#endif
  return nullptr;
}

}  // namespace plm::train::fused
