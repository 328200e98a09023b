#include "kernels/machine_peak.h"

namespace plm::kernels {

MachinePeak machine_peak(Isa isa) {
  MachinePeak peak;
  use_reference(peak);
#if defined(__x86_64__)
  if (isa >= Isa::avx2) use_avx2(peak);
  if (isa >= Isa::avx512) use_avx512(peak);
  if (isa >= Isa::avx512_bf16) use_avx512_bf16(peak);
  if (isa >= Isa::amx) use_amx(peak);
#elif defined(__aarch64__)
  if (isa >= Isa::neon) use_neon(peak);
  if (isa >= Isa::neon_dotprod) use_neon_dotprod(peak);
  if (isa >= Isa::neon_i8mm) use_neon_i8mm(peak);
#endif
  return peak;
}

}  // namespace plm::kernels
