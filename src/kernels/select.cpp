#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "base/cpu_features.h"
#include "kernels/kernels.h"

namespace plm::kernels {
namespace {

struct Level {
  Isa isa;
  std::string_view name;
  bool (*supported)();
  void (*use)(Kernels&);
};

// Each level starts from the one above it in its own column and replaces what it does faster.
constexpr Level kLevels[] = {
    {Isa::reference, "reference", [] { return true; }, use_reference},
#if defined(__x86_64__)
    {Isa::avx2, "avx2", [] { return cpu_features().avx2; }, use_avx2},
    {Isa::avx512, "avx512", [] { return cpu_features().avx512_vnni; }, use_avx512},
    {Isa::avx512_bf16, "avx512_bf16", [] { return cpu_features().avx512_vnni && cpu_features().avx512_bf16; },
     use_avx512_bf16},
    {Isa::amx, "amx",
     [] { return cpu_features().avx512_vnni && cpu_features().avx512_bf16 && cpu_features().amx; }, use_amx},
#elif defined(__aarch64__)
    {Isa::neon, "neon", [] { return cpu_features().neon; }, use_neon},
    {Isa::neon_dotprod, "neon_dotprod", [] { return cpu_features().dotprod; }, use_neon_dotprod},
    {Isa::neon_i8mm, "neon_i8mm", [] { return cpu_features().dotprod && cpu_features().i8mm; },
     use_neon_i8mm},
#endif
};

constexpr std::array kAllNames = {"reference", "avx2", "avx512",       "avx512_bf16",
                                  "amx",       "neon", "neon_dotprod", "neon_i8mm"};

Kernels up_to(Isa isa) {
  Kernels kernels;
  for (const Level& level : kLevels) {
    level.use(kernels);
    kernels.isa = level.isa;
    if (level.isa == isa) break;
  }
  return kernels;
}

}  // namespace

std::string_view isa_name(Isa isa) { return kAllNames[static_cast<size_t>(isa)]; }

std::vector<Isa> available_isas() {
  std::vector<Isa> result;
  for (const Level& level : kLevels) {
    if (!level.supported()) break;
    result.push_back(level.isa);
  }
  return result;
}

Result<Kernels> select_kernels(std::string_view isa) {
  for (const Level& level : kLevels) {
    if (level.name != isa) continue;
    const std::vector<Isa> available = available_isas();
    if (std::find(available.begin(), available.end(), level.isa) == available.end()) {
      return make_error(ErrorKind::unsupported, "PLM_ISA: this CPU ({}) cannot run {}", cpu_name(), isa);
    }
    return up_to(level.isa);
  }
  const bool known = std::find(kAllNames.begin(), kAllNames.end(), isa) != kAllNames.end();
  if (known) {
    return make_error(ErrorKind::unsupported, "PLM_ISA: {} is not an instruction set of this machine ({})",
                      isa, cpu_name());
  }
  std::string names;
  for (const char* name : kAllNames) names += names.empty() ? name : fmt::format(", {}", name);
  return make_error(ErrorKind::invalid_argument, "PLM_ISA: found \"{}\", expected one of {}", isa, names);
}

Result<Kernels> select_kernels() {
  if (const char* forced = std::getenv("PLM_ISA"); forced != nullptr && *forced != '\0') {
    return select_kernels(std::string_view(forced));
  }
  return up_to(available_isas().back());
}

void merge_attention(int64_t n, int64_t n_heads, int64_t latent_width, const float* out_nHC,
                     const float* max_nH, const float* sum_nH, int64_t head_begin, int64_t head_end,
                     float* out_HC) {
  const int64_t C = latent_width;
  for (int64_t h = head_begin; h < head_end; ++h) {
    float largest = -std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, max_nH[i * n_heads + h]);
    float sum = 0;
    for (int64_t i = 0; i < n; ++i)
      sum += sum_nH[i * n_heads + h] * std::exp(max_nH[i * n_heads + h] - largest);
    float* out = out_HC + h * C;
    std::fill(out, out + C, 0.0f);
    for (int64_t i = 0; i < n; ++i) {
      const float weight = std::exp(max_nH[i * n_heads + h] - largest) / sum;
      const float* part = out_nHC + (i * n_heads + h) * C;
      for (int64_t c = 0; c < C; ++c) out[c] += weight * part[c];
    }
  }
}

int64_t latent_attend_scratch_bytes(int64_t n_heads, int64_t latent_width, int64_t rope_width,
                                    int64_t n_rows) {
  // Queries, the rows as floats (or a slab of them turned, 24 KiB), scores and weights; rounded up for all
  // versions.
  const int64_t heads = (n_heads + 15) / 16 * 16;
  const int64_t width = (latent_width + rope_width + 31) / 32 * 32;
  const int64_t rows = std::max<int64_t>(64, (n_rows + 31) / 32 * 32);
  return heads * width * 4 + std::max<int64_t>(rows * width * 4, 24 << 10) + rows * heads * 8 + 4096;
}

int64_t expanded_attend_scratch_bytes(int64_t key_width, int64_t value_width) {
  const int64_t key = (key_width + 31) / 32 * 32;
  const int64_t value = (value_width + 31) / 32 * 32;
  return (kExpandedTokens * key + kExpandedRows * (key + value) + 2 * kExpandedTokens * kExpandedRows) * 4 +
         4096;
}

}  // namespace plm::kernels
