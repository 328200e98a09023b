// What is chosen on a CPU that somebody else knows: an emulator is told which one to be, and
// PLM_EXPECTED_ISA says what that one can do (tools/test_arm.sh).
#include <gtest/gtest.h>

#include <cstdlib>

#include "kernels/kernels.h"

namespace plm::kernels::test {
namespace {

TEST(ExpectedIsa, IsTheOneChosen) {
  const char* expected = std::getenv("PLM_EXPECTED_ISA");
  if (expected == nullptr) GTEST_SKIP() << "PLM_EXPECTED_ISA does not say what to expect";
  const auto kernels = select_kernels();
  ASSERT_TRUE(kernels.ok()) << kernels.error().message;
  EXPECT_EQ(isa_name(kernels->isa), expected);
}

}  // namespace
}  // namespace plm::kernels::test
