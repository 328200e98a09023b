// The shared vocabulary of the Arm kernels: loads, ends of arrays, e^x.
//
// Everything here and in the other headers of this folder has internal linkage on purpose: the same
// text is compiled for several instruction sets, and the linker must never serve one file with a
// function that was compiled for another. For the same reason no standard containers.
#pragma once

#include <arm_neon.h>

#include <cstring>
#include <utility>

#include "base/tensor_type.h"

namespace plm::kernels::neon {
namespace {

// f.operator()<0>(), f.operator()<1>(), ...: for intrinsics that want a literal.
template <int kCount, class Function>
[[gnu::always_inline]] inline void unrolled(const Function& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (f.template operator()<i>(), ...);
  }(std::make_integer_sequence<int, kCount>{});
}

inline uint8x16_t load_bytes(const void* at) { return vld1q_u8(static_cast<const uint8_t*>(at)); }

// Four numbers of type f32, f16 or bf16.
template <TensorType kType>
inline float32x4_t load_numbers(const void* at) {
  if constexpr (kType == TensorType::f32) {
    return vld1q_f32(static_cast<const float*>(at));
  } else if constexpr (kType == TensorType::f16) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(static_cast<const uint16_t*>(at))));
  } else {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(static_cast<const uint16_t*>(at)), 16));
  }
}

inline float32x4_t load_halves(const void* at) { return load_numbers<TensorType::f16>(at); }

// Four bytes as floats.
template <bool kSigned>
inline float32x4_t load_four_bytes(const void* at) {
  uint32_t four;
  std::memcpy(&four, at, sizeof four);
  const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(four));
  if constexpr (kSigned) {
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(bytes)))));
  } else {
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
  }
}

// Sixteen bytes as floats.
template <bool kSigned>
inline void load_sixteen_bytes(const void* at, float32x4_t (&out)[4]) {
  const uint8x16_t bytes = load_bytes(at);
  if constexpr (kSigned) {
    const int8x16_t s = vreinterpretq_s8_u8(bytes);
    const int16x8_t low = vmovl_s8(vget_low_s8(s)), high = vmovl_high_s8(s);
    out[0] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)));
    out[1] = vcvtq_f32_s32(vmovl_high_s16(low));
    out[2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)));
    out[3] = vcvtq_f32_s32(vmovl_high_s16(high));
  } else {
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_high_u8(bytes);
    out[0] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(low)));
    out[1] = vcvtq_f32_u32(vmovl_high_u16(low));
    out[2] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(high)));
    out[3] = vcvtq_f32_u32(vmovl_high_u16(high));
  }
}

// The first n of four numbers, n >= 0; those beyond are neither read nor written and count as zero.
inline float32x4_t load_first(const float* at, int64_t n) {
  if (n >= 4) return vld1q_f32(at);
  float numbers[4] = {};
  for (int64_t i = 0; i < n; ++i) numbers[i] = at[i];
  return vld1q_f32(numbers);
}

inline void store_first(float* at, int64_t n, float32x4_t v) {
  if (n >= 4) {
    vst1q_f32(at, v);
    return;
  }
  float numbers[4];
  vst1q_f32(numbers, v);
  for (int64_t i = 0; i < n; ++i) at[i] = numbers[i];
}

// All ones where lane < n.
inline uint32x4_t first_lanes(int64_t n) {
  static constexpr int32_t kLanes[4] = {0, 1, 2, 3};
  return vcltq_s32(vld1q_s32(kLanes), vdupq_n_s32(n < 4 ? static_cast<int32_t>(n) : 4));
}

// Shifts bytes to the left, or to the right where kShift is negative.
template <int kShift>
inline uint8x16_t shift_bytes(uint8x16_t v) {
  if constexpr (kShift > 0) return vshlq_n_u8(v, kShift);
  if constexpr (kShift < 0) return vshrq_n_u8(v, -kShift);
  return v;
}

// e^x to about one unit in the last place; x at most 88; zero where it would not be a normal number.
inline float32x4_t exp(float32x4_t x) {
  const float32x4_t least = vdupq_n_f32(-87.3365f);
  const uint32x4_t counts = vcgeq_f32(x, least);
  x = vmaxq_f32(x, least);
  const float32x4_t n = vrndnq_f32(vmulq_n_f32(x, 1.44269504f));
  float32x4_t r = vfmsq_f32(x, n, vdupq_n_f32(0.693145752f));
  r = vfmsq_f32(r, n, vdupq_n_f32(1.42860677e-6f));
  float32x4_t p = vdupq_n_f32(1.0f / 5040);
  p = vfmaq_f32(vdupq_n_f32(1.0f / 720), p, r);
  p = vfmaq_f32(vdupq_n_f32(1.0f / 120), p, r);
  p = vfmaq_f32(vdupq_n_f32(1.0f / 24), p, r);
  p = vfmaq_f32(vdupq_n_f32(1.0f / 6), p, r);
  p = vfmaq_f32(vdupq_n_f32(0.5f), p, r);
  p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
  p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
  const int32x4_t power = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23);
  p = vmulq_f32(p, vreinterpretq_f32_s32(power));
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(p), counts));
}

}  // namespace
}  // namespace plm::kernels::neon
