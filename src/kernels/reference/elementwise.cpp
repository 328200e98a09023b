// Norm, rotation, squared ReLU and the rounding of inputs, as the paper and the contract say them.
#include <cmath>

#include "kernels/reference/reference.h"

namespace plm::kernels::reference {

void rms_norm(const float* x, const float* weight, int64_t n, float epsilon, float* out) {
  double sum_of_squares = 0;
  for (int64_t i = 0; i < n; ++i) sum_of_squares += static_cast<double>(x[i]) * x[i];
  const double scale = 1.0 / std::sqrt(sum_of_squares / static_cast<double>(n) + epsilon);
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(x[i] * scale * weight[i]);
}

void rope(float* x, int64_t n, const float* cos_sin) {
  PLM_CHECK(n % 2 == 0);
  for (int64_t i = 0; i < n; i += 2) {
    const float a = x[i], b = x[i + 1];
    x[i] = a * cos_sin[i] - b * cos_sin[i + 1];
    x[i + 1] = a * cos_sin[i + 1] + b * cos_sin[i];
  }
}

int64_t relu2(float* x, int64_t n, float threshold) {
  int64_t n_live = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float square = x[i] > 0 ? x[i] * x[i] : 0.0f;
    x[i] = square > threshold ? square : 0.0f;
    n_live += x[i] > 0;
  }
  return n_live;
}

int64_t list_live(const float* x, int64_t n, int32_t* index, float* value) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!(x[i] > 0)) continue;
    index[count] = static_cast<int32_t>(i);
    value[count] = x[i];
    ++count;
  }
  return count;
}

namespace {

// Block `block` of a token, whose numbers begin at x.
inline void quantize_block(const float* x, Activations& out, int64_t token, int64_t block) {
  const bool fine = out.precision == Precision::fine;
  const int largest_q = fine ? 32512 : 127;  // 127 * 256, so that the high byte stays within 127
  const int64_t n = std::min<int64_t>(32, out.width - 32 * block);
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  // A block of nothing but tiny numbers is zero: its inverse would overflow.
  const float inverse = largest > 1e-30f ? static_cast<float>(largest_q) / largest : 0.0f;
  const int64_t at = block * out.pitch + token;
  out.scale[at] = inverse > 0 ? largest / static_cast<float>(largest_q) : 0.0f;
  int32_t sums[2] = {0, 0};
  for (int64_t i = 0; i < 32; ++i) {
    const int q = i < n ? static_cast<int>(std::nearbyint(x[i] * inverse)) : 0;
    sums[i / 16] += q;
    // high is rounded, so that low fits a signed byte.
    const int high = fine ? (q + 128) >> 8 : q;
    out.high[32 * at + i] = static_cast<int8_t>(high);
    if (fine) out.low[32 * at + i] = static_cast<int8_t>(q - 256 * high);
  }
  out.set_sums(at, sums[0], sums[1]);
}

}  // namespace

void quantize_token(const float* x, Activations& out, int64_t token) {
  for (int64_t block = 0; block < out.n_blocks(); ++block) quantize_block(x + 32 * block, out, token, block);
}

void quantize_blocks(const QuantizeBlocksArgs& args) {
  for (int64_t block = 0; block < args.n_blocks; ++block) {
    for (int64_t t = 0; t < args.n_tokens; ++t) {
      quantize_block(args.x + t * args.x_stride + 32 * block, *args.out, args.first_token + t,
                     args.first_block + block);
    }
  }
}

}  // namespace plm::kernels::reference
