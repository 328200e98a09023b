// What a machine could do at best: loops of nothing but multiply-adds on registers, and of nothing but
// reading. The roofline that kernels are measured against. As kernels: a plain version in reference/,
// the rest by instruction set in x86/ and arm/. Any thread may run them at the same time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

namespace plm::kernels {

// One kind of arithmetic, as the kernels of an instruction set do it at their best.
struct PeakLoop {
  const char* instruction = nullptr;  // "vpdpbusd zmm"; null where the kernels have no such products
  int64_t operations_per_round = 0;   // a product and its addition are two
  // Returns a number made of all results, so that none can be left out.
  uint64_t (*run)(int64_t n_rounds) = nullptr;

  bool exists() const { return run != nullptr; }
};

struct MachinePeak {
  PeakLoop int8, bf16, fp32;
  // Reads n_bytes, a multiple of kReadBytes, from an address aligned to 64.
  uint64_t (*read)(const std::byte* data, int64_t n_bytes) = nullptr;
};
inline constexpr int64_t kReadBytes = 256;

// The loops of an instruction set this CPU has (available_isas).
MachinePeak machine_peak(Isa isa);

// Each starts from what it was given and replaces what its instruction set does better.
void use_reference(MachinePeak& peak);
void use_avx2(MachinePeak& peak);
void use_avx512(MachinePeak& peak);
void use_avx512_bf16(MachinePeak& peak);
void use_amx(MachinePeak& peak);
void use_neon(MachinePeak& peak);
void use_neon_dotprod(MachinePeak& peak);
void use_neon_i8mm(MachinePeak& peak);

}  // namespace plm::kernels
