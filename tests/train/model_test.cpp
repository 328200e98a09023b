// The model against the golden numbers of an independent float64 reference: logits, gradients, optimiser
// steps.
#include "train/core/model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

#include "train/core/adamw.h"
#include "train/tiny_model.h"

namespace plm::train {
namespace {

using namespace test;

class Oracle : public testing::TestWithParam<at::Device> {
 protected:
  void SetUp() override {
    if (!have_oracles()) GTEST_SKIP() << "reference data ../shared/oracles is not there";
    auto config = read_model_config(oracle_folder());
    ASSERT_TRUE(config.ok()) << config.error().message;
    config_ = *config;
    train_ = plm::test::read_npz(oracle_folder() + "/train.npz");
    batches_ = to_tensor(train_.at("batches"));
  }

  std::unique_ptr<Model> load(at::ScalarType compute = at::kFloat) {
    auto model = std::make_unique<Model>(config_, make_layout(config_, 1),
                                         ModelOptions{.device = GetParam(), .compute = compute});
    model->masters().copy_(read_weights(oracle_folder() + "/model.safetensors", model->layout()));
    model->refresh();
    return model;
  }
  ModelInput batch(int64_t i) const { return next_token_input(batches_.select(0, i).to(GetParam())); }
  static double labels(const ModelInput& input) { return static_cast<double>(input.labels_BT.numel()); }

  // Relative L2 error of the worst gradient tensor.
  double worst_gradient(Model& model) const {
    const at::Tensor golden = read_weights(oracle_folder() + "/grads_batch0.safetensors", model.layout());
    double worst = 0;
    for (const Parameter& parameter : model.layout().parameters) {
      worst = std::max(
          worst, relative_error(Model::view(model.gradients(), parameter), Model::view(golden, parameter)));
    }
    return worst;
  }

  ModelConfig config_;
  std::map<std::string, plm::test::NpyArray> train_;
  at::Tensor batches_;
};

TEST_P(Oracle, LogitsAreThoseOfTheReference) {
  const auto model = load();
  auto golden = plm::test::read_npz(oracle_folder() + "/logits.npz");
  for (const int n : {1, 7, 64, 300}) {
    const at::Tensor ids = to_tensor(golden.at("ids_" + std::to_string(n))).unsqueeze(0).to(GetParam());
    const auto& expected = golden.at("logits_" + std::to_string(n));
    const at::Tensor wanted = at::tensor(expected.as<float>()).view(expected.shape);
    EXPECT_LT((model->logits(ids).squeeze(0).to(at::kCPU) - wanted).abs().max().item<double>(), 5e-5)
        << n << " tokens";
  }
}

TEST_P(Oracle, GradientsAreThoseOfTheReference) {
  const auto model = load();
  const ModelInput input = batch(0);
  const double sum = model->forward_backward(input, {.loss_scale = 1 / labels(input)});
  EXPECT_NEAR(sum / labels(input), train_.at("A_loss_before").as<double>()[0], 1e-5);
  const double worst = worst_gradient(*model);
  EXPECT_LT(worst, 1e-4);
  RecordProperty("worst_relative_error", std::to_string(worst));
}

TEST_P(Oracle, CheckpointingChangesNoGradient) {
  const auto model = load();
  const ModelInput input = batch(0);
  model->forward_backward(input, {.loss_scale = 1 / labels(input)});
  const at::Tensor plain = model->gradients().clone();
  model->gradients().zero_();
  model->forward_backward(input, {.loss_scale = 1 / labels(input), .checkpoint = true});
  EXPECT_TRUE(at::equal(model->gradients(), plain));
}

TEST_P(Oracle, Bf16GradientsAreCloseToTheReference) {
  const auto model = load(at::kBFloat16);
  const ModelInput input = batch(0);
  const double sum = model->forward_backward(input, {.loss_scale = 1 / labels(input)});
  // bf16 keeps 8 bits: a few hundredths after three layers.
  EXPECT_NEAR(sum / labels(input), train_.at("A_loss_before").as<double>()[0], 0.05);
  EXPECT_LT(worst_gradient(*model), 0.1);
}

TEST_P(Oracle, MicroBatchesAddUpToTheBatch) {
  const auto model = load();
  const ModelInput whole = batch(0);
  for (int64_t half = 0; half < 2; ++half) {
    const ModelInput part{.ids_BT = whole.ids_BT.narrow(0, 2 * half, 2),
                          .labels_BT = whole.labels_BT.narrow(0, 2 * half, 2),
                          .documents_BT = {}};
    model->forward_backward(part, {.loss_scale = 1 / labels(whole)});
  }
  EXPECT_LT(worst_gradient(*model), 1e-4);
}

TEST_P(Oracle, AdamWRunAGivesItsLossesAndWeights) {
  const auto model = load();
  AdamW optimizer(model->layout(), {.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .weight_decay = 0.1},
                  {{0, model->layout().count}}, GetParam());
  for (int64_t step = 0; step < 5; ++step) {
    const ModelInput input = batch(step);
    model->gradients().zero_();
    const double sum = model->forward_backward(input, {.loss_scale = 1 / labels(input)});
    EXPECT_NEAR(sum / labels(input), train_.at("A_loss_before").as<double>()[static_cast<size_t>(step)],
                1e-4);
    optimizer.step(model->masters(), model->gradients(), 1e-3, 1);
    model->refresh();
    EXPECT_NEAR(model->loss_sum(input) / labels(input),
                train_.at("A_loss_after").as<double>()[static_cast<size_t>(step)], 1e-4);
  }
  const at::Tensor golden = read_weights(oracle_folder() + "/weights_after5_A.safetensors", model->layout());
  EXPECT_LT(relative_error(model->masters(), golden), 1e-4);
}

TEST_P(Oracle, AdamWRunBClipsAndWarmsUpToItsLosses) {
  const auto model = load();
  AdamW optimizer(model->layout(), {.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .weight_decay = 0.1},
                  {{0, model->layout().count}}, GetParam());
  for (int64_t step = 0; step < 5; ++step) {
    const ModelInput input = batch(step);
    model->gradients().zero_();
    model->forward_backward(input, {.loss_scale = 1 / labels(input)});
    const double norm = model->gradients().norm().item<double>();
    EXPECT_NEAR(norm / train_.at("B_grad_norm").as<double>()[static_cast<size_t>(step)], 1, 1e-4);
    const double rate = 1e-3 * std::min(static_cast<double>(step + 1) / 4, 1.0);
    optimizer.step(model->masters(), model->gradients(), rate, std::min(1.0, 1.0 / norm));
    model->refresh();
    EXPECT_NEAR(model->loss_sum(input) / labels(input),
                train_.at("B_loss_after").as<double>()[static_cast<size_t>(step)], 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Oracle, testing::ValuesIn(devices()), [](const auto& named) {
  return std::string(named.param.is_cuda() ? "Gpu" : "Cpu");
});

TEST(TrainModel, DocumentsInOneRowDoNotSeeEachOther) {
  const ModelConfig config = small_config();
  Model model(config, make_layout(config, 1), {});
  model.draw_weights(1);
  const at::Tensor first = at::randint(config.vocabulary, {1, 9}, at::kLong);
  const at::Tensor second = at::randint(config.vocabulary, {1, 7}, at::kLong);
  const auto loss = [&](const at::Tensor& ids, const at::Tensor& documents) {
    return model.loss_sum({.ids_BT = ids, .labels_BT = ids.roll(-1, 1), .documents_BT = documents});
  };
  const at::Tensor both = at::cat({first, second}, 1);
  const at::Tensor documents = at::cat({at::zeros_like(first), at::ones_like(second)}, 1);
  // Labels of a row wrap around, so each document is scored with the labels it has in the packed row.
  const at::Tensor labels = both.roll(-1, 1);
  const double packed = model.loss_sum({.ids_BT = both, .labels_BT = labels, .documents_BT = documents});
  const double apart =
      model.loss_sum({.ids_BT = first, .labels_BT = labels.narrow(1, 0, 9), .documents_BT = {}}) +
      model.loss_sum({.ids_BT = second, .labels_BT = labels.narrow(1, 9, 7), .documents_BT = {}});
  EXPECT_NEAR(packed, apart, 1e-3);
  EXPECT_GT(std::abs(loss(both, {}) - packed), 1e-4);
}

TEST(TrainModel, IgnoredLabelsAddNothing) {
  const ModelConfig config = small_config();
  Model model(config, make_layout(config, 1), {});
  model.draw_weights(1);
  const at::Tensor ids = at::randint(config.vocabulary, {2, 8}, at::kLong);
  at::Tensor labels = ids.roll(-1, 1).clone();
  labels.narrow(1, 4, 4).fill_(-100);
  const ModelInput half{.ids_BT = ids, .labels_BT = labels, .documents_BT = {}};
  const ModelInput prefix{
      .ids_BT = ids.narrow(1, 0, 4), .labels_BT = labels.narrow(1, 0, 4), .documents_BT = {}};
  EXPECT_NEAR(model.forward_backward(half, {}), model.loss_sum(prefix), 1e-3);
  labels.fill_(-100);
  model.gradients().zero_();
  EXPECT_EQ(model.forward_backward(half, {}), 0);
  EXPECT_EQ(model.gradients().abs().max().item<double>(), 0);
}

TEST(TrainModel, DrawnWeightsDependOnSeedAndNameOnly) {
  const ModelConfig config = small_config();
  Model one(config, make_layout(config, 1), {});
  Model other(config, make_layout(config, 4), {});
  one.draw_weights(7);
  other.draw_weights(7);
  for (const Parameter& parameter : one.layout().parameters) {
    EXPECT_TRUE(at::equal(Model::view(one.masters(), parameter),
                          Model::view(other.masters(), other.layout().find(parameter.name))));
  }
  const at::Tensor before = one.masters().clone();
  one.draw_weights(8);
  EXPECT_FALSE(at::equal(before, one.masters()));
  const at::Tensor embedding = Model::view(one.masters(), one.layout().find("model.embed_tokens.weight"));
  EXPECT_NEAR(embedding.std().item<double>(), config.initializer_range, 0.1 * config.initializer_range);
}

TEST(TrainModel, EveryBucketIsReportedOnce) {
  const ModelConfig config = small_config();
  Model model(config, make_layout(config, 2), {});
  model.draw_weights(1);
  const at::Tensor ids = at::randint(config.vocabulary, {2, 8}, at::kLong);
  for (const bool checkpoint : {false, true}) {
    std::vector<int> reported;
    PassOptions options;
    options.checkpoint = checkpoint;
    options.bucket_ready = [&](int bucket) { reported.push_back(bucket); };
    model.forward_backward({.ids_BT = ids, .labels_BT = ids, .documents_BT = {}}, options);
    std::sort(reported.begin(), reported.end());
    EXPECT_EQ(reported, (std::vector<int>{0, 1, 2, 3}));
  }
}

TEST(TrainModel, ZeroRatesAreShares) {
  const ModelConfig config = small_config();
  Model model(config, make_layout(config, 1), {});
  model.draw_weights(1);
  const at::Tensor ids = at::randint(config.vocabulary, {2, 8}, at::kLong);
  PassOptions options;
  options.count_zeros = true;
  model.forward_backward({.ids_BT = ids, .labels_BT = ids, .documents_BT = {}}, options);
  const auto rates = model.take_zero_rates();
  ASSERT_EQ(rates.size(), 2U);
  for (const double rate : rates) EXPECT_NEAR(rate, 0.5, 0.15);  // drawn weights are symmetric
  EXPECT_EQ(model.take_zero_rates()[0], 0);
}

TEST(TrainModel, ThePenaltyIsTheGradientOfTheSumOfLiveNeurons) {
  const at::Tensor u = at::randn({4, 6}).requires_grad_();
  ModelConfig config = small_config();
  Model model(config, make_layout(config, 1), {});
  model.draw_weights(3);
  const at::Tensor ids = at::randint(config.vocabulary, {2, 8}, at::kLong);
  at::Tensor ignored = at::full_like(ids, -100);
  // Without labels only the penalty has a gradient, and it reaches every layer's up projection.
  model.forward_backward({.ids_BT = ids, .labels_BT = ignored, .documents_BT = {}},
                         {.sparsity_penalty = 1e-3});
  const Parameter& up = model.layout().find("model.layers.0.mlp.up_proj.weight");
  EXPECT_GT(Model::view(model.gradients(), up).norm().item<double>(), 0);
}

}  // namespace
}  // namespace plm::train
