// Many blocks at once: the searches for scales put one block (or sub-block) in each lane of a vector and
// go through the elements one by one, so that every lane adds up in the order of its elements whatever
// the machine's vectors hold, and gives the same bits on all of them. Vectors are in the compilers'
// portable notation.
#pragma once

#include <cstdint>

#include "base/cpu_features.h"

namespace plm::quant {

template <int kLanes>
struct LaneTypes;
template <>
struct LaneTypes<8> {
  using Float = float __attribute__((vector_size(32)));
  using Mask = int32_t __attribute__((vector_size(32)));
};
template <>
struct LaneTypes<16> {
  using Float = float __attribute__((vector_size(64)));
  using Mask = int32_t __attribute__((vector_size(64)));
};

template <int kLanes>
struct Lanes {
  using Float = typename LaneTypes<kLanes>::Float;
  using Mask = typename LaneTypes<kLanes>::Mask;  // of comparisons: -1 where true

  static Float splat(float x) { return Float{} + x; }
  static Float select(Mask where, Float then, Float otherwise) { return where ? then : otherwise; }
  static Float min(Float a, Float b) { return a < b ? a : b; }
  static Float max(Float a, Float b) { return a > b ? a : b; }
  static Float clamp(Float v, float least, float greatest) {
    return min(max(v, splat(least)), splat(greatest));
  }
  static Float abs(Float v) { return max(v, -v); }

  // To the nearest whole number, ties to even, for |v| < 2^22: adding 1.5 * 2^23 leaves no fraction bits.
  static Float round(Float v) {
    const Float magic = splat(0x1.8p23f);
    return (v + magic) - magic;
  }

  // 1 / v, or 0 where v is 0.
  static Float inverse(Float v) {
    const Mask zero = v == splat(0.0f);
    return select(zero, splat(0.0f), splat(1.0f) / select(zero, splat(1.0f), v));
  }
};

// Calls work(), compiled for the widest vectors that this CPU has. All of it must be visible to the
// compiler here, which inlines it into each version.
template <class Work>
void with_widest_vectors(Work&& work);

#if defined(__x86_64__)
template <class Work>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"), flatten)) void run_with_avx512(Work& work) {
  work();
}
template <class Work>
__attribute__((target("avx2"), flatten)) void run_with_avx2(Work& work) {
  work();
}
#endif

template <class Work>
void with_widest_vectors(Work&& work) {
#if defined(__x86_64__)
  if (cpu_features().avx512) return run_with_avx512(work);
  if (cpu_features().avx2) return run_with_avx2(work);
#endif
  work();
}

}  // namespace plm::quant
