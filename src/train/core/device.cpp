#include "train/core/device.h"

#include <ATen/ATen.h>
#include <ATen/SDPBackend.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace plm::train {

Result<at::Device> choose_device(std::string_view setting, const WorkerPlace& place) {
  const int64_t n_gpus = at::detail::getCUDAHooks().getNumGPUs();
  if (setting == "cpu") return at::Device(at::kCPU);
  if (setting == "auto" && (n_gpus == 0 || place.count > 1)) return at::Device(at::kCPU);
  if (n_gpus == 0) {
    return make_error(
        ErrorKind::unsupported,
        "device: found cuda, expected cpu or auto: torch sees no GPU here (its CUDA build and a "
        "driver are needed: make train-deps TORCH_SPEC=...)");
  }
  if (place.local_rank >= n_gpus) {
    return make_error(
        ErrorKind::unsupported,
        "device: found cuda for the worker of local rank {}, expected one below {}, the number of GPUs",
        place.local_rank, n_gpus);
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(place.local_rank));
}

int64_t attention_value_width(const ModelConfig& config, at::Device device) {
  return device.is_cuda() ? config.value_width : std::max(config.value_width, config.query_width());
}

std::string attention_backend(const ModelConfig& config, at::Device device, at::ScalarType type,
                              int64_t row_tokens) {
  const auto numbers = at::TensorOptions().dtype(type).device(device);
  const int64_t H = config.n_heads, Q = config.query_width();
  const int64_t V = attention_value_width(config, device);
  const at::Tensor queries = at::empty({1, H, row_tokens, Q}, numbers).requires_grad_();
  const at::Tensor values = at::empty({1, H, row_tokens, V}, numbers).requires_grad_();
  const double scale = 1.0 / std::sqrt(static_cast<double>(Q));
  switch (static_cast<at::SDPBackend>(
      at::_fused_sdp_choice(queries, queries, values, std::nullopt, 0.0, /*is_causal=*/true, scale))) {
    case at::SDPBackend::flash_attention:
      return "flash";
    case at::SDPBackend::efficient_attention:
      return "efficient";
    case at::SDPBackend::cudnn_attention:
      return "cudnn";
    default:
      return "math";
  }
}

}  // namespace plm::train
