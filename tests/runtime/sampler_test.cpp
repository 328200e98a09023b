// Each sampler against a plain sort-everything reference on random logits, and against cases worked by hand.
#include "runtime/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/random.h"
#include "runtime/sampler_candidates.h"
#include "runtime/sampler_filters.h"
#include "runtime/sampler_penalties.h"

namespace plm::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_logits(size_t n, uint64_t seed) {
  RandomGenerator random(seed);
  std::vector<float> logits(n);
  // Rounded, so that ties are common.
  for (float& logit : logits) logit = std::round(static_cast<float>(random.uniform() * 200 - 100)) / 10;
  return logits;
}

std::vector<TokenId> ids(Candidates& candidates) {
  std::vector<TokenId> result;
  for (const Candidate& candidate : candidates.list()) result.push_back(candidate.id);
  return result;
}

std::vector<TokenId> ascending(std::vector<TokenId> values) {
  std::sort(values.begin(), values.end());
  return values;
}

Candidates candidates_of(const std::vector<float>& logits) {
  Candidates candidates;
  EXPECT_TRUE(candidates.assign(logits).ok());
  return candidates;
}

// The reference: everything sorted, best first, with its probability.
std::vector<Candidate> sorted_reference(const std::vector<float>& logits) {
  std::vector<Candidate> all;
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    all.push_back({static_cast<TokenId>(i), logits[i], std::exp(double{logits[i]})});
    sum += all.back().probability;
  }
  for (Candidate& candidate : all) candidate.probability /= sum;
  std::stable_sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.logit > b.logit; });
  return all;
}

std::vector<TokenId> first_ids(const std::vector<Candidate>& all, size_t n) {
  std::vector<TokenId> result;
  for (size_t i = 0; i < std::min(n, all.size()); ++i) result.push_back(all[i].id);
  return result;
}

SamplerOptions greedy_options() {
  SamplerOptions options;
  options.temperature = 0.0f;
  options.seed = 1;
  return options;
}

Sampler make_sampler(SamplerOptions options, int64_t vocabulary_size) {
  auto sampler = Sampler::create(std::move(options), vocabulary_size);
  EXPECT_TRUE(sampler.ok());
  return *std::move(sampler);
}

TEST(RandomGenerator, GivesTheSameNumbersEverywhere) {
  // The well-known first outputs for seed 0 through splitmix64.
  RandomGenerator random(0);
  EXPECT_EQ(random.next(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(random.next(), 0xbf6e1f784956452au);
  RandomGenerator other(42);
  for (int i = 0; i < 1000; ++i) {
    const double u = other.uniform();
    EXPECT_GE(u, 0.0);
    EXPECT_LT(u, 1.0);
  }
}

TEST(TopK, KeepsWhatAFullSortWouldKeepForEveryK) {
  for (const size_t n : {1u, 2u, 63u, 64u, 65u, 5000u}) {
    const auto logits = random_logits(n, n);
    const auto reference = sorted_reference(logits);
    for (const int64_t k : {1, 2, 40, 64, 1024, 1025, 4999, 5000, 6000}) {
      Candidates candidates = candidates_of(logits);
      filter_top_k(candidates, k);
      EXPECT_EQ(ids(candidates), first_ids(reference, static_cast<size_t>(k))) << "n " << n << " k " << k;
    }
  }
}

TEST(TopK, OfZeroOrLessKeepsAll) {
  for (const int64_t k : {0, -1}) {
    Candidates candidates = candidates_of({1, 2, 3});
    filter_top_k(candidates, k);
    EXPECT_THAT(ids(candidates), UnorderedElementsAre(0, 1, 2));
  }
}

TEST(TopK, LeavesOutTokensOfMinusInfinityEvenWhenThereIsRoom) {
  Candidates candidates = candidates_of({-kInfinity, 2, -kInfinity, 3});
  filter_top_k(candidates, 40);
  EXPECT_THAT(ids(candidates), ElementsAre(3, 1));
}

TEST(TopP, KeepsTheFewestBestThatReachP) {
  const auto logits = random_logits(300, 7);
  const auto reference = sorted_reference(logits);
  for (const double p : {0.0, 0.1, 0.5, 0.9, 0.95, 0.999}) {
    size_t n = 0;
    for (double sum = 0; n < reference.size();) {
      sum += reference[n++].probability;
      if (sum >= p) break;
    }
    Candidates candidates = candidates_of(logits);
    filter_top_p(candidates, p);
    EXPECT_EQ(ids(candidates), first_ids(reference, n)) << p;
  }
}

TEST(TopP, OfOneKeepsAll) {
  Candidates candidates = candidates_of({0, 100, -100});
  filter_top_p(candidates, 1.0);
  EXPECT_EQ(candidates.list().size(), 3u);
}

TEST(MinP, KeepsThoseWithinAFactorOfTheBest) {
  const auto logits = random_logits(300, 8);
  const auto reference = sorted_reference(logits);
  for (const double p : {0.0, 0.01, 0.5, 1.0}) {
    std::vector<TokenId> expected;
    for (const Candidate& candidate : reference) {
      if (std::exp(candidate.logit - reference[0].logit) >= p * (1 - 1e-6)) expected.push_back(candidate.id);
    }
    Candidates candidates = candidates_of(logits);
    filter_min_p(candidates, p);
    EXPECT_EQ(ascending(ids(candidates)), ascending(expected)) << p;
  }
}

TEST(TypicalP, KeepsTheNearestToTheExpectedSurprise) {
  // Probabilities 0.5, 0.25, 0.125, 0.125: entropy 1.75 bits; surprises 1, 2, 3, 3; nearest: 1 (0.25 off),
  // 0 (0.75), 2 and 3 (1.25).
  const std::vector<float> logits = {std::log(0.5f), std::log(0.25f), std::log(0.125f), std::log(0.125f)};
  const auto kept = [&logits](double p) {
    Candidates candidates = candidates_of(logits);
    filter_typical_p(candidates, p);
    return ids(candidates);
  };
  EXPECT_THAT(kept(0.0), ElementsAre(1));
  EXPECT_THAT(kept(0.2), ElementsAre(1));
  EXPECT_THAT(kept(0.3), ElementsAre(1, 0));
  EXPECT_THAT(kept(0.8), ElementsAre(1, 0, 2));
  EXPECT_THAT(kept(0.9), ElementsAre(1, 0, 2, 3));
  EXPECT_EQ(kept(1.0).size(), 4u);
}

TEST(TopNSigma, KeepsThoseWithinNStandardDeviationsOfTheBest) {
  // Six numbers of mean 2; -infinity does not count.
  const std::vector<float> logits = {0, 0, 4, 4, -kInfinity, 2, 2};
  const double deviation = std::sqrt(16.0 / 6.0);
  Candidates candidates = candidates_of(logits);
  EXPECT_DOUBLE_EQ(candidates.logit_moments().standard_deviation, deviation);
  filter_top_n_sigma(candidates, 1.5);  // threshold 4 - 2.45
  EXPECT_THAT(ids(candidates), UnorderedElementsAre(2, 3, 5, 6));
  filter_top_n_sigma(candidates, 0.0);
  EXPECT_EQ(candidates.list().size(), 4u);
}

TEST(Xtc, RemovesAllChoicesAboveTheThresholdButTheLeast) {
  const std::vector<float> logits = {std::log(0.4f), std::log(0.05f), std::log(0.3f), std::log(0.25f)};
  RandomGenerator random(1);
  Candidates candidates = candidates_of(logits);
  filter_xtc(candidates, {.probability = 1.0, .threshold = 0.2}, random);
  EXPECT_THAT(ids(candidates), ElementsAre(3, 1));

  candidates = candidates_of(logits);
  filter_xtc(candidates, {.probability = 1.0, .threshold = 0.35}, random);
  EXPECT_EQ(candidates.list().size(), 4u) << "only one choice is above: nothing to exclude";
  filter_xtc(candidates, {.probability = 0.0, .threshold = 0.1}, random);
  filter_xtc(candidates, {.probability = 1.0, .threshold = 0.51}, random);
  EXPECT_EQ(candidates.list().size(), 4u);
}

TEST(Xtc, ActsAsOftenAsItsProbabilitySays) {
  RandomGenerator random(2);
  RandomGenerator same(2);
  for (int i = 0; i < 200; ++i) {
    Candidates candidates = candidates_of({1, 1, -10});
    filter_xtc(candidates, {.probability = 0.3, .threshold = 0.1}, random);
    EXPECT_EQ(candidates.list().size() == 2, same.uniform() <= 0.3);
  }
}

TEST(Temperature, DividesLogitsAndNeverOverflows) {
  Candidates candidates = candidates_of({1, 2, 3});
  apply_temperature(candidates, 0.5f);
  EXPECT_FLOAT_EQ(candidates.list()[2].logit, 6.0f);
  candidates = candidates_of({1, 2, 3});
  apply_temperature(candidates, std::numeric_limits<float>::denorm_min());
  candidates.softmax();
  EXPECT_EQ(candidates.list().back().id, 2);
  EXPECT_DOUBLE_EQ(candidates.list().back().probability, 1.0);
}

TEST(Penalties, FollowLlamaCppsRule) {
  SamplerOptions options;
  options.repeat_penalty = 2.0f;
  options.presence_penalty = 0.25f;
  options.frequency_penalty = 0.125f;
  const std::vector<TokenId> history = {3, 0, 1, 1};
  for (const bool as_list : {false, true}) {
    Candidates candidates = candidates_of({4, -4, 4, 4});
    if (as_list) candidates.list();
    options.repeat_last_n = 3;
    apply_penalties(candidates, history, options);
    const auto& list = candidates.list();
    EXPECT_FLOAT_EQ(list[0].logit, 4.0f / 2 - 0.125f - 0.25f);
    EXPECT_FLOAT_EQ(list[1].logit, -4.0f * 2 - 2 * 0.125f - 0.25f);
    EXPECT_FLOAT_EQ(list[2].logit, 4.0f);
    EXPECT_FLOAT_EQ(list[3].logit, 4.0f) << "outside the last 3";
  }
  Candidates candidates = candidates_of({4, -4, 4, 4});
  options.repeat_last_n = 0;
  apply_penalties(candidates, history, options);
  EXPECT_FLOAT_EQ(candidates.max_logit(), 4.0f);
  options.repeat_last_n = -1;
  apply_penalties(candidates, history, options);
  EXPECT_FLOAT_EQ(candidates.list()[3].logit, 1.625f);
}

// For every earlier place: compares token by token.
std::unordered_map<TokenId, int64_t> plain_dry(const std::vector<TokenId>& history,
                                               const SamplerOptions& options, int64_t limit) {
  std::unordered_map<TokenId, int64_t> lengths;
  const int64_t n = static_cast<int64_t>(history.size());
  for (int64_t next = 1; next < n; ++next) {
    int64_t length = 0;
    while (length < std::min(next, limit) &&
           history[static_cast<size_t>(next - 1 - length)] == history[static_cast<size_t>(n - 1 - length)]) {
      ++length;
    }
    if (limit < options.dry_allowed_length || length < options.dry_allowed_length) continue;
    int64_t& longest = lengths[history[static_cast<size_t>(next)]];
    longest = std::max(longest, length);
  }
  return lengths;
}

TEST(Dry, FindsTheSameRepetitionsAsComparingEveryPlace) {
  RandomGenerator random(3);
  SamplerOptions options;
  for (int round = 0; round < 300; ++round) {
    std::vector<TokenId> history(random.next() % 60);
    for (TokenId& token : history) token = static_cast<TokenId>(random.next() % 3);
    options.dry_allowed_length = static_cast<int32_t>(random.next() % 4);
    EXPECT_EQ(dry_repetitions(history, options), plain_dry(history, options, std::ssize(history)));
  }
}

TEST(Dry, DoesNotLookAcrossABreaker) {
  SamplerOptions options;
  const std::vector<TokenId> history = {1, 2, 9, 3, 4, 5, 1, 2, 9, 3, 4};
  EXPECT_EQ(dry_repetitions(history, options).at(5), 5);
  options.dry_breakers = {{9, {}}};
  EXPECT_EQ(dry_repetitions(history, options).at(5), 2);
  options.dry_breakers = {{9, {3}}};  // two tokens: leaves one after it, below the allowed length
  EXPECT_TRUE(dry_repetitions(history, options).empty());
  options.dry_breakers = {{5, {}}};
  EXPECT_EQ(dry_repetitions(history, options).count(5), 0u) << "a breaker itself is not charged";
  options.dry_breakers = {};
  options.dry_penalty_last_n = 6;
  EXPECT_TRUE(dry_repetitions(history, options).empty());
}

TEST(Dry, ChargesExponentiallyAndStaysFinite) {
  SamplerOptions options;
  options.dry_multiplier = 0.8f;
  std::vector<TokenId> history = {1, 2, 3, 0, 1, 2, 3};
  Candidates candidates = candidates_of({0, 0, 0, 0});
  apply_dry(candidates, history, options);
  EXPECT_FLOAT_EQ(candidates.list()[0].logit, -0.8f * 1.75f);
  history.assign(4000, 0);
  apply_dry(candidates, history, options);
  EXPECT_TRUE(std::isfinite(candidates.list()[0].logit));
}

TEST(Mirostat, CutsWhatIsTooSurprisingAndSteersTowardsTau) {
  // 1 bit, 2 bits, 3 bits, 3 bits; mu starts at 2 tau = 2.
  const std::vector<float> logits = {std::log(0.5f), std::log(0.2500001f), std::log(0.125f),
                                     std::log(0.125f)};
  RandomGenerator random(5);
  Mirostat mirostat(1.0, 0.5);
  Candidates candidates = candidates_of(logits);
  const TokenId chosen = mirostat.choose(candidates, random);
  EXPECT_THAT(ids(candidates), ElementsAre(0, 1));
  const double surprise = chosen == 0 ? std::log2(1.5) : std::log2(3.0);
  EXPECT_NEAR(mirostat.mu(), 2.0 - 0.5 * (surprise - 1.0), 1e-5);
  for (int i = 0; i < 2000; ++i) {
    candidates = candidates_of(logits);
    mirostat.choose(candidates, random);
    EXPECT_FALSE(candidates.list().empty());
  }
}

TEST(Sampler, GreedyTakesTheLowestIdOnTies) {
  Sampler sampler = make_sampler(greedy_options(), 4);
  EXPECT_EQ(*sampler.sample(std::vector<float>{1, 5, 5, 0}), 1);
  EXPECT_EQ(*greedy_token(std::vector<float>{1, 5, 5, 0}), 1);
}

TEST(Sampler, PenaltiesAndBiasCountForGreedyToo) {
  SamplerOptions options = greedy_options();
  options.repeat_penalty = 10.0f;
  options.logit_bias = {{0, -kInfinity}, {3, 1.0f}};
  Sampler sampler = make_sampler(options, 4);
  const std::vector<float> logits = {9, 5, 4, 3.5f};
  EXPECT_EQ(*sampler.sample(logits), 1);
  sampler.accept(1);
  EXPECT_EQ(*sampler.sample(logits), 3);
  sampler.reset();
  EXPECT_EQ(*sampler.sample(logits), 1);
}

TEST(Sampler, EqualSeedsGiveEqualTokensAndResetStartsAgain) {
  const auto logits = random_logits(1000, 11);
  SamplerOptions options;
  options.seed = 123;
  options.temperature = 2.0f;
  Sampler a = make_sampler(options, 1000);
  Sampler b = make_sampler(options, 1000);
  std::vector<TokenId> first, second, again;
  for (int i = 0; i < 50; ++i) first.push_back(*a.sample(logits));
  for (int i = 0; i < 50; ++i) second.push_back(*b.sample(logits));
  a.reset();
  for (int i = 0; i < 50; ++i) again.push_back(*a.sample(logits));
  EXPECT_EQ(first, second);
  EXPECT_EQ(first, again);
  options.seed = 124;
  Sampler other = make_sampler(options, 1000);
  std::vector<TokenId> different;
  for (int i = 0; i < 50; ++i) different.push_back(*other.sample(logits));
  EXPECT_NE(first, different);
}

TEST(Sampler, DrawsByTheProbabilitiesThatRemain) {
  SamplerOptions options;
  options.seed = 9;
  options.temperature = 1.0f;
  options.chain = {SamplerStage::temperature};
  Sampler sampler = make_sampler(options, 3);
  RandomGenerator same(9);
  const std::vector<float> logits = {std::log(0.2f), std::log(0.5f), std::log(0.3f)};
  for (int i = 0; i < 500; ++i) {
    const double u = same.uniform();
    EXPECT_EQ(*sampler.sample(logits), u < 0.2 ? 0 : u < 0.7 ? 1 : 2) << u;
  }
}

TEST(Sampler, TheOrderOfTheChainMatters) {
  // Temperature 10 first makes all four nearly alike, so that min-p 0.5 keeps them; after it, only the best.
  SamplerOptions options;
  options.seed = 4;
  options.temperature = 10.0f;
  options.min_p = 0.5f;
  const std::vector<float> logits = {1, 4, 2, 3};
  const auto distinct = [&](std::vector<SamplerStage> chain) {
    options.chain = std::move(chain);
    Sampler sampler = make_sampler(options, 4);
    std::vector<TokenId> seen;
    for (int i = 0; i < 300; ++i) seen.push_back(*sampler.sample(logits));
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    return seen;
  };
  EXPECT_THAT(distinct({SamplerStage::temperature, SamplerStage::min_p}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(distinct({SamplerStage::min_p, SamplerStage::temperature}), ElementsAre(1));
}

TEST(Sampler, EveryStageAloneAndTogetherPicksTheOnlyPossibleToken) {
  SamplerOptions options;
  options.seed = 1;
  options.top_p = 0.0f;
  options.typical_p = 0.0f;
  options.top_n_sigma = 1.0f;
  options.xtc_probability = 1.0f;
  options.repeat_penalty = 2.0f;
  options.dry_multiplier = 1.0f;
  std::vector<float> logits(100, -kInfinity);
  logits[42] = -3.0f;
  for (const int32_t mirostat : {0, 2}) {
    options.mirostat = mirostat;
    Sampler sampler = make_sampler(options, 100);
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(*sampler.sample(logits), 42);
      sampler.accept(42);
    }
  }
  for (const SamplerStage stage : default_sampler_chain()) {
    options.chain = {stage};
    Sampler sampler = make_sampler(options, 100);
    EXPECT_EQ(*sampler.sample(logits), 42) << sampler_stage_name(stage);
  }
}

TEST(Sampler, ReportsLogitsThatAreNoNumbers) {
  Sampler sampler = make_sampler(SamplerOptions{}, 3);
  const auto message = [&sampler](std::vector<float> logits) {
    const auto token = sampler.sample(logits);
    return token.ok() ? "a token" : token.error().message;
  };
  EXPECT_THAT(message({1, kNan, 2}), HasSubstr("token 1 is not a number"));
  EXPECT_THAT(message({1, 2, kInfinity}), HasSubstr("token 2 is infinite"));
  EXPECT_THAT(message({-kInfinity, -kInfinity, -kInfinity}), HasSubstr("none of 3 logits"));
  EXPECT_FALSE(greedy_token({}).ok());
  SamplerOptions options;
  options.logit_bias = {{0, -kInfinity}, {1, -kInfinity}, {2, -kInfinity}};
  sampler = make_sampler(options, 3);
  EXPECT_THAT(message({1, 2, 3}), HasSubstr("bias leaves none"));
}

TEST(Sampler, RefusesSettingsThatMakeNoSense) {
  const auto message = [](auto change) {
    SamplerOptions options;
    change(options);
    const auto sampler = Sampler::create(options, 10);
    return sampler.ok() ? "a sampler" : sampler.error().message;
  };
  EXPECT_THAT(message([](auto& o) { o.temperature = kNan; }), HasSubstr("temperature: found nan"));
  EXPECT_THAT(message([](auto& o) { o.repeat_penalty = 0; }), HasSubstr("repeat-penalty"));
  EXPECT_THAT(message([](auto& o) { o.mirostat = 1; }), HasSubstr("expected 0 (off) or 2"));
  EXPECT_THAT(message([](auto& o) { o.xtc_probability = 2; }), HasSubstr("xtc-probability"));
  EXPECT_THAT(message([](auto& o) { o.logit_bias = {{10, 1.0f}}; }),
              HasSubstr("outside the vocabulary of 10"));
  EXPECT_THAT(message([](auto& o) { o.dry_allowed_length = -1; }), HasSubstr("dry-allowed-length"));
  EXPECT_THAT(message([](auto& o) { o.repeat_last_n = -2; }), HasSubstr("repeat-last-n"));
  EXPECT_THAT(message([](auto& o) { o.dry_penalty_last_n = -2; }), HasSubstr("dry-penalty-last-n"));
}

TEST(SamplerChain, ReadsLlamaCppsNamesAndLetters) {
  EXPECT_EQ(*parse_sampler_chain("penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"),
            default_sampler_chain());
  EXPECT_EQ(*parse_sampler_letters("edskypmxt"), default_sampler_chain());
  EXPECT_THAT(*parse_sampler_chain("temp;top-k"),
              ElementsAre(SamplerStage::temperature, SamplerStage::top_k));
  EXPECT_TRUE(parse_sampler_chain("")->empty());
  EXPECT_THAT(parse_sampler_chain("top_k;nonsense").error().message, HasSubstr("\"nonsense\" is not known"));
  EXPECT_THAT(parse_sampler_letters("q").error().message, HasSubstr("typ_p (y)"));
}

TEST(TokenAtQuantile, IsTheFirstIdWhoseCumulativeProbabilityExceedsU) {
  const std::vector<float> logits = {std::log(0.25f), -kInfinity, std::log(0.25f), std::log(0.5f),
                                     -kInfinity};
  EXPECT_EQ(*token_at_quantile(logits, 0.0), 0);
  EXPECT_EQ(*token_at_quantile(logits, 0.2499), 0);
  EXPECT_EQ(*token_at_quantile(logits, 0.2501), 2);
  EXPECT_EQ(*token_at_quantile(logits, 0.5001), 3);
  EXPECT_EQ(*token_at_quantile(logits, 1.0), 3) << "never a token of no probability";
}

}  // namespace
}  // namespace plm::runtime
