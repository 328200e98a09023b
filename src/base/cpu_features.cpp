#include "base/cpu_features.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif

namespace plm {
namespace {

#if defined(__x86_64__)
// Tiles are state that Linux saves only for a process that asked for it (Documentation/arch/x86/xstate.rst);
// all threads started afterwards may use them too.
bool amx_is_permitted() {
#ifdef __linux__
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr unsigned kTile = 1U << 24, kInt8 = 1U << 25,
                     kBf16 = 1U << 22;  // of EDX, Intel SDM volume 2, CPUID
  if ((edx & kTile) == 0 || (edx & kInt8) == 0 || (edx & kBf16) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

CpuFeatures detect() {
  CpuFeatures f;
#if defined(__x86_64__)
  __builtin_cpu_init();
  f.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  f.avx512 = f.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  f.avx512_vnni = f.avx512 && __builtin_cpu_supports("avx512vnni");
  f.avx512_bf16 = f.avx512 && __builtin_cpu_supports("avx512bf16");
  f.avx512_vbmi = f.avx512 && __builtin_cpu_supports("avx512vbmi");
  f.amx = f.avx512_bf16 && amx_is_permitted();
#elif defined(__aarch64__)
  f.neon = true;
#if defined(__linux__)
  const unsigned long caps = ::getauxval(AT_HWCAP);
  const unsigned long caps2 = ::getauxval(AT_HWCAP2);
  f.dotprod = (caps & (1UL << 20)) != 0;  // HWCAP_ASIMDDP
  f.i8mm = (caps2 & (1UL << 13)) != 0;    // HWCAP2_I8MM
  f.bf16 = (caps2 & (1UL << 14)) != 0;    // HWCAP2_BF16
#endif
#endif
  return f;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name") || line.starts_with("Model")) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown CPU";
}

int available_cpus() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
#ifdef __linux__
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
  std::ifstream quota_file("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;
  if (quota_file >> quota >> period && period > 0) {
    count = std::min(count, static_cast<int>(std::ceil(quota / period)));
  }
#endif
  return std::max(count, 1);
}

}  // namespace plm
