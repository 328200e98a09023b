// PLM_ISA and the choice of kernels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/cpu_features.h"
#include "kernels/kernels.h"

namespace plm::kernels::test {
namespace {

// Sets PLM_ISA for the length of a test.
class ForcedIsa {
 public:
  explicit ForcedIsa(const char* value) {
    if (const char* old = std::getenv("PLM_ISA")) old_ = old;
    value == nullptr ? unsetenv("PLM_ISA") : setenv("PLM_ISA", value, 1);
  }
  ~ForcedIsa() { old_.empty() ? unsetenv("PLM_ISA") : setenv("PLM_ISA", old_.c_str(), 1); }
  ForcedIsa(const ForcedIsa&) = delete;
  ForcedIsa& operator=(const ForcedIsa&) = delete;

 private:
  std::string old_;
};

TEST(SelectKernels, TakesTheFastestWhenNothingIsForced) {
  for (const char* nothing : {static_cast<const char*>(nullptr), ""}) {
    const ForcedIsa forced(nothing);
    const auto kernels = select_kernels();
    ASSERT_TRUE(kernels.ok());
    EXPECT_EQ(kernels->isa, available_isas().back());
  }
}

TEST(SelectKernels, TakesWhatTheEnvironmentNames) {
  for (const Isa isa : available_isas()) {
    const std::string name(isa_name(isa));
    const ForcedIsa forced(name.c_str());
    const auto kernels = select_kernels();
    ASSERT_TRUE(kernels.ok()) << isa_name(isa);
    EXPECT_EQ(kernels->isa, isa);
  }
}

TEST(SelectKernels, OffersWhatTheCpuReports) {
  std::vector<Isa> expected = {Isa::reference};
  const CpuFeatures& cpu = cpu_features();
  if (cpu.avx2) expected.push_back(Isa::avx2);
  if (cpu.avx512_vnni) expected.push_back(Isa::avx512);
  if (cpu.avx512_vnni && cpu.avx512_bf16) expected.push_back(Isa::avx512_bf16);
  if (cpu.avx512_vnni && cpu.amx) expected.push_back(Isa::amx);
  if (cpu.neon) expected.push_back(Isa::neon);
  if (cpu.dotprod) expected.push_back(Isa::neon_dotprod);
  if (cpu.dotprod && cpu.i8mm) expected.push_back(Isa::neon_i8mm);
  EXPECT_EQ(available_isas(), expected);
}

TEST(SelectKernels, GivesEveryInstructionSetItsOwnKernels) {
  const Kernels reference = *select_kernels("reference");
  for (const Isa isa : available_isas()) {
    if (isa == Isa::reference) continue;
    const Kernels kernels = *select_kernels(isa_name(isa));
    EXPECT_NE(kernels.matmul, reference.matmul) << isa_name(isa);
    EXPECT_NE(kernels.sparse_matmul, reference.sparse_matmul) << isa_name(isa);
    EXPECT_NE(kernels.latent_attend, reference.latent_attend) << isa_name(isa);
    EXPECT_NE(kernels.expanded_attend, reference.expanded_attend) << isa_name(isa);
    EXPECT_NE(kernels.group_attend, reference.group_attend) << isa_name(isa);
    EXPECT_NE(kernels.silu_multiply, reference.silu_multiply) << isa_name(isa);
    EXPECT_NE(kernels.quantize_token, reference.quantize_token) << isa_name(isa);
    EXPECT_NE(kernels.rms_norm, reference.rms_norm) << isa_name(isa);
    EXPECT_NE(kernels.relu2, reference.relu2) << isa_name(isa);
    EXPECT_NE(kernels.list_live, reference.list_live) << isa_name(isa);
  }
}

TEST(SelectKernels, RefusesAnUnknownNameAndListsTheKnownOnes) {
  const ForcedIsa forced("sse9");
  const auto kernels = select_kernels();
  ASSERT_FALSE(kernels.ok());
  EXPECT_EQ(kernels.error().kind, ErrorKind::invalid_argument);
  EXPECT_THAT(kernels.error().message, testing::HasSubstr("PLM_ISA: found \"sse9\""));
  EXPECT_THAT(kernels.error().message, testing::HasSubstr("reference, avx2, avx512"));
}

TEST(SelectKernels, RefusesWhatThisMachineCannotRun) {
  const std::vector<Isa> available = available_isas();
  for (const Isa isa :
       {Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx, Isa::neon, Isa::neon_dotprod, Isa::neon_i8mm}) {
    if (std::find(available.begin(), available.end(), isa) != available.end()) continue;
    const auto kernels = select_kernels(isa_name(isa));
    ASSERT_FALSE(kernels.ok()) << isa_name(isa);
    EXPECT_EQ(kernels.error().kind, ErrorKind::unsupported);
    EXPECT_THAT(kernels.error().message, testing::HasSubstr(std::string(isa_name(isa))));
    EXPECT_THAT(kernels.error().message, testing::HasSubstr(cpu_name()));
  }
}

}  // namespace
}  // namespace plm::kernels::test
