// Drafts in the scheduler: what is answered, and what slots and the store hold afterwards, is what it would
// be without them.
#include <gtest/gtest.h>

#include <thread>

#include "grammar/gbnf.h"
#include "reading.h"
#include "runtime/model_drafter.h"
#include "scheduler/scheduler.h"

namespace plm::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kContext = 192;
const std::string kModel = PLM_SOURCE_DIR "/models/story-7m-f16.gguf";

std::unique_ptr<runtime::Engine> load_model() {
  auto engine = runtime::Engine::load({.model_path = kModel,
                                       .n_threads = 1,
                                       .context_length = kContext,
                                       .batch_size = 128,
                                       .cache_type = {}});
  EXPECT_TRUE(engine.ok()) << engine.error().message;
  return std::move(*engine);
}

// Guesses something else each time, hardly ever rightly.
class WrongDrafter final : public runtime::Drafter {
 public:
  void begin(int, std::span<const TokenId>) override {}
  void append(int, TokenId) override {}
  Status propose(std::span<runtime::DraftAsk> asks) override {
    for (auto& ask : asks) {
      ask.tokens.clear();
      for (int64_t i = 0; i < ask.most; ++i) ask.tokens.push_back(static_cast<TokenId>(n_++ % 4000));
    }
    return {};
  }

 private:
  int64_t n_ = 0;
};

class FailingDrafter final : public runtime::Drafter {
 public:
  void begin(int, std::span<const TokenId>) override {}
  void append(int, TokenId) override {}
  Status propose(std::span<runtime::DraftAsk>) override {
    return make_error(ErrorKind::out_of_memory, "nothing comes to mind");
  }
};

class SchedulerDrafts : public testing::Test {
 protected:
  void start(std::shared_ptr<runtime::Drafter> drafter, int n_slots = 4, bool adapts = false) {
    scheduler_.reset();
    SchedulerOptions options;
    options.n_slots = n_slots;
    options.drafter = std::move(drafter);
    options.drafts.adapts = adapts;
    auto scheduler = Scheduler::create(*engine_, options);
    ASSERT_TRUE(scheduler.ok()) << scheduler.error().message;
    scheduler_ = std::move(*scheduler);
  }
  std::shared_ptr<runtime::Drafter> ngrams() const {
    return std::make_shared<runtime::NgramDrafter>(runtime::NgramSizes{.shortest = 1, .longest = 8}, 16);
  }
  std::shared_ptr<runtime::Drafter> same_model() const {
    return *runtime::ModelDrafter::create(load_model(), *engine_, 16);
  }

  Request request(std::string_view prompt, int64_t max_tokens = 40) const {
    Request made;
    made.prompt = engine_->tokenizer().encode(prompt);
    made.max_tokens = max_tokens;
    made.sampling.temperature = 0;
    made.n_top = 2;
    return made;
  }
  Read run(Request made) { return scheduler::run(*scheduler_, std::move(made)); }

  static void expect_equal(const Read& drafted, const Read& alone, const std::string& what) {
    EXPECT_EQ(drafted.text, alone.text) << what;
    ASSERT_EQ(drafted.tokens.size(), alone.tokens.size()) << what;
    for (size_t i = 0; i < alone.tokens.size(); ++i) {
      EXPECT_EQ(drafted.tokens[i].id, alone.tokens[i].id) << what << ", token " << i;
      EXPECT_EQ(drafted.tokens[i].log_probability, alone.tokens[i].log_probability)
          << what << ", token " << i;
      EXPECT_EQ(drafted.tokens[i].top, alone.tokens[i].top) << what << ", token " << i;
    }
    EXPECT_EQ(drafted.outcome.reason, alone.outcome.reason) << what;
    EXPECT_EQ(drafted.outcome.stop_text, alone.outcome.stop_text) << what;
    EXPECT_EQ(drafted.outcome.n_answer, alone.outcome.n_answer) << what;
  }

  // Requests of all kinds, one after the other.
  std::vector<Request> requests() const {
    std::vector<Request> all = {request("Once upon a time"), request("The dog", 7), request("The dog", 1)};
    for (const uint64_t seed : {1, 2, 3}) {
      all.push_back(request("The king said"));
      all.back().sampling.temperature = 1.1F;
      all.back().sampling.seed = seed;
      all.back().sampling.repeat_penalty = 1.2F;
    }
    all.push_back(request("Once upon a time", 60));
    all.back().stop_texts = {" wa", "fox", "her"};
    all.push_back(request("Far away, behind the mountains, there was", -1));  // until the context is full
    for (const TokenId id : engine_->tokenizer().end_of_generation_ids()) {
      all.back().sampling.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
    }
    all.push_back(request("Once there was"));
    all.back().sampling.constraint =
        *grammar::Constraint::create(*grammar::parse_gbnf("root ::= (\" \" [a-z]+)+ \".\""),
                                     grammar::TokenIndex::create(engine_->tokenizer()));
    return all;
  }

  std::unique_ptr<runtime::Engine> engine_ = load_model();
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerDrafts, ChangeNoAnswerAndNothingInTheSlot) {
  std::vector<Read> alone;
  std::vector<SlotRows> rows;
  start(nullptr, 1);
  for (Request& made : requests()) {
    alone.push_back(run(std::move(made)));
    rows.push_back(*scheduler_->copy_slot(0, 10s));
  }
  const std::vector<std::pair<std::string, std::shared_ptr<runtime::Drafter>>> drafters = {
      {"n-grams", ngrams()},
      {"the model itself", same_model()},
      {"wrong", std::make_shared<WrongDrafter>()},
      {"failing", std::make_shared<FailingDrafter>()},
      {"two", std::make_shared<runtime::TwoDrafters>(std::make_unique<WrongDrafter>(),
                                                     std::make_unique<WrongDrafter>())}};
  for (const auto& [name, drafter] : drafters) {
    for (const bool adapts : {false, true}) {
      if (adapts && name != "n-grams") continue;
      start(drafter, 1, adapts);
      auto all = requests();
      for (size_t i = 0; i < all.size(); ++i) {
        const std::string what = name + ", request " + std::to_string(i);
        const Read drafted = run(std::move(all[i]));
        expect_equal(drafted, alone[i], what);
        const SlotRows held = *scheduler_->copy_slot(0, 10s);
        EXPECT_EQ(held.tokens, rows[i].tokens) << what;
        EXPECT_EQ(held.n_exact, rows[i].n_exact) << what;
        EXPECT_EQ(held.rows, rows[i].rows) << what;
      }
    }
  }
}

TEST_F(SchedulerDrafts, AreAcceptedWhereTheGuessIsRight) {
  start(same_model(), 1);
  const Read drafted = run(request("Once upon a time", 33));
  const runtime::DraftCounts& counts = drafted.outcome.drafts;
  EXPECT_GT(counts.n_drafted, 20);
  EXPECT_EQ(counts.n_accepted, counts.n_drafted);
  EXPECT_EQ(counts.n_accepted + counts.n_steps + 1, 33);  // the first token comes of the prompt
  scheduler_->drain();
  ASSERT_TRUE(scheduler_->drained(60s));
  const Snapshot now = scheduler_->snapshot();
  EXPECT_EQ(now.counters.drafts.n_drafted, counts.n_drafted);
  EXPECT_EQ(now.counters.drafts.n_accepted, counts.n_accepted);
  EXPECT_EQ(now.counters.n_answer_tokens, 32);
}

TEST_F(SchedulerDrafts, AreNoneOfTheActivityWhereTheyWereWrong) {
  // So few tokens that no step is forgotten.
  const auto activity = [&](std::shared_ptr<runtime::Drafter> drafter) {
    start(std::move(drafter), 1);
    Request made = request("Once upon a time", 12);
    made.reuse = Reuse::none;
    run(std::move(made));
    scheduler_->drain();
    EXPECT_TRUE(scheduler_->drained(60s));
    return scheduler_->snapshot();
  };
  const Snapshot alone = activity(nullptr);
  EXPECT_EQ(alone.activity.n_tokens, 4 + 11);  // the prompt, and what was chosen but the last
  for (const auto& drafter :
       {std::shared_ptr<runtime::Drafter>(std::make_shared<WrongDrafter>()), same_model()}) {
    const Snapshot drafted = activity(drafter);
    EXPECT_GT(drafted.counters.drafts.n_drafted, 0);
    EXPECT_EQ(drafted.activity.n_tokens, alone.activity.n_tokens);
    EXPECT_EQ(drafted.activity.live_of_layer, alone.activity.live_of_layer);
  }
}

TEST_F(SchedulerDrafts, AreNotMadeForARequestThatWantsNone) {
  start(same_model(), 1);
  Request made = request("Once upon a time");
  made.drafts.n_max = 0;
  EXPECT_EQ(run(std::move(made)).outcome.drafts.n_drafted, 0);
  made = request("Once upon a time");
  made.drafts.n_min = 8;  // more than a step has room for
  EXPECT_EQ(run(std::move(made)).outcome.drafts.n_drafted, 0);
  made = request("Once upon a time");
  made.drafts.p_min = 1;  // surer than any model
  EXPECT_EQ(run(std::move(made)).outcome.drafts.n_drafted, 0);
}

TEST_F(SchedulerDrafts, ServeSeveralAtOnceAsEachAlone) {
  start(nullptr, 1);
  std::vector<Read> alone;
  for (Request& made : requests()) alone.push_back(run(std::move(made)));
  for (const auto& drafter : {ngrams(), same_model()}) {
    for (const int n_slots : {2, 3, 12}) {
      start(drafter, n_slots);
      std::vector<std::shared_ptr<Answer>> answers;
      for (Request& made : requests()) {
        made.reuse = Reuse::none;
        auto answer = scheduler_->submit(std::move(made));
        ASSERT_TRUE(answer.ok()) << answer.error().message;
        answers.push_back(*answer);
      }
      for (size_t i = 0; i < answers.size(); ++i) {
        expect_equal(read(answers[i]), alone[i],
                     std::to_string(n_slots) + " slots, request " + std::to_string(i));
      }
    }
  }
}

TEST_F(SchedulerDrafts, LeaveAStoreWhoseRowsAreExact) {
  std::string long_prompt;
  while (engine_->tokenizer().encode(long_prompt).size() < 130)
    long_prompt += "The dog saw a fox. The fox ran. ";
  const auto seeded = [&](const std::string& end) {
    Request made = request(long_prompt + end, 20);
    made.reuse = Reuse::exact;
    made.sampling.seed = 5;
    made.sampling.temperature = 1;
    return made;
  };
  start(nullptr, 2);
  const Read alone = run(seeded("And"));
  start(ngrams(), 2);
  run(request(long_prompt, 20));
  const Read drafted = run(seeded("And"));
  EXPECT_EQ(drafted.outcome.n_cached, 128);
  expect_equal(drafted, alone, "on rows that were kept");
}

TEST_F(SchedulerDrafts, EndWithACancelledAnswer) {
  start(ngrams(), 2);
  Request made = request("Once upon a time", -1);
  auto answer = *scheduler_->submit(std::move(made));
  Piece piece;
  ASSERT_EQ(answer->next(piece, 60s), Answer::Next::piece);
  answer->cancel();
  read(answer);
  // Whoever comes next finds things in order.
  const Read after = run(request("Once upon a time"));
  start(nullptr, 2);
  expect_equal(after, run(request("Once upon a time")), "after one that left");
}

}  // namespace
}  // namespace plm::scheduler
