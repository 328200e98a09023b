// The golden numbers of ../shared/oracles: a float64 reference written independently of this project
// and agreed with llama.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numeric>

#include "kernels/cache_row.h"
#include "runtime/engine.h"
#include "support/npz.h"

namespace plm::runtime {
namespace {

using test::NpyArray;

const std::string kOracles = PLM_SOURCE_DIR "/../shared/oracles/";

// Oracles README: what a float32 implementation should reach.
constexpr double kLogitTolerance = 5e-5;
constexpr double kTraceTolerance = 1e-5;  // of the range of the tensor

class Oracle : public ::testing::TestWithParam<kernels::Isa> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kOracles + "logits.npz"))
      GTEST_SKIP() << "the oracle files are not there: " << kOracles;
  }

  std::unique_ptr<Engine> load(const std::string& file, TensorType cache_type = TensorType::f32,
                               int n_threads = 2) {
    auto engine = Engine::load({.model_path = kOracles + file,
                                .n_threads = n_threads,
                                .cache_type = cache_type,
                                .isa = std::string(kernels::isa_name(GetParam()))});
    EXPECT_TRUE(engine.ok()) << engine.error().message;
    return std::move(*engine);
  }
};

double largest_difference(std::span<const float> a, const std::vector<float>& b, size_t offset = 0) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(double{a[i]} - b[offset + i]));
  return largest;
}

// Logits of all tokens, the sequence cut into parts of these lengths.
std::vector<float> run_in_parts(Engine& engine, const std::vector<TokenId>& ids,
                                const std::vector<int64_t>& parts,
                                model::AttentionForm form = model::AttentionForm::automatic) {
  auto session = engine.new_session();
  EXPECT_TRUE(session.ok());
  session->set_attention_form(form);
  std::vector<float> logits;
  size_t at = 0;
  for (int64_t n : parts) {
    const auto status =
        session->decode(std::span(ids).subspan(at, static_cast<size_t>(n)), LogitsWanted::all);
    EXPECT_TRUE(status.ok()) << status.error().message;
    for (int64_t i = 0; i < n; ++i) {
      const auto row = session->logits_of(i);
      logits.insert(logits.end(), row.begin(), row.end());
    }
    at += static_cast<size_t>(n);
  }
  return logits;
}

TEST_P(Oracle, LogitsAreRightAtEveryLengthInBothFormsOfAttention) {
  auto engine = load("plm-tiny-f32.gguf");
  const auto golden = test::read_npz(kOracles + "logits.npz");
  for (int n : {1, 7, 64, 300}) {
    const auto ids = golden.at(fmt::format("ids_{}", n)).as<TokenId>();
    const auto expected = golden.at(fmt::format("logits_{}", n)).as<float>();
    for (const auto form :
         {model::AttentionForm::automatic, model::AttentionForm::absorbed, model::AttentionForm::expanded}) {
      const double difference = largest_difference(run_in_parts(*engine, ids, {n}, form), expected);
      EXPECT_LE(difference, kLogitTolerance) << n << " tokens, form " << static_cast<int>(form);
      RecordProperty(fmt::format("largest_difference_{}_{}", n, static_cast<int>(form)),
                     fmt::format("{:.2e}", difference));
    }
  }
}

TEST_P(Oracle, PrefillInAnySplitGivesTheSameLogits) {
  auto engine = load("plm-tiny-f32.gguf");
  const auto golden = test::read_npz(kOracles + "logits.npz");
  const auto ids = golden.at("ids_300").as<TokenId>();
  const auto expected = golden.at("logits_300").as<float>();
  for (const std::vector<int64_t>& parts :
       {std::vector<int64_t>{1, 299}, std::vector<int64_t>{150, 150}, std::vector<int64_t>(300, 1),
        std::vector<int64_t>{8, 9, 100, 183}}) {
    EXPECT_LE(largest_difference(run_in_parts(*engine, ids, parts), expected), kLogitTolerance)
        << parts.size() << " parts, the first of " << parts[0];
  }
}

TEST_P(Oracle, LogitsDoNotDependOnTheNumberOfThreads) {
  const auto golden = test::read_npz(kOracles + "logits.npz");
  const auto ids = golden.at("ids_64").as<TokenId>();
  const std::vector<int64_t> parts = {40, 1, 1, 22};
  std::vector<float> first;
  for (int n_threads : {1, 2, 3, 7}) {
    auto engine = load("plm-mini256-Q4_0.gguf", TensorType::f16, n_threads);
    const auto logits = run_in_parts(*engine, ids, parts);
    if (first.empty()) first = logits;
    EXPECT_EQ(logits, first) << n_threads << " threads";
  }
}

TEST_P(Oracle, TheCacheHoldsTheNormedLatentAndTheRotatedKey) {
  auto engine = load("plm-tiny-f32.gguf");
  const auto golden = test::read_npz(kOracles + "logits.npz");
  const auto latent = golden.at("latent_c_64").as<float>(), rope = golden.at("latent_krope_64").as<float>();
  auto session = engine->new_session();
  ASSERT_TRUE(session->decode(golden.at("ids_64").as<TokenId>()).ok());
  const auto& c = engine->config();
  std::vector<float> row(static_cast<size_t>(c.cache_row_width()));
  size_t latent_at = 0, rope_at = 0;
  for (int64_t layer = 0; layer < c.n_layers; ++layer) {
    for (int64_t s = 0; s < 64; ++s) {
      kernels::decode_cache_row(TensorType::f32, session->cache().row(layer, s), c.cache_row_width(),
                                row.data());
      const auto width = static_cast<size_t>(c.kv_lora_rank), rope_width = static_cast<size_t>(c.rope_width);
      EXPECT_LE(largest_difference(std::span(row).first(width), latent, latent_at), kLogitTolerance);
      EXPECT_LE(largest_difference(std::span(row).last(rope_width), rope, rope_at), kLogitTolerance);
      latent_at += width;
      rope_at += rope_width;
    }
  }
}

TEST_P(Oracle, GreedyDecodingAndSamplingByGivenNumbersFollowTheReference) {
  auto engine = load("plm-tiny-f32.gguf");
  const auto golden = test::read_npz(kOracles + "logits.npz");
  const auto prompt = golden.at("ids_64").as<TokenId>();
  const auto greedy = golden.at("greedy_64").as<TokenId>();
  auto session = engine->new_session();
  ASSERT_TRUE(session->decode(prompt).ok());
  for (const TokenId expected : greedy) {
    const auto logits = session->logits();
    const auto best = static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    ASSERT_EQ(best, expected);
    ASSERT_TRUE(session->decode(std::span(&best, 1)).ok());
  }
  const auto uniform = golden.at("sample_u_64").as<double>();
  const auto sampled = golden.at("sample_ids_64").as<TokenId>();
  session->truncate(63);
  ASSERT_TRUE(session->decode(std::span(prompt).last(1)).ok());
  for (size_t i = 0; i < uniform.size(); ++i) {
    const auto logits = session->logits();
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (float logit : logits) sum += std::exp(logit - largest);
    double cumulative = 0;
    TokenId id = 0;
    for (size_t token = 0; token < logits.size(); ++token) {
      cumulative += std::exp(logits[token] - largest) / sum;
      id = static_cast<TokenId>(token);
      if (cumulative > uniform[i]) break;
    }
    ASSERT_EQ(id, sampled[i]) << "at " << i;
    ASSERT_TRUE(session->decode(std::span(&id, 1)).ok());
  }
}

// The trace shows queries scaled by 1 / sqrt(Q) and side by side; the reference keeps heads apart.
struct Traced {
  std::vector<float> numbers;
  int64_t rows = 0, columns = 0;
};

class TraceChecker {
 public:
  explicit TraceChecker(const std::map<std::string, NpyArray>& golden) : golden_(golden) {}

  void expect(const std::string& name, const std::vector<float>& found) {
    ASSERT_TRUE(golden_.count(name)) << name;
    const auto expected = golden_.at(name).as<float>();
    ASSERT_EQ(found.size(), expected.size()) << name;
    float range = 0;
    for (float value : expected) range = std::max(range, std::fabs(value));
    double largest = 0;
    for (size_t i = 0; i < found.size(); ++i)
      largest = std::max(largest, std::fabs(double{found[i]} - expected[i]));
    EXPECT_LE(largest, kTraceTolerance * range) << name;
    ++checked;
  }
  int checked = 0;

 private:
  const std::map<std::string, NpyArray>& golden_;
};

// Columns [begin, begin + width) of each head of a [T][H * head_width] tensor, as [H][T][width].
std::vector<float> heads(const Traced& t, int64_t n_heads, int64_t begin, int64_t width, float scale = 1) {
  std::vector<float> out;
  const int64_t head_width = t.columns / n_heads;
  for (int64_t h = 0; h < n_heads; ++h) {
    for (int64_t row = 0; row < t.rows; ++row) {
      for (int64_t i = 0; i < width; ++i) {
        out.push_back(scale * t.numbers[static_cast<size_t>(row * t.columns + h * head_width + begin + i)]);
      }
    }
  }
  return out;
}

std::vector<float> columns(const Traced& t, int64_t begin, int64_t width) {
  return heads(t, 1, begin, width);
}

std::vector<float> difference(const Traced& a, const Traced& b) {
  std::vector<float> out;
  for (size_t i = 0; i < a.numbers.size(); ++i) out.push_back(a.numbers[i] - b.numbers[i]);
  return out;
}

// What the latents expand to, [H][T][width], by the file's own attn_kv_b in plain F32.
std::vector<float> expand(const Engine& engine, int64_t layer, const Traced& kv, int64_t begin,
                          int64_t width) {
  const auto& c = engine.config();
  const gguf::TensorInfo* tensor = engine.file().find_tensor(fmt::format("blk.{}.attn_kv_b.weight", layer));
  const auto* weight = reinterpret_cast<const float*>(engine.file().tensor_data(*tensor).data());
  std::vector<float> out;
  for (int64_t h = 0; h < c.n_heads; ++h) {
    for (int64_t t = 0; t < kv.rows; ++t) {
      for (int64_t i = 0; i < width; ++i) {
        const float* row = weight + (h * (c.nope_width + c.value_width) + begin + i) * c.kv_lora_rank;
        double sum = 0;
        for (int64_t k = 0; k < c.kv_lora_rank; ++k) {
          sum += double{row[k]} * kv.numbers[static_cast<size_t>(t * kv.columns + k)];
        }
        out.push_back(static_cast<float>(sum));
      }
    }
  }
  return out;
}

TEST_P(Oracle, EveryTensorOfTheLayerTraceIsRight) {
  for (const auto form : {model::AttentionForm::absorbed, model::AttentionForm::expanded}) {
    auto engine = load("plm-tiny-f32.gguf");
    const auto golden = test::read_npz(kOracles + "trace_len7.npz");
    std::map<std::string, Traced> traced;
    const model::Trace trace = [&](std::string_view name, int64_t layer, const float* data, int64_t rows,
                                   int64_t cols, int64_t stride) {
      Traced& t = traced[layer < 0 ? std::string(name) : fmt::format("layer{}.{}", layer, name)];
      t = {.numbers = {}, .rows = rows, .columns = cols};
      for (int64_t r = 0; r < rows; ++r)
        t.numbers.insert(t.numbers.end(), data + r * stride, data + r * stride + cols);
    };
    auto session = engine->new_session();
    session->set_attention_form(form);
    session->set_trace(&trace);
    ASSERT_TRUE(session->decode(golden.at("ids").as<TokenId>()).ok());

    const auto& c = engine->config();
    const auto scale = std::sqrt(static_cast<float>(c.key_width()));
    TraceChecker checker(golden);
    checker.expect("embed", traced.at("embed").numbers);
    checker.expect("final_norm", traced.at("final_norm").numbers);
    for (int64_t layer = 0; layer < c.n_layers; ++layer) {
      const std::string at = fmt::format("layer{}.", layer);
      const Traced& kv = traced.at(at + "kv");
      const Traced& before =
          layer == 0 ? traced.at("embed") : traced.at(fmt::format("layer{}.h_out", layer - 1));
      for (const char* name : {"attn_in", "h_mid", "ffn_in", "ffn_pre", "ffn_act", "h_out"}) {
        checker.expect(at + name, traced.at(at + name).numbers);
      }
      checker.expect(at + "q_nope", heads(traced.at(at + "q"), c.n_heads, 0, c.nope_width, scale));
      checker.expect(at + "q_rope", heads(traced.at(at + "q"), c.n_heads, c.nope_width, c.rope_width, scale));
      checker.expect(at + "c_kv_normed", columns(kv, 0, c.kv_lora_rank));
      checker.expect(at + "k_rope", columns(kv, c.kv_lora_rank, c.rope_width));
      checker.expect(at + "k_nope", expand(*engine, layer, kv, 0, c.nope_width));
      checker.expect(at + "v", expand(*engine, layer, kv, c.nope_width, c.value_width));
      checker.expect(at + "attn_heads", traced.at(at + "attn_heads").numbers);
      checker.expect(at + "attn_out", difference(traced.at(at + "h_mid"), before));
      checker.expect(at + "ffn_out", difference(traced.at(at + "h_out"), traced.at(at + "h_mid")));
    }
    // All but the probabilities, which no form of ours ever holds as a whole, and the ids.
    EXPECT_EQ(checker.checked, static_cast<int>(golden.size()) - 1 - static_cast<int>(c.n_layers));
  }
}

double rms_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

TEST_P(Oracle, QuantisedModelsStayWithinHalfOfLlamaCppsErrorInDecode) {
  const auto golden = test::read_npz(kOracles + "quant_logits.npz");
  const auto ids = golden.at("ids").as<TokenId>();
  for (const char* type : {"Q8_0", "Q4_0", "Q4_K_M"}) {
    const auto exact = golden.at(fmt::format("logits_dequant_{}", type)).as<float>();
    const double theirs =
        rms_difference(golden.at(fmt::format("logits_llamacpp_{}", type)).as<float>(), exact);
    for (const auto cache : {TensorType::f32, TensorType::f16, TensorType::bf16}) {
      auto engine = load(fmt::format("plm-mini256-{}.gguf", type), cache);
      const double decode = rms_difference(run_in_parts(*engine, ids, std::vector<int64_t>(48, 1)), exact);
      const double prefill = rms_difference(run_in_parts(*engine, ids, {48}), exact);
      fmt::print("{} cache {}: rms error decode {:.2e}, prefill {:.2e}, llama.cpp {:.2e}\n", type,
                 tensor_type_name(cache), decode, prefill, theirs);
      EXPECT_LE(decode, theirs / 2) << type;
      EXPECT_LE(prefill, theirs) << type;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Oracle, ::testing::ValuesIn(kernels::available_isas()),
                         [](const auto& test) { return std::string(kernels::isa_name(test.param)); });

}  // namespace
}  // namespace plm::runtime
