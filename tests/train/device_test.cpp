#include "train/core/device.h"

#include <gtest/gtest.h>

#include "train/tiny_model.h"

namespace plm::train {
namespace {

bool have_gpu() { return test::devices().size() > 1; }

TEST(TrainDevice, TheCpuIsTakenWhenItIsAskedFor) { EXPECT_TRUE(choose_device("cpu", {})->is_cpu()); }

TEST(TrainDevice, AutoTakesAGpuForOneWorkerOnly) {
  EXPECT_EQ(choose_device("auto", {})->is_cuda(), have_gpu());
  EXPECT_TRUE(choose_device("auto", {.rank = 0, .count = 2})->is_cpu());
}

TEST(TrainDevice, AGpuThatIsNotThereIsAnErrorThatSaysSo) {
  if (have_gpu()) GTEST_SKIP() << "there is one";
  const auto found = choose_device("cuda", {});
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().message.find("device: found cuda, expected cpu or auto: torch sees no GPU"),
            std::string::npos)
      << found.error().message;
}

TEST(TrainDevice, ALocalRankBeyondTheGpusIsAnError) {
  if (!have_gpu()) GTEST_SKIP() << "torch sees no GPU here";
  EXPECT_FALSE(choose_device("cuda", {.rank = 0, .count = 1, .local_rank = 99}).ok());
}

TEST(TrainDevice, AttentionIsOneOfTorchsFastOnes) {
  for (const at::Device device : test::devices())
    EXPECT_NE(attention_backend(test::small_config(), device, at::kBFloat16, 16), "math") << device;
}

}  // namespace
}  // namespace plm::train
