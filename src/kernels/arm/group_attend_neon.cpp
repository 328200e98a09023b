#include "kernels/arm/attention_tiles_neon.h"
#include "kernels/arm/neon.h"
#include "kernels/group_attend_text.h"

namespace plm::kernels::neon {
namespace {

struct Simd {
  static constexpr int kLanes = 4, kMaxHeads = 4, kValueVectors = 4;  // 16 sums of 32 registers
  using Vector = float32x4_t;

  static Vector zero() { return vdupq_n_f32(0); }
  static Vector broadcast(float x) { return vdupq_n_f32(x); }
  static Vector load_floats(const float* at) { return vld1q_f32(at); }
  static void store(float* at, Vector v) { vst1q_f32(at, v); }
  static Vector multiply_add(Vector a, Vector b, Vector sum) { return vfmaq_f32(sum, a, b); }

  // The numbers i .. i + 3 of a row; i is a multiple of 4.
  template <TensorType kType>
  static Vector load(const std::byte* row, int64_t i) {
    if constexpr (kType == TensorType::q8_0) {
      const std::byte* block = row + i / 32 * 34;
      uint16_t scale;
      std::memcpy(&scale, block, sizeof scale);
      const float32x4_t scales = vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(scale)));
      return vmulq_f32(load_four_bytes<true>(block + 2 + i % 32), scales);
    } else {
      return load_numbers<kType>(row + (kType == TensorType::f32 ? 4 : 2) * i);
    }
  }

  // Lane r: the sum of all lanes of v[r].
  static Vector sums_of_lanes(const Vector (&v)[4]) {
    return vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3]));
  }

  static void softmax_step(float* scores, int64_t n, int64_t n_padded, float& maximum, float& sum) {
    neon::softmax_step(scores, n, n_padded, maximum, sum);
  }
};

}  // namespace

void group_attend(const GroupAttendArgs& args) { group_attend_by<Simd>(args); }

}  // namespace plm::kernels::neon
