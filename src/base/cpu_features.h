// What this CPU can do, as far as our kernels care.
#pragma once

#include <string>

namespace plm {

struct CpuFeatures {
  // x86
  bool avx2 = false;    // with FMA and F16C, always together on real CPUs and asked together
  bool avx512 = false;  // F, BW, VL, DQ
  bool avx512_vnni = false;
  bool avx512_bf16 = false;
  bool avx512_vbmi = false;
  bool amx = false;  // tiles and their bf16 and int8 products, and the kernel lets this process use them
  // arm64
  bool neon = false;
  bool dotprod = false;
  bool i8mm = false;
  bool bf16 = false;
};

const CpuFeatures& cpu_features();

// "AMD EPYC", "Cortex-A76", or "unknown CPU".
std::string cpu_name();

// CPUs this process may run on (affinity mask, control group quota); at least 1.
int available_cpus();

}  // namespace plm
