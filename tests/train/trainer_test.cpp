// The loop and its checkpoints: stopping and going on changes no bit, damage is noticed, spoilt steps are
// left out.
#include "train/core/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "train/data/packed_rows.h"
#include "train/data/token_stream.h"
#include "train/tiny_model.h"

namespace plm::train {
namespace {

namespace fs = std::filesystem;
using namespace test;

std::shared_ptr<const BatchSource> some_rows(uint64_t seed = 1) {
  std::vector<int32_t> tokens;
  for (int i = 0; i < 4000; ++i) tokens.push_back(static_cast<int32_t>((i * i / 7 + i) % 90));
  auto rows =
      PackedRows::create({{"a", std::make_shared<MemoryTokens>(tokens, std::vector<int64_t>{0, 1000, 2500})}},
                         {.row_tokens = 16, .seed = seed});
  EXPECT_TRUE(rows.ok());
  return *std::move(rows);
}

class TrainerTest : public testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    root_ = testing::TempDir() + "plm_trainer_" + std::to_string(::getpid()) +
            testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    settings_.output_dir = root_ + "/out";
    settings_.model_name_or_path = root_;
    settings_.per_device_train_batch_size = 2;
    settings_.logging_steps = 3;
    settings_.save_steps = 4;
    settings_.weight_decay = 0.1;
    settings_.bf16 = true;
    config_ = small_config();
    config_.json = "{}";
    fs::create_directories(settings_.output_dir);
  }
  void TearDown() override { fs::remove_all(root_); }

  Schedule schedule(double rate = 3e-3, int64_t n_steps = 12) const {
    return *Schedule::create({.type = ScheduleType::warmup_stable_decay_constant,
                              .peak = rate,
                              .n_steps = n_steps,
                              .warmup = 2,
                              .stable = 4,
                              .decay = 4,
                              .floor_ratio = 0.1});
  }
  std::unique_ptr<Trainer> make(const Schedule& with, int64_t stop_after = 1000) {
    calls_ = 0;
    auto trainer = Trainer::create({.settings = settings_,
                                    .config = config_,
                                    .schedule = with,
                                    .workers = alone_,
                                    .train_rows = some_rows(),
                                    .eval_rows = {},
                                    .report = &*report_,
                                    .sample = {},
                                    .should_stop = [this, stop_after] { return ++calls_ >= stop_after; }});
    EXPECT_TRUE(trainer.ok()) << trainer.error().message;
    return *std::move(trainer);
  }
  void open_report(int64_t resume_step) {
    auto report = Report::open({.folder = settings_.output_dir,
                                .tensorboard = false,
                                .resume_step = resume_step,
                                .say = [this](const std::string& line) { said_ += line + "\n"; }});
    ASSERT_TRUE(report.ok());
    report_.emplace(*std::move(report));
  }
  std::string losses() const {
    std::ifstream file(settings_.output_dir + "/trainer_log.jsonl");
    std::string text;
    for (std::string line; std::getline(file, line);) {
      const size_t begin = line.find("\"loss\"");
      if (begin != std::string::npos) text += line.substr(begin, line.find(",\"epoch\"") - begin) + "\n";
    }
    return text;
  }

  std::string root_, said_;
  Settings settings_;
  ModelConfig config_;
  Workers alone_;
  std::optional<Report> report_;
  int64_t calls_ = 0;
};

TEST_F(TrainerTest, StoppingAndGoingOnChangesNoBit) {
  open_report(0);
  auto straight = make(schedule());
  ASSERT_TRUE(straight->begin().ok());
  ASSERT_TRUE(straight->run().ok());
  const std::string expected = losses();
  EXPECT_FALSE(expected.empty());
  for (const int64_t stop : {1, 4, 5, 6, 11}) {
    fs::remove_all(settings_.output_dir);
    fs::create_directories(settings_.output_dir);
    open_report(0);
    auto first = make(schedule(), stop);
    ASSERT_TRUE(first->begin().ok());
    const auto stopped = first->run();
    ASSERT_TRUE(stopped.ok());
    EXPECT_EQ(stopped->step, stop);
    EXPECT_FALSE(stopped->finished);
    const auto found = find_checkpoints(settings_.output_dir, [](const std::string&) {});
    ASSERT_FALSE(found.empty());
    open_report(stop);
    auto second = make(schedule());
    ASSERT_TRUE(second->resume(found.front()).ok());
    const auto result = second->run();
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(result->finished);
    EXPECT_TRUE(at::equal(second->model().masters(), straight->model().masters()))
        << "stopped after " << stop;
    EXPECT_EQ(losses(), expected);
  }
}

TEST_F(TrainerTest, LossFallsOnAText) {
  open_report(0);
  auto trainer = make(schedule(1e-2, 60));
  ASSERT_TRUE(trainer->begin().ok());
  ASSERT_TRUE(trainer->run().ok());
  EXPECT_LT(trainer->state().running_loss, 4.4);  // log(96) = 4.56
}

TEST_F(TrainerTest, MicroBatchesGiveTheStepOfOneLargeBatch) {
  settings_.bf16 = false;
  settings_.per_device_train_batch_size = 4;
  open_report(0);
  auto large = make(schedule());
  ASSERT_TRUE(large->begin().ok());
  ASSERT_TRUE(large->run().ok());
  const std::string other = root_ + "/other";
  fs::create_directories(other);
  settings_.output_dir = other;
  settings_.per_device_train_batch_size = 1;
  settings_.gradient_accumulation_steps = 4;
  open_report(0);
  auto small = make(schedule());
  ASSERT_TRUE(small->begin().ok());
  ASSERT_TRUE(small->run().ok());
  EXPECT_LT(relative_error(small->model().masters(), large->model().masters()), 1e-4);
  EXPECT_EQ(small->state().next_row, large->state().next_row);
}

TEST_F(TrainerTest, ADamagedCheckpointIsPassedOverForTheOneBefore) {
  open_report(0);
  auto trainer = make(schedule());
  ASSERT_TRUE(trainer->begin().ok());
  ASSERT_TRUE(trainer->run().ok());
  const std::string newest = settings_.output_dir + "/checkpoint-12";
  {
    std::fstream file(newest + "/model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(5000);
    file.put('\x55');
  }
  std::string said;
  auto found = find_checkpoints(settings_.output_dir, [&](const std::string& line) { said += line; });
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].ends_with("checkpoint-8"));
  EXPECT_NE(said.find("the file was damaged"), std::string::npos);
  fs::remove(found[0] + "/complete.json");
  EXPECT_TRUE(find_checkpoints(settings_.output_dir, [](const std::string&) {}).empty());
}

TEST_F(TrainerTest, OldCheckpointsGoAndTwoStay) {
  settings_.save_steps = 2;
  settings_.save_total_limit = 1;
  open_report(0);
  auto trainer = make(schedule());
  ASSERT_TRUE(trainer->begin().ok());
  ASSERT_TRUE(trainer->run().ok());
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(settings_.output_dir)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"checkpoint-10", "checkpoint-12"}));
}

TEST_F(TrainerTest, OtherDataAreRefusedOnResuming) {
  open_report(0);
  auto trainer = make(schedule(), 4);
  ASSERT_TRUE(trainer->begin().ok());
  ASSERT_TRUE(trainer->run().ok());
  auto other = Trainer::create({.settings = settings_,
                                .config = config_,
                                .schedule = schedule(),
                                .workers = alone_,
                                .train_rows = some_rows(2),
                                .eval_rows = {},
                                .report = &*report_,
                                .sample = {},
                                .should_stop = {}});
  ASSERT_TRUE(other.ok());
  const Status status = (*other)->resume(settings_.output_dir + "/checkpoint-4");
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("other data"), std::string::npos);
}

TEST_F(TrainerTest, SpoiltWeightsGoBackAndThenEndWithAClearLine) {
  settings_.bf16 = false;
  open_report(0);
  auto trainer = make(schedule(3e-3, 100));
  ASSERT_TRUE(trainer->begin().ok());
  // The first checkpoint that comes is good; then nothing that is computed is a number any more.
  trainer->model().masters().fill_(std::numeric_limits<float>::quiet_NaN());
  trainer->model().refresh();
  const auto result = trainer->run();
  ASSERT_FALSE(result.ok());
  EXPECT_NE(said_.find("left out an update"), std::string::npos);
  EXPECT_NE(result.error().message.find("ten updates in a row"), std::string::npos);
}

}  // namespace
}  // namespace plm::train
