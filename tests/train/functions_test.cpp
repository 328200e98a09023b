// The one-pass functions of each device against compositions of ATen operations in float64: values and
// gradients.
#include "train/core/functions.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "train/tiny_model.h"

namespace plm::train {
namespace {

using test::relative_error;
using Tensors = std::vector<at::Tensor>;
using Function = std::function<Tensors(const Tensors&)>;

// Values and, for given gradients of them, gradients of the inputs.
Tensors run(const Function& f, const Tensors& inputs, const Tensors& output_gradients, at::ScalarType type,
            at::Device device = at::kCPU) {
  Tensors leaves;
  for (const at::Tensor& input : inputs)
    leaves.push_back(input.to(device, type).detach().clone().requires_grad_());
  const Tensors outputs = f(leaves);
  Tensors gradients;
  for (const at::Tensor& gradient : output_gradients) gradients.push_back(gradient.to(device, type));
  torch::autograd::backward({outputs.begin(), outputs.end()}, {gradients.begin(), gradients.end()});
  Tensors all;
  for (const at::Tensor& output : outputs) all.push_back(output.detach());
  for (const at::Tensor& leaf : leaves) all.push_back(leaf.grad());
  return all;
}

void expect_same(const Function& fast, const Function& composed, const Tensors& inputs) {
  Tensors gradients;
  for (const at::Tensor& output : composed(inputs))
    gradients.push_back(at::randn(output.sizes(), at::kDouble));
  for (const auto& [type, bound] : {std::pair(at::kFloat, 2e-6), std::pair(at::kBFloat16, 8e-3)}) {
    // In bf16 the inputs are rounded as well: the same for both.
    Tensors rounded;
    for (const at::Tensor& input : inputs) rounded.push_back(input.to(type).to(at::kDouble));
    Tensors rounded_gradients;
    for (const at::Tensor& gradient : gradients)
      rounded_gradients.push_back(gradient.to(type).to(at::kDouble));
    const Tensors wanted = run(composed, rounded, rounded_gradients, at::kDouble);
    for (const at::Device device : test::devices()) {
      const Tensors found = run(fast, inputs, gradients, type, device);
      ASSERT_EQ(found.size(), wanted.size());
      for (size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].sizes(), wanted[i].sizes()) << i;
        EXPECT_LT(relative_error(found[i], wanted[i]), bound)
            << device << ", " << at::toString(type) << ", tensor " << i;
      }
    }
  }
}

at::Tensor random(at::IntArrayRef shape) { return at::randn(shape, at::kDouble); }

Rotation angles(int64_t T, int64_t half, fused::Pairs pairs) {
  const at::Tensor angle = at::rand({T, half}, at::kFloat) * 6;
  return {.cosine = angle.cos(), .sine = angle.sin(), .pairs = pairs};
}

Rotation on(at::Device device, const Rotation& rotation) {
  return {.cosine = rotation.cosine.to(device), .sine = rotation.sine.to(device), .pairs = rotation.pairs};
}

TEST(TrainFunctions, SquaredReluIsThatOfTheComposition) {
  expect_same([](const Tensors& in) { return Tensors{squared_relu(in[0], 0)}; },
              [](const Tensors& in) { return Tensors{composed::squared_relu(in[0], 0)}; },
              {random({3, 5, 67})});
  expect_same([](const Tensors& in) { return Tensors{squared_relu(in[0], 0)}; },
              [](const Tensors& in) { return Tensors{composed::squared_relu(in[0], 0)}; },
              {random({3, 5, 64})});
}

TEST(TrainFunctions, ThePenaltyPushesLiveNeuronsOnly) {
  expect_same([](const Tensors& in) { return Tensors{squared_relu(in[0], 0.25)}; },
              [](const Tensors& in) { return Tensors{composed::squared_relu(in[0], 0.25)}; },
              {random({4, 33})});
}

TEST(TrainFunctions, SwigluIsThatOfTheComposition) {
  expect_same([](const Tensors& in) { return Tensors{swiglu(in[0], in[1])}; },
              [](const Tensors& in) { return Tensors{composed::swiglu(in[0], in[1])}; },
              {random({2, 3, 65}) * 4, random({2, 3, 65})});
}

TEST(TrainFunctions, SwigluSurvivesLargeGates) {
  const at::Tensor gate = at::tensor({-200.0F, -90.0F, 90.0F, 200.0F});
  const at::Tensor found = swiglu(gate, at::ones({4}));
  EXPECT_TRUE(at::allclose(found, at::tensor({0.0F, 0.0F, 90.0F, 200.0F}), 1e-6, 1e-30));
}

TEST(TrainFunctions, NormsAreThoseOfTheComposition) {
  // A row that GPUs read 16 bytes at a time, one that they cannot, and one too long for their shared memory.
  for (const int64_t width : {48, 45, 13000}) {
    expect_same([](const Tensors& in) { return Tensors{rms_norm(in[0], in[1], 1e-6)}; },
                [](const Tensors& in) { return Tensors{composed::rms_norm(in[0], in[1], 1e-6)}; },
                {random({2, 37, width}), random({width})});
  }
}

TEST(TrainFunctions, ASumAndItsNormGiveBothGradients) {
  // The sum is rounded before the norm sees it, so inputs are such that bf16 holds it exactly.
  const auto coarse = [](at::IntArrayRef shape) { return at::randint(-8, 9, shape, at::kDouble) / 8; };
  expect_same(
      [](const Tensors& in) {
        const AddedNorm out = add_rms_norm(in[0], in[1], in[2], 1e-6);
        return Tensors{out.sum, out.normed};
      },
      [](const Tensors& in) {
        const at::Tensor sum = in[0] + in[1];
        return Tensors{sum, composed::rms_norm(sum, in[2], 1e-6)};
      },
      {coarse({2, 9, 40}), coarse({2, 9, 40}), random({40})});
}

TEST(TrainFunctions, HeadsAreRotatedLikeTheComposition) {
  for (const fused::Pairs pairs : {fused::Pairs::neighbours, fused::Pairs::halves}) {
    for (const auto& [plain, half] : {std::pair<int64_t, int64_t>(0, 10), {12, 10}, {16, 8}}) {
      const Rotation rotation = angles(7, half, pairs);
      // The angles are no input here: in float64 they are the same numbers.
      const Rotation wide{
          .cosine = rotation.cosine.to(at::kDouble), .sine = rotation.sine.to(at::kDouble), .pairs = pairs};
      expect_same(
          [&](const Tensors& in) {
            return Tensors{rotate_heads(in[0], plain, on(in[0].device(), rotation))};
          },
          [&, plain = plain](const Tensors& in) {
            return Tensors{composed::rotate_heads(in[0], plain, wide)};
          },
          {random({2, 7, 3, plain + 2 * half})});
    }
  }
}

TEST(TrainFunctions, ACacheRowIsSplitLikeTheComposition) {
  const Rotation rotation = angles(7, 4, fused::Pairs::neighbours);
  const Rotation wide{.cosine = rotation.cosine.to(at::kDouble), .sine = rotation.sine.to(at::kDouble)};
  const auto both = [](const LatentParts& parts) { return Tensors{parts.latent_BTC, parts.rope_BTR}; };
  expect_same(
      [&](const Tensors& in) { return both(split_latent(in[0], in[1], 1e-6, on(in[0].device(), rotation))); },
      [&](const Tensors& in) { return both(composed::split_latent(in[0], in[1], 1e-6, wide)); },
      {random({3, 7, 32}), random({24})});
}

TEST(TrainFunctions, KeysAndValuesAreJoinedLikeTheComposition) {
  const auto both = [](const KeysValues& all) { return Tensors{all.keys_BHTQ, all.values_BHTV}; };
  struct Widths {
    int64_t N, V, padded;
  };
  for (const auto [N, V, padded] : {Widths{9, 10, 10}, {9, 10, 17}, {16, 8, 8}, {16, 8, 24}}) {
    expect_same([&](const Tensors& in) { return both(join_keys_values(in[0], in[1], V, padded)); },
                [&](const Tensors& in) { return both(composed::join_keys_values(in[0], in[1], V, padded)); },
                {random({2, 6, 3, N + V}), random({2, 6, 8})});
  }
}

TEST(TrainFunctions, LossAndGradientsAreThoseOfFloat64) {
  for (const int64_t W : {301, 3000}) {
    const int64_t n_rows = 23, D = 12;
    at::Tensor labels = at::randint(W, {n_rows}, at::kLong);
    labels[4] = -100;
    const at::Tensor hidden = random({n_rows, D}), head = random({W, D});
    const Tensors expected = run(
        [&](const Tensors& in) {
          return Tensors{at::cross_entropy_loss(at::mm(in[0], in[1].t()), labels, {}, at::Reduction::Sum) *
                         0.125};
        },
        {hidden, head}, {at::ones({}, at::kDouble)}, at::kDouble);
    for (const at::Device device : test::devices()) {
      at::Tensor sum = at::zeros({}, at::TensorOptions().dtype(at::kDouble).device(device));
      const Tensors found = run(
          [&](const Tensors& in) {
            return Tensors{
                linear_cross_entropy(in[0], in[1], labels.to(device), {.scale = 0.125, .chunk = 8}, sum)};
          },
          {hidden, head}, {at::ones({}, at::kFloat)}, at::kFloat, device);
      EXPECT_NEAR(sum.item<double>() * 0.125, expected[0].item<double>(), 1e-4) << device;
      for (size_t i = 0; i < found.size(); ++i)
        EXPECT_LT(relative_error(found[i], expected[i]), 1e-5) << device << ", tensor " << i;
    }
  }
}

TEST(TrainFunctions, ALabelOutsideTheVocabularyIsRefused) {
  at::Tensor sum = at::zeros({}, at::kDouble);
  EXPECT_THROW(linear_cross_entropy(at::ones({1, 4}), at::ones({5, 4}), at::tensor({int64_t{5}}), {}, sum),
               std::exception);
}

TEST(TrainFunctions, ALossThatIsNoNumberStaysOne) {
  at::Tensor sum = at::zeros({}, at::kDouble);
  at::Tensor hidden = at::ones({1, 4});
  hidden[0][1] = std::numeric_limits<float>::quiet_NaN();
  linear_cross_entropy(hidden, at::ones({5, 4}), at::tensor({int64_t{2}}), {}, sum);
  EXPECT_TRUE(std::isnan(sum.item<double>()));
}

}  // namespace
}  // namespace plm::train
