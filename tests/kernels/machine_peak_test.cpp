// The loops that tell what a machine could do must really do what they are paid for.
#include "kernels/machine_peak.h"

#include <gtest/gtest.h>

#include <random>

#include "base/aligned_buffer.h"

namespace plm::kernels::test {
namespace {

class MachinePeakOf : public ::testing::TestWithParam<Isa> {};

TEST_P(MachinePeakOf, EveryRoundIsInTheResult) {
  const MachinePeak peak = machine_peak(GetParam());
  for (const PeakLoop& loop : {peak.int8, peak.bf16, peak.fp32}) {
    if (!loop.exists()) continue;
    SCOPED_TRACE(loop.instruction);
    EXPECT_GT(loop.operations_per_round, 0);
    const uint64_t hundred = loop.run(100);
    EXPECT_GT(hundred, 0U);
    EXPECT_EQ(loop.run(0), 0U);
    EXPECT_EQ(loop.run(300), 3 * hundred);
  }
  EXPECT_TRUE(peak.int8.exists() && peak.fp32.exists());
}

TEST_P(MachinePeakOf, EveryLineOfMemoryIsRead) {
  constexpr int64_t kBytes = 8 * kReadBytes, kLine = 64;
  AlignedBuffer memory = *AlignedBuffer::allocate(kBytes);
  std::mt19937_64 random(1);
  uint64_t expected = 0;
  for (int64_t at = 0; at < kBytes; at += kLine) {
    const uint64_t number = random();
    memory.as<uint64_t>()[at / 8] = number;
    expected ^= number;
  }
  EXPECT_EQ(machine_peak(GetParam()).read(memory.data(), kBytes), expected);
}

INSTANTIATE_TEST_SUITE_P(Isas, MachinePeakOf, ::testing::ValuesIn(available_isas()),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

}  // namespace
}  // namespace plm::kernels::test
