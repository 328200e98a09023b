#include "train/setup/settings.h"

#include <gtest/gtest.h>

namespace plm::train {
namespace {

const char* const kExample = R"(
stage: pt
model_name_or_path: my-plm/
train_files: [stories.txt, more.jsonl]    # or dataset: NAME with dataset_info.json
cutoff_len: 256
per_device_train_batch_size: 8
gradient_accumulation_steps: 1
max_steps: 200
learning_rate: 3.0e-3
lr_scheduler_type: warmup_stable_decay_constant
lr_scheduler_kwargs: {num_warmup_steps: 20, num_stable_steps: 100, num_decay_steps: 60, min_lr_ratio: 0.1}
bf16: true
seed: 1
save_steps: 50
output_dir: out/
resume_from_checkpoint: auto
export: [hf, gguf]          # out/model/ and out/model.gguf
)";

Settings parse(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  auto settings = parse_settings(yaml, "test.yaml", overrides);
  EXPECT_TRUE(settings.ok()) << settings.error().message;
  return settings.ok() ? *settings : Settings();
}

std::string error_of(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  auto settings = parse_settings(yaml, "test.yaml", overrides);
  EXPECT_FALSE(settings.ok());
  return settings.ok() ? "" : settings.error().message;
}

TEST(Settings, TheExampleIsRead) {
  const Settings s = parse(kExample);
  EXPECT_EQ(s.train_files, (std::vector<std::string>{"stories.txt", "more.jsonl"}));
  EXPECT_EQ(s.cutoff_len, 256);
  EXPECT_DOUBLE_EQ(s.learning_rate, 3e-3);
  EXPECT_TRUE(s.bf16);
  EXPECT_EQ(s.resume_from_checkpoint, "auto");
  EXPECT_EQ(s.export_formats, (std::vector<std::string>{"hf", "gguf"}));
  const auto options = schedule_options(s, 200, 2048);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->warmup, 20);
  EXPECT_EQ(options->stable, 100);
  EXPECT_DOUBLE_EQ(options->floor_ratio, 0.1);
}

TEST(Settings, WhatIsWrittenIsReadBackTheSame) {
  const Settings s = parse(kExample, {"data_phases=[{start_step: 0, weights: {a.txt: 1}}]"});
  const std::string yaml = to_yaml(s);
  EXPECT_EQ(to_yaml(parse(yaml)), yaml);
}

TEST(Settings, OverridesComeLast) {
  const Settings s =
      parse(kExample, {"max_steps=7", "lr_scheduler_kwargs.min_lr_ratio=0.5", "train_files=x.txt"});
  EXPECT_EQ(s.max_steps, 7);
  EXPECT_EQ(s.lr_scheduler_kwargs.at("min_lr_ratio"), "0.5");
  EXPECT_EQ(s.train_files, std::vector<std::string>{"x.txt"});
}

TEST(Settings, UnknownKeysAreRefusedByNameWithTheNearestOne) {
  EXPECT_EQ(error_of(std::string(kExample) + "learning_rat: 1\n"),
            "test.yaml: learning_rat: no such key; did you mean learning_rate?");
  EXPECT_NE(error_of(kExample, {"lr_scheduler_kwargs.foo=1", "max_steps=x"}).find("max_steps: found x"),
            std::string::npos);
  const auto options = schedule_options(parse(kExample, {"lr_scheduler_kwargs.foo=1"}), 200, 1);
  ASSERT_FALSE(options.ok());
  EXPECT_EQ(options.error().message, "lr_scheduler_kwargs.foo: no such key");
}

TEST(Settings, WhatCannotBeHonouredIsRefused) {
  EXPECT_NE(error_of(kExample, {"fp16=true"}).find("bf16"), std::string::npos);
  EXPECT_NE(error_of(kExample, {"stage=dpo"}).find("stage: found dpo, expected one of pt"),
            std::string::npos);
  EXPECT_NE(error_of(kExample, {"val_size=100"}).find("val_size"), std::string::npos);
  EXPECT_NE(error_of("stage: [").find("test.yaml: line"), std::string::npos);
  EXPECT_NE(error_of("- a\n- b\n").find("key: value"), std::string::npos);
  EXPECT_TRUE(parse(kExample, {"fp16=false", "deepspeed=null"}).notes.empty());
  EXPECT_EQ(parse(kExample, {"trust_remote_code=true"}).notes.size(), 1U);
}

TEST(Settings, TokensBecomeStepsRoundedUp) {
  const auto options = schedule_options(
      parse(kExample,
            {"lr_scheduler_kwargs={num_warmup_tokens: 4097, num_stable_tokens: 0, num_decay_tokens: 2048}"}),
      200, 2048);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->warmup, 3);
  EXPECT_EQ(options->stable, 0);
  EXPECT_EQ(options->decay, 1);
}

TEST(Settings, PhasesNeedOneStartAndWeights) {
  EXPECT_EQ(parse(kExample, {"data_phases=[{start_phase: decay, weights: {a: 1, b: 0.5}}]"})
                .data_phases[0]
                .weights.size(),
            2U);
  EXPECT_NE(error_of(kExample, {"data_phases=[{start_step: 0, start_tokens: 1, weights: {a: 1}}]"})
                .find("exactly one"),
            std::string::npos);
  EXPECT_NE(error_of(kExample, {"data_phases=[{start_step: 0}]"}).find("weights"), std::string::npos);
}

TEST(Settings, EveryKeyIsDescribed) {
  EXPECT_NE(describe_keys().find("learning_rate"), std::string::npos);
  EXPECT_NE(describe_keys().find("sparsity_penalty"), std::string::npos);
}

}  // namespace
}  // namespace plm::train
