// Steps of up to kFineTokens tokens give the bits that steps of one token give: what a draft is checked with
// is what it would have been without the draft. Prompts of more tokens give theirs whoever is read beside
// them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "kernels/activations.h"
#include "model/synth/synth.h"
#include "runtime/engine.h"

namespace plm::runtime {
namespace {

using Logits = std::vector<float>;

constexpr int64_t kPrompt = 20, kAfter = 16;

struct Case {
  std::string preset, type;
  double sparsity = 0.9;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.preset << " " << c.type << " sparsity " << c.sparsity;
}

class FewTokens : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::filesystem::temp_directory_path() / ("plm-few-tokens-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  void SetUp() override {
    path_ = (folder_ / "model.gguf").string();
    const auto status =
        model::write_synthetic_model(path_, {.preset = *model::find_synth_preset(GetParam().preset),
                                             .type = GetParam().type,
                                             .sparsity = GetParam().sparsity,
                                             .progress = {}});
    ASSERT_TRUE(status.ok()) << status.error().message;
  }

  std::unique_ptr<Engine> load(kernels::Isa isa) const {
    auto engine = Engine::load({.model_path = path_,
                                .n_threads = 2,
                                .context_length = 256,
                                .batch_size = 128,
                                .cache_type = {},
                                .isa = std::string(kernels::isa_name(isa))});
    EXPECT_TRUE(engine.ok()) << engine.error().message;
    return std::move(*engine);
  }

  // The logits of kAfter tokens after a prompt, in steps of n.
  static std::vector<Logits> run(Engine& engine, int64_t n) {
    std::vector<TokenId> tokens;
    for (int64_t i = 0; i < kPrompt + kAfter; ++i) {
      tokens.push_back(static_cast<TokenId>((i * i * 31 + i * 17 + 7) % engine.config().vocabulary_size));
    }
    auto session = *engine.new_session();
    EXPECT_TRUE(session.decode(std::span(tokens).first(kPrompt)).ok());
    std::vector<Logits> logits;
    for (int64_t begin = kPrompt; begin < kPrompt + kAfter; begin += n) {
      const int64_t m = std::min(n, kPrompt + kAfter - begin);
      EXPECT_TRUE(session
                      .decode(std::span(tokens).subspan(static_cast<size_t>(begin), static_cast<size_t>(m)),
                              LogitsWanted::all)
                      .ok());
      for (int64_t i = 0; i < m; ++i) {
        const auto one = session.logits_of(i);
        logits.emplace_back(one.begin(), one.end());
      }
    }
    return logits;
  }

  std::string path_;
  static std::filesystem::path folder_;
};

std::filesystem::path FewTokens::folder_;

TEST_P(FewTokens, GiveTheBitsThatOneAtATimeGives) {
  for (const kernels::Isa isa : kernels::available_isas()) {
    if (isa == kernels::Isa::reference && GetParam().type != "Q4_0")
      continue;  // slow, and all types are alike
    const auto engine = load(isa);
    const auto alone = run(*engine, 1);
    for (const int64_t n : {2, 3, 5, 7, 8}) {
      const auto together = run(*engine, n);
      ASSERT_EQ(together.size(), alone.size());
      for (size_t t = 0; t < alone.size(); ++t) {
        ASSERT_EQ(std::memcmp(together[t].data(), alone[t].data(), alone[t].size() * sizeof(float)), 0)
            << kernels::isa_name(isa) << ", steps of " << n << ", token " << t;
      }
    }
  }
}

// What a server reads together: prompts of more than kFineTokens tokens, in one step with others.
TEST_P(FewTokens, APromptGetsItsBitsWhoeverElseIsRead) {
  for (const kernels::Isa isa : kernels::available_isas()) {
    if (isa == kernels::Isa::reference && GetParam().type != "Q4_0") continue;
    const auto engine = load(isa);
    const auto prompt = [&](int64_t n) {
      std::vector<TokenId> tokens;
      for (int64_t i = 0; i < n; ++i) {
        tokens.push_back(static_cast<TokenId>((i * i * 13 + i * 29 + n) % engine->config().vocabulary_size));
      }
      return tokens;
    };
    // The prompt's own logits, and those of a token behind it, which reads all of its rows.
    const auto finish = [&](Session& session) {
      std::vector<Logits> both{{session.logits().begin(), session.logits().end()}};
      const TokenId next = 5;
      EXPECT_TRUE(session.decode(std::span(&next, 1)).ok());
      both.emplace_back(session.logits().begin(), session.logits().end());
      return both;
    };
    for (const int64_t n : {9, 35}) {
      const auto mine = prompt(n);
      auto alone = *engine->new_session();
      ASSERT_TRUE(alone.decode(mine).ok());
      const auto wanted = finish(alone);
      for (const int64_t n_other : {9, 64}) {
        for (const bool i_am_first : {true, false}) {
          const auto theirs = prompt(n_other);
          auto my_session = *engine->new_session(), their_session = *engine->new_session();
          std::vector<Turn> turns{{&my_session, mine}, {&their_session, theirs}};
          if (!i_am_first) std::ranges::reverse(turns);
          ASSERT_TRUE(engine->decode_together(turns).ok());
          const auto found = finish(my_session);
          for (size_t t = 0; t < 2; ++t) {
            ASSERT_EQ(std::memcmp(found[t].data(), wanted[t].data(), wanted[t].size() * sizeof(float)), 0)
                << kernels::isa_name(isa) << ", " << n << " beside " << n_other
                << (i_am_first ? ", first" : ", last") << (t == 0 ? "" : ", the token behind it");
          }
        }
      }
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* type : {"F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K",
                           "Q4_1", "Q4_0", "Q3_K", "Q2_K"}) {
    all.push_back({.preset = "plm-tiny", .type = type});
  }
  // Around the share of live neurons from which on a token's down projection is dense.
  for (const char* type : {"F16", "Q4_K_M", "Q4_0"}) {
    for (const double sparsity : {0.5, 0.65}) {
      all.push_back({.preset = "plm-tiny", .type = type, .sparsity = sparsity});
    }
  }
  for (const char* preset : {"llama-tiny", "qwen2-tiny"}) {
    for (const char* type : {"F16", "Q8_0", "Q4_0"}) all.push_back({.preset = preset, .type = type});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, FewTokens, testing::ValuesIn(cases()));

}  // namespace
}  // namespace plm::runtime
