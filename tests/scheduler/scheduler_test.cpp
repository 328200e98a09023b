#include "scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <set>
#include <thread>

#include "reading.h"

namespace plm::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kContext = 256;
constexpr int64_t kPage = PrefixStore::kPageTokens;

class SchedulerTest : public testing::Test {
 protected:
  void load(const SchedulerOptions& options = {}, int64_t batch_size = 128) {
    scheduler_.reset();
    auto engine = runtime::Engine::load({.model_path = PLM_SOURCE_DIR "/models/story-7m-f16.gguf",
                                         .n_threads = 2,
                                         .context_length = kContext,
                                         .batch_size = batch_size,
                                         .cache_type = {}});
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    engine_ = std::move(*engine);
    auto scheduler = Scheduler::create(*engine_, options);
    ASSERT_TRUE(scheduler.ok()) << scheduler.error().message;
    scheduler_ = std::move(*scheduler);
  }

  std::vector<TokenId> encode(std::string_view text) const { return engine_->tokenizer().encode(text); }

  Request request(std::string_view prompt, int64_t max_tokens = 24) const {
    Request made;
    made.prompt = encode(prompt);
    made.max_tokens = max_tokens;
    made.sampling.temperature = 0;
    return made;
  }

  // A session of the engine for what is expected: the engine is the scheduler's as long as there is one.
  runtime::Session session_without_scheduler() {
    scheduler_.reset();
    return *engine_->new_session();
  }

  Read run(Request made) { return scheduler::run(*scheduler_, std::move(made)); }

  std::unique_ptr<runtime::Engine> engine_;
  std::unique_ptr<Scheduler> scheduler_;
};

const std::vector<std::string> kPrompts = {"Once upon a time",
                                           "The dog",
                                           "There was a little girl who lived near the river, and",
                                           "One day the king said to his men that they should go and",
                                           "In the morning the bird sang",
                                           "Why do you cry, said the",
                                           "Far away, behind the mountains, there was",
                                           "She looked into the box and found",
                                           "The old man had three sons, and the youngest",
                                           "I"};

std::string long_text(int n_sentences) {
  std::string text;
  for (int i = 0; i < n_sentences; ++i)
    text += "The fox number " + std::to_string(i) + " ran into the wood. ";
  return text;
}

TEST_F(SchedulerTest, AnswersAsASessionAloneWould) {
  load();
  const Read answer = run(request(kPrompts[2]));
  auto session = session_without_scheduler();
  const auto prompt = encode(kPrompts[2]);
  ASSERT_TRUE(session.decode(prompt).ok());
  std::string expected;
  for (int i = 0; i < 24; ++i) {
    const TokenId token = *runtime::greedy_token(session.logits());
    expected += engine_->tokenizer().token_bytes(token);
    ASSERT_TRUE(session.decode(std::span(&token, 1)).ok());
  }
  EXPECT_EQ(answer.text, expected);
  EXPECT_EQ(answer.outcome.reason, FinishReason::length);
  EXPECT_EQ(answer.outcome.n_answer, 24);
  EXPECT_EQ(answer.outcome.n_prompt, std::ssize(prompt));
}

TEST_F(SchedulerTest, WhatOneGetsDoesNotDependOnTheOthers) {
  load({.n_slots = 5, .prefix_bytes = 0});
  const auto ask = [&](size_t i) {
    Request made = request(kPrompts[i], 20 + static_cast<int64_t>(i));
    made.reuse = Reuse::exact;  // two prompts begin with "The", and one of them is read more coarsely
    if (i % 2 == 1) {
      made.sampling.temperature = 1.0F;
      made.sampling.seed = 100 + i;
    }
    return made;
  };
  std::vector<std::string> alone;
  for (size_t i = 0; i < kPrompts.size(); ++i) alone.push_back(run(ask(i)).text);
  std::vector<std::shared_ptr<Answer>> together;
  for (size_t i = 0; i < kPrompts.size(); ++i) together.push_back(*scheduler_->submit(ask(i)));
  for (size_t i = 0; i < kPrompts.size(); ++i) EXPECT_EQ(read(together[i]).text, alone[i]) << kPrompts[i];
}

TEST_F(SchedulerTest, ALongPromptIsReadInPartsWhileOthersWrite) {
  load({.n_slots = 2, .longest_pause = 1ms}, 64);
  const Request story = request("Once upon a time", 100), long_prompt = request(long_text(20), 8);
  ASSERT_GT(std::ssize(long_prompt.prompt), 2 * kPage);
  const std::string story_alone = run(story).text, long_alone = run(long_prompt).text;
  const auto first = *scheduler_->submit(story);
  const auto second = *scheduler_->submit(long_prompt);
  EXPECT_EQ(read(second).text, long_alone);
  EXPECT_EQ(read(first).text, story_alone);
}

TEST_F(SchedulerTest, ABeginningThatWasReadBeforeIsNotReadAgain) {
  load({.n_slots = 1});
  const Request first = request(long_text(10), 6);
  const auto n_prompt = std::ssize(first.prompt);
  const Read cold = run(first);
  EXPECT_EQ(cold.outcome.n_cached, 0);
  ASSERT_GT(n_prompt, kPage);
  run(request("Something else, that takes the only slot", 40));

  const Read warm = run(first);
  EXPECT_EQ(warm.outcome.n_cached, n_prompt - 1);
  EXPECT_EQ(warm.text, cold.text);

  Request exact = first;
  exact.reuse = Reuse::exact;
  EXPECT_EQ(run(exact).outcome.n_cached, (n_prompt - 1) / kPage * kPage);
  Request none = first;
  none.reuse = Reuse::none;
  EXPECT_EQ(run(none).outcome.n_cached, 0);

  // The next question of a conversation: the answer is there too.
  Request next = first;
  for (const auto& token : cold.tokens) next.prompt.push_back(token.id);
  next.prompt.push_back(encode(" and")[0]);
  EXPECT_GE(run(next).outcome.n_cached, n_prompt + 5);
}

TEST_F(SchedulerTest, WhatASlotHoldsCanBeCarriedToAnotherScheduler) {
  const std::string prompt = long_text(12);
  load({.n_slots = 2});
  const Read first = run(request(prompt));
  const auto rows = scheduler_->copy_slot(first.outcome.slot, 10s);
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  EXPECT_EQ(std::ssize(rows->tokens), first.outcome.n_prompt + first.outcome.n_answer - 1);

  load({.n_slots = 2});
  ASSERT_TRUE(scheduler_->fill_slot(1, *rows, 10s).ok());
  EXPECT_EQ(scheduler_->snapshot().slots[1].n_tokens, std::ssize(rows->tokens));
  const Read again = run(request(prompt));
  EXPECT_EQ(again.outcome.slot, 1);
  EXPECT_EQ(again.outcome.n_cached, again.outcome.n_prompt - 1);
  EXPECT_EQ(again.text, first.text);
  Request seeded = request(prompt);
  seeded.reuse = Reuse::exact;
  EXPECT_EQ(run(std::move(seeded)).outcome.n_cached, first.outcome.n_prompt / kPage * kPage);

  ASSERT_GT(*scheduler_->erase_slot(1, 10s), 0);
  EXPECT_EQ(scheduler_->copy_slot(1, 10s)->tokens.size(), 0U);
}

TEST_F(SchedulerTest, ASlotIsCarriedOnlyBetweenAnswers) {
  load({.n_slots = 1});
  auto answer = *scheduler_->submit(request(kPrompts[0], 200));
  Piece piece;
  while (answer->next(piece, 60s) != Answer::Next::piece) {
  }
  EXPECT_EQ(scheduler_->copy_slot(0, 0ms).error().kind, ErrorKind::cancelled);
  const auto rows = scheduler_->copy_slot(0, 60s);  // waits for the answer's end
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  const Read rest = read(answer);
  EXPECT_EQ(std::ssize(rows->tokens), rest.outcome.n_prompt + rest.outcome.n_answer - 1);
  for (const int id : {-1, 1}) {
    EXPECT_EQ(scheduler_->copy_slot(id, 1s).error().kind, ErrorKind::invalid_argument) << id;
  }
  SlotRows wrong = *rows;
  wrong.rows.pop_back();
  EXPECT_FALSE(scheduler_->fill_slot(0, wrong, 1s).ok());
  EXPECT_EQ(scheduler_->copy_slot(0, 1s)->tokens, rows->tokens) << "nothing has changed";
}

TEST_F(SchedulerTest, WhatFilesMustFitIsFoundWhileAnswersAreWritten) {
  load({.n_slots = 1});
  const auto expected = slot_shape(*engine_, hash_of(engine_->file()));
  ASSERT_TRUE(expected.ok());
  load({.n_slots = 1});
  const Read alone = run(request(kPrompts[0], 60));
  load({.n_slots = 1});
  auto answer = *scheduler_->submit(request(kPrompts[0], 60));
  std::atomic<int> n_right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        const auto shape = scheduler_->slot_shape(60s);
        n_right += shape.ok() && shape->identity == expected->identity &&
                   shape->bytes_per_token == expected->bytes_per_token &&
                   shape->capacity == expected->capacity;
      });
    }
  }
  EXPECT_EQ(n_right, 3);
  EXPECT_EQ(read(answer).text, alone.text);
  EXPECT_EQ(scheduler_->snapshot().activity.n_tokens, static_cast<int64_t>(RecentActivity::kSteps));
}

TEST_F(SchedulerTest, ExactReuseChangesNotABit) {
  load({.n_slots = 1});
  const auto isa = engine_->kernels().isa;
  if (isa != kernels::Isa::avx512 && isa != kernels::Isa::avx512_bf16 && isa != kernels::Isa::amx) {
    GTEST_SKIP() << "plain weights round by tile on " << kernels::isa_name(isa);
  }
  for (const std::string& prompt : kPrompts) run(request(prompt, 60));  // layers that fire most now have rows
  Request scored = request(long_text(20), 12);
  scored.n_top = 0;
  scored.reuse = Reuse::none;
  const Read cold = run(scored);
  scored.reuse = Reuse::exact;
  run(scored);
  const Read warm = run(scored);
  ASSERT_GE(warm.outcome.n_cached, 2 * kPage);
  for (size_t i = 0; i < cold.tokens.size(); ++i) {
    EXPECT_EQ(warm.tokens[i].id, cold.tokens[i].id);
    EXPECT_EQ(warm.tokens[i].log_probability, cold.tokens[i].log_probability);
  }
}

TEST_F(SchedulerTest, WhoAsksTheSameAtOnceReadsThePromptOnce) {
  load({.n_slots = 4});
  Request same = request(long_text(12), 4);
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(*scheduler_->submit(same));
  for (const auto& answer : answers) EXPECT_EQ(read(answer).outcome.n_answer, 4);
  EXPECT_LT(scheduler_->snapshot().counters.n_prompt_tokens, 2 * std::ssize(same.prompt));
}

TEST_F(SchedulerTest, StopsBeforeAStopTextWhereverTokensEnd) {
  load();
  const Read whole = run(request(kPrompts[0], 30));
  for (size_t at = 5; at + 4 < whole.text.size(); at += 7) {
    Request made = request(kPrompts[0], 30);
    const std::string stop = whole.text.substr(at, 4);
    made.stop_texts = {"never to be seen", stop};
    const Read cut = run(made);
    EXPECT_EQ(cut.text, whole.text.substr(0, whole.text.find(stop)));
    EXPECT_EQ(cut.outcome.reason, FinishReason::stop_text);
    EXPECT_EQ(cut.outcome.stop_text, stop);
  }
}

TEST_F(SchedulerTest, ScoresThePromptAndTheAnswer) {
  load({.n_slots = 2}, 64);
  Request made = request(long_text(8), 3);
  made.n_top = 3;
  made.scores_prompt = true;
  const Read scored = run(made);
  ASSERT_EQ(scored.prompt.size(), made.prompt.size());
  ASSERT_EQ(scored.tokens.size(), 3U);
  EXPECT_FALSE(scored.prompt[0].log_probability.has_value());
  auto session = session_without_scheduler();
  ASSERT_TRUE(session.decode(made.prompt, runtime::LogitsWanted::all).ok());
  for (size_t t = 1; t < made.prompt.size(); ++t) {
    const auto logits = session.logits_of(static_cast<int64_t>(t) - 1);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    const double expected = static_cast<double>(logits[static_cast<size_t>(made.prompt[t])]) - std::log(sum);
    EXPECT_NEAR(*scored.prompt[t].log_probability, expected, 0.02) << t;
    ASSERT_EQ(scored.prompt[t].top.size(), 3U);
    EXPECT_GE(scored.prompt[t].top[0].second, scored.prompt[t].top[1].second);
  }
  EXPECT_EQ(scored.tokens[0].id, scored.tokens[0].top[0].first) << "greedy is the first of the list";
  EXPECT_EQ(*scored.tokens[0].log_probability, scored.tokens[0].top[0].second) << "the very same number";
}

TEST_F(SchedulerTest, PoolsHiddenRowsToAnEmbedding) {
  load();
  const auto embed = [&](std::string_view text, Pooling pooling) {
    Request made = request(text);
    made.pooling = pooling;
    return run(made).outcome.embedding;
  };
  const auto likeness = [](const std::vector<float>& a, const std::vector<float>& b) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      ab += static_cast<double>(a[i]) * static_cast<double>(b[i]);
      aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
      bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
    }
    return ab / std::sqrt(aa * bb);
  };
  for (const Pooling pooling : {Pooling::mean, Pooling::last, Pooling::cls}) {
    const auto dog = embed("The dog ran into the wood.", pooling);
    ASSERT_EQ(std::ssize(dog), engine_->config().width);
    EXPECT_NEAR(likeness(dog, embed("The dog ran into the wood.", pooling)), 1, 1e-6);
  }
  const auto dog = embed("The dog ran into the wood.", Pooling::mean);
  EXPECT_GT(likeness(dog, embed("The dog ran into the house.", Pooling::mean)),
            likeness(dog, embed("Seven kings counted gold", Pooling::mean)));
}

TEST_F(SchedulerTest, RefusesWhatCanNeverBeServed) {
  load();
  const auto is_refused = [&](const Request& made) {
    const auto answer = scheduler_->submit(made);
    return !answer.ok() && answer.error().kind == ErrorKind::invalid_argument;
  };
  Request empty = request("x"), too_long = request("x"), outside = request("x"), negative = request("x"),
          odd = request("x");
  empty.prompt.clear();
  too_long.prompt.assign(kContext, 5);
  outside.prompt = {1 << 30};
  negative.prompt = {-1};
  odd.sampling.top_p = std::numeric_limits<float>::quiet_NaN();
  for (const Request& made : {empty, too_long, outside, negative, odd}) EXPECT_TRUE(is_refused(made));
  too_long.prompt.resize(kContext - 1);
  EXPECT_EQ(run(too_long).outcome.n_prompt, kContext - 1);
}

TEST_F(SchedulerTest, EndsAtTheEndOfTheContext) {
  load();
  Request made = request(long_text(4), -1);
  for (const TokenId id : engine_->tokenizer().end_of_generation_ids()) {
    made.sampling.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
  }
  const Read answer = run(made);
  EXPECT_EQ(answer.outcome.reason, FinishReason::context_full);
  EXPECT_EQ(answer.outcome.n_prompt + answer.outcome.n_answer, kContext + 1);
}

TEST_F(SchedulerTest, ACancelledAnswerFreesItsSlot) {
  load({.n_slots = 1});
  const auto first = *scheduler_->submit(request("Once upon a time", 200));
  Piece piece;
  ASSERT_EQ(first->next(piece, 60s), Answer::Next::piece);
  const auto second = *scheduler_->submit(request("The dog", 5));
  const auto third = *scheduler_->submit(request("The cat", 5));
  third->cancel();
  first->cancel();
  EXPECT_EQ(read(second).outcome.n_answer, 5);
  EXPECT_EQ(read(first).outcome.reason, FinishReason::cancelled);
  EXPECT_EQ(read(third).outcome.reason, FinishReason::cancelled);
}

TEST_F(SchedulerTest, RefusesMoreThanMayWaitAndForgetsTheImpatient) {
  load({.n_slots = 1, .max_waiting = 2});
  Request endless = request("Once upon a time", 200);
  const auto first = *scheduler_->submit(endless);
  Piece piece;
  ASSERT_EQ(first->next(piece, 60s), Answer::Next::piece);
  Request impatient = request("The dog", 5);
  impatient.patience = 0ms;
  const auto second = *scheduler_->submit(impatient);
  EXPECT_EQ(read(second).outcome.reason, FinishReason::out_of_patience);
  std::vector<std::shared_ptr<Answer>> accepted;
  int n_refused = 0;
  for (int i = 0; i < 5; ++i) {
    auto answer = scheduler_->submit(request("The dog", 200));
    ASSERT_TRUE(answer.ok());
    if (*answer != nullptr) {
      accepted.push_back(*answer);
    } else {
      ++n_refused;
    }
  }
  EXPECT_GE(n_refused, 2);
  for (const auto& answer : accepted) answer->cancel();
  first->cancel();
}

TEST_F(SchedulerTest, DrainsWhatWasAccepted) {
  load({.n_slots = 2});
  std::vector<std::shared_ptr<Answer>> answers;
  for (const std::string& prompt : kPrompts) answers.push_back(*scheduler_->submit(request(prompt, 10)));
  scheduler_->drain();
  const auto late = scheduler_->submit(request("late"));
  ASSERT_TRUE(late.ok());
  EXPECT_EQ(*late, nullptr);
  EXPECT_TRUE(scheduler_->drained(60s));
  for (const auto& answer : answers) EXPECT_EQ(read(answer).outcome.n_answer, 10);
}

TEST_F(SchedulerTest, StopsAtOnceWhenDestroyed) {
  load({.n_slots = 1});
  const auto running = *scheduler_->submit(request("Once upon a time", 200));
  const auto waiting = *scheduler_->submit(request("The dog", 200));
  scheduler_.reset();
  EXPECT_EQ(read(running).outcome.reason, FinishReason::cancelled);
  EXPECT_EQ(read(waiting).outcome.reason, FinishReason::cancelled);
}

TEST_F(SchedulerTest, ManyThreadsMayAskAndLeave) {
  load({.n_slots = 3, .max_waiting = 1000});
  std::atomic<int> n_finished = 0;
  std::vector<std::thread> clients;
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 4; ++i) {
        const auto answer = *scheduler_->submit(request(kPrompts[static_cast<size_t>(client + i) % 10], 6));
        if ((client + i) % 3 == 0) answer->cancel();
        scheduler_->snapshot();
        const auto reason = read(answer).outcome.reason;
        if (reason == FinishReason::length || reason == FinishReason::cancelled) ++n_finished;
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(n_finished, 32);
  EXPECT_TRUE(scheduler_->drained(60s));
}

}  // namespace
}  // namespace plm::scheduler
