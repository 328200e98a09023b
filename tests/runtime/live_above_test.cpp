// Thresholds of the squared ReLU: what is dropped, and that every kernel drops the same.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "runtime/engine.h"

namespace plm::runtime {
namespace {

constexpr int64_t kContext = 64;
const std::string kText =
    "Once upon a time there was a little girl who lived near the river, and every day she went to the water "
    "to "
    "see the fish. One day the fish said to her, \"Why do you come?\" The girl laughed.";

// One thread unless asked: on a busy machine two wait for each other at every layer of every token.
std::unique_ptr<Engine> bundled_model(const std::string& isa = "", int n_threads = 1) {
  auto engine = Engine::load({.model_path = PLM_SOURCE_DIR "/models/story-7m-f16.gguf",
                              .n_threads = n_threads,
                              .context_length = kContext,
                              .batch_size = kContext,
                              .cache_type = TensorType::f32,
                              .isa = isa});
  EXPECT_TRUE(engine.ok()) << engine.error().message;
  return std::move(*engine);
}

struct Outcome {
  std::vector<float> logits;       // of the last token
  std::vector<int64_t> live;       // of each layer
  std::vector<float> first_layer;  // its squared ReLUs, when traced
};

// part: tokens of a step.
Outcome run(Engine& engine, std::vector<float> thresholds, int64_t part, bool traced = false) {
  const std::vector<TokenId> ids = engine.tokenizer().encode(kText);
  EXPECT_GT(std::ssize(ids), 30);
  EXPECT_LE(std::ssize(ids), kContext);
  auto session = *engine.new_session();
  session.set_live_above(std::move(thresholds));
  Outcome outcome;
  const model::Trace trace = [&](std::string_view name, int64_t layer, const float* data, int64_t rows,
                                 int64_t columns, int64_t stride) {
    if (name != "ffn_act" || layer != 0) return;
    for (int64_t row = 0; row < rows; ++row)
      outcome.first_layer.insert(outcome.first_layer.end(), data + row * stride,
                                 data + row * stride + columns);
  };
  if (traced) session.set_trace(&trace);
  engine.model().clear_sparsity();
  for (size_t begin = 0; begin < ids.size(); begin += static_cast<size_t>(part)) {
    const size_t n = std::min(static_cast<size_t>(part), ids.size() - begin);
    EXPECT_TRUE(session.decode(std::span(ids).subspan(begin, n)).ok());
  }
  outcome.logits.assign(session.logits().begin(), session.logits().end());
  outcome.live = engine.model().sparsity().live_of_layer;
  return outcome;
}

std::vector<float> all_layers(const Engine& engine, float threshold) {
  return std::vector<float>(static_cast<size_t>(engine.config().n_layers), threshold);
}

double rms_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

TEST(LiveAbove, ZeroDropsNothing) {
  for (const int64_t part : {int64_t{1}, kContext}) {
    // An engine for each: one that has run keeps copies of dense layers, which rounds differently.
    const auto first = bundled_model(), second = bundled_model();
    const Outcome without = run(*first, {}, part), with = run(*second, all_layers(*second, 0), part);
    EXPECT_EQ(without.live, with.live);
    EXPECT_EQ(without.logits, with.logits) << "bit for bit";
  }
}

TEST(LiveAbove, DropsWhatIsNotAboveItAndNothingElse) {
  const auto engine = bundled_model();
  constexpr float kThreshold = 0.02f;
  for (const int64_t part : {int64_t{1}, kContext}) {
    const Outcome all = run(*engine, {}, part, /*traced=*/true);
    const Outcome few = run(*engine, all_layers(*engine, kThreshold), part, /*traced=*/true);
    ASSERT_EQ(all.first_layer.size(), few.first_layer.size());
    // Before the first feed-forward nothing has been dropped, so what comes out of it differs by that alone.
    int64_t dropped = 0;
    for (size_t i = 0; i < all.first_layer.size(); ++i) {
      const float value = all.first_layer[i];
      ASSERT_EQ(few.first_layer[i], value > kThreshold ? value : 0.0f) << i;
      dropped += value > 0 && value <= kThreshold;
    }
    EXPECT_GT(dropped, 0);
    EXPECT_EQ(all.live[0] - few.live[0], dropped);
    EXPECT_GT(rms_difference(all.logits, few.logits), 0) << "and it matters";
  }
}

TEST(LiveAbove, IsOfItsLayerAlone) {
  const auto engine = bundled_model("", /*n_threads=*/2);
  std::vector<float> thresholds = all_layers(*engine, 0);
  thresholds[3] = std::numeric_limits<float>::max();
  for (const int64_t part : {int64_t{7}, kContext}) {
    const Outcome outcome = run(*engine, thresholds, part);
    for (size_t layer = 0; layer < outcome.live.size(); ++layer)
      EXPECT_EQ(outcome.live[layer] == 0, layer == 3) << layer;
    for (const float logit : outcome.logits) ASSERT_TRUE(std::isfinite(logit));
  }
}

TEST(LiveAbove, EveryInstructionSetDropsTheSame) {
  std::map<std::string, Outcome> outcomes;
  for (const kernels::Isa isa : kernels::available_isas()) {
    const auto engine = bundled_model(std::string(kernels::isa_name(isa)));
    const std::vector<float> thresholds = all_layers(*engine, 0.01f);
    const double scale = rms_difference(run(*engine, thresholds, 1).logits, run(*engine, {}, 1).logits);
    // Decode, and prefill, whose hidden numbers may be rounded to 8 bits.
    for (const auto& [part, share] : {std::pair{int64_t{1}, 0.1}, std::pair{kContext, 0.5}}) {
      const Outcome ours = run(*engine, thresholds, part);
      if (isa == kernels::Isa::reference && part == 1) outcomes["reference"] = ours;
      const Outcome& reference = outcomes["reference"];
      SCOPED_TRACE(testing::Message() << kernels::isa_name(isa) << ", steps of " << part);
      EXPECT_LT(rms_difference(ours.logits, reference.logits), share * scale)
          << "rounding is small beside what dropping does";
      for (size_t layer = 0; layer < ours.live.size(); ++layer) {
        const auto expected = static_cast<double>(reference.live[layer]);
        EXPECT_NEAR(static_cast<double>(ours.live[layer]), expected, 0.05 * expected + 5)
            << "layer " << layer;
      }
    }
  }
}

}  // namespace
}  // namespace plm::runtime
