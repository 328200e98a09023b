#include "scheduler/scheduler.h"

#include <algorithm>
#include <new>

#include "base/clock.h"
#include "kernels/activations.h"
#include "runtime/log_probability.h"

namespace plm::scheduler {

namespace {

constexpr int64_t kPage = PrefixStore::kPageTokens;

int64_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto n = static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
  return std::mismatch(a.begin(), a.begin() + n, b.begin()).first - a.begin();
}

// Of a prompt all but its last token can be taken over: its logits are wanted.
std::span<const TokenId> reusable(const Request& request) {
  if (request.reuse == Reuse::none || request.scores_prompt || request.pooling) return {};
  return std::span(request.prompt).first(request.prompt.size() - 1);
}

// What a slot holds of the beginning of a request.
int64_t held(const Slot& slot, const Request& request) {
  const int64_t n = common_prefix(slot.tokens, reusable(request));
  return request.reuse == Reuse::exact ? std::min(n, slot.n_exact) / kPage * kPage : n;
}

}  // namespace

Scheduler::Scheduler(runtime::Engine& engine, SchedulerOptions options)
    : engine_(engine),
      options_(std::move(options)),
      prefixes_(options_.prefix_bytes),
      planner_(options_.drafts.adapts) {}

Result<std::unique_ptr<Scheduler>> Scheduler::create(runtime::Engine& engine, SchedulerOptions options) {
  constexpr int kMostSlots = SchedulerOptions::kMostSlots;
  if (options.n_slots < 1 || options.n_slots > kMostSlots || options.max_waiting < 0 ||
      options.prefix_bytes < 0) {
    return make_error(
        ErrorKind::invalid_argument,
        "slots, longest queue and bytes for prompts: found {}, {} and {}, expected 1 to {} slots "
        "and no negative numbers",
        options.n_slots, options.max_waiting, options.prefix_bytes, kMostSlots);
  }
  std::unique_ptr<Scheduler> scheduler(new Scheduler(engine, std::move(options)));
  for (int id = 0; id < scheduler->options_.n_slots; ++id) {
    PLM_TRY(auto session, engine.new_session());
    scheduler->slots_.push_back(Slot{.id = id, .session = std::move(session), .tokens = {}});
  }
  scheduler->publish();
  scheduler->thread_ = std::thread([self = scheduler.get()] { self->run(); });
  return scheduler;
}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    is_draining_ = is_stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<std::shared_ptr<Answer>> Scheduler::submit(Request request) {
  const int64_t n_prompt = std::ssize(request.prompt), capacity = engine_.context_length();
  if (request.pooling) request.max_tokens = 0;
  const int64_t room = request.max_tokens == 0 ? capacity : capacity - 1;
  if (n_prompt < 1 || n_prompt > room) {
    return make_error(ErrorKind::invalid_argument,
                      "the prompt: found {} tokens, expected 1 to {} (the context holds {})", n_prompt, room,
                      capacity);
  }
  for (const TokenId token : request.prompt) {
    if (token < 0 || token >= engine_.config().vocabulary_size) {
      return make_error(ErrorKind::invalid_argument, "the prompt: token id {}, expected 0 to {}", token,
                        engine_.config().vocabulary_size - 1);
    }
  }
  PLM_TRY(auto sampler, runtime::Sampler::create(request.sampling, engine_.config().vocabulary_size));
  auto answer = std::make_shared<Answer>();
  auto sequence = std::make_unique<Sequence>(std::move(request), answer, std::move(sampler), engine_);
  {
    const std::lock_guard lock(mutex_);
    const int64_t n_free = options_.n_slots - snapshot_.n_running;
    if (is_draining_ || n_waiting_ >= options_.max_waiting + n_free) return std::shared_ptr<Answer>();
    ++n_waiting_;
    ++n_unfinished_;
    arrived_.push_back(std::move(sequence));
  }
  changed_.notify_all();
  return answer;
}

void Scheduler::drain() {
  const std::lock_guard lock(mutex_);
  is_draining_ = true;
}

bool Scheduler::is_draining() const {
  const std::lock_guard lock(mutex_);
  return is_draining_;
}

bool Scheduler::drained(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [this] { return n_unfinished_ == 0; });
}

void Scheduler::cancel_all() {
  const std::lock_guard lock(mutex_);
  cancels_all_ = true;
}

Snapshot Scheduler::snapshot() const {
  const std::lock_guard lock(mutex_);
  Snapshot snapshot = snapshot_;
  snapshot.n_waiting = n_waiting_;
  return snapshot;
}

void Scheduler::publish() {
  Snapshot snapshot;
  snapshot.counters = counters_;
  snapshot.n_running = std::ssize(running_);
  snapshot.prefix_bytes = prefixes_.bytes();
  snapshot.n_prefix_pages = prefixes_.n_pages();
  snapshot.prefix_version = prefixes_.version();
  snapshot.activity = activity_.recent();
  for (const Slot& slot : slots_) {
    snapshot.slots.push_back({.id = slot.id,
                              .is_busy = slot.is_busy,
                              .n_tokens = slot.session.position(),
                              .capacity = slot.session.capacity()});
  }
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(snapshot);
}

void Scheduler::run() {
  std::vector<std::unique_ptr<Sequence>> waiting;
  while (true) {
    {
      // A request that waits while all slots are free waits for patience to end or a reader to leave; so
      // there is nothing to be woken for but arrivals.
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] {
        return is_stopping_ || !arrived_.empty() || !slot_tasks_.empty() || !waiting.empty() ||
               !running_.empty();
      });
      for (auto& sequence : arrived_) waiting.push_back(std::move(sequence));
      arrived_.clear();
      if (is_stopping_) break;
      if (std::exchange(cancels_all_, false)) {
        for (auto& sequence : waiting) sequence->answer().cancel();
        for (auto& sequence : running_) sequence->answer().cancel();
      }
    }
    remove_finished();
    run_slot_tasks();
    admit(waiting);
    publish();
    if (!running_.empty()) round();
    publish();
    const std::lock_guard lock(mutex_);
    if (n_unfinished_ == 0) changed_.notify_all();
  }
  for (auto& sequence : waiting) sequence->finish(FinishReason::cancelled);
  for (auto& sequence : running_) {
    if (!sequence->is_finished()) sequence->finish(FinishReason::cancelled);
  }
}

// Gives free slots to those that wait, in the order they came, and sends away who waited too long or went.
void Scheduler::admit(std::vector<std::unique_ptr<Sequence>>& waiting) {
  const double now = seconds_now();
  int64_t n_gone = 0, n_started = 0;
  for (auto& sequence : waiting) {
    const double patience = std::chrono::duration<double>(sequence->request().patience).count();
    if (sequence->answer().is_cancelled() || now - sequence->submitted() > patience) {
      const bool went = sequence->answer().is_cancelled();
      sequence->finish(went ? FinishReason::cancelled : FinishReason::out_of_patience);
      counters_.n_cancelled += went ? 1 : 0;
      sequence.reset();
      ++n_gone;
      continue;
    }
    if (should_wait(*sequence)) continue;
    Slot* slot = choose_slot(*sequence);
    if (slot == nullptr) continue;
    start(*sequence, *slot);
    running_.push_back(std::move(sequence));
    ++n_started;
  }
  std::erase(waiting, nullptr);
  const std::lock_guard lock(mutex_);
  n_waiting_ -= n_gone + n_started;
  n_unfinished_ -= n_gone;
}

// Whether somebody is reading a prompt of which this one could take over more than there is now.
bool Scheduler::should_wait(const Sequence& sequence) const {
  const auto prompt = reusable(sequence.request());
  if (options_.prefix_bytes == 0 || std::ssize(prompt) < kPage) return false;
  int64_t best = 0;
  for (const auto& other : running_) {
    if (other->n_unread() == 0 || other->request().reuse == Reuse::none) continue;
    best = std::max(best, common_prefix(other->request().prompt, prompt));
  }
  if (best < kPage) return false;
  return prefixes_.match(prompt, sequence.request().reuse == Reuse::exact) + kPage <= best / kPage * kPage;
}

// The free slot that holds most of the prompt; where none holds anything, the one unused for longest.
Slot* Scheduler::choose_slot(const Sequence& sequence) {
  Slot* best = nullptr;
  int64_t best_held = 0;
  for (Slot& slot : slots_) {
    if (slot.is_busy) continue;
    const int64_t n = held(slot, sequence.request());
    if (best == nullptr || n > best_held || (n == best_held && slot.last_used < best->last_used)) {
      best = &slot;
      best_held = n;
    }
  }
  return best;
}

void Scheduler::start(Sequence& sequence, Slot& slot) {
  const Request& request = sequence.request();
  const auto prompt = reusable(request);
  const bool exact_only = request.reuse == Reuse::exact;
  const int64_t n_held = held(slot, request);
  if (prefixes_.match(prompt, exact_only) > n_held) {
    slot.session.truncate(0);
    const auto loaded = prefixes_.load(prompt, exact_only, slot.session.cache());
    slot.tokens.assign(prompt.begin(), prompt.begin() + loaded.n_tokens);
    slot.n_exact = loaded.n_exact;
  } else {
    slot.session.truncate(n_held);
    slot.tokens.resize(static_cast<size_t>(n_held));
    slot.n_exact = std::min(slot.n_exact, n_held / kPage * kPage);
  }
  counters_.n_reused_tokens += slot.session.position();
  sequence.start(slot);
}

void Scheduler::keep_rows(Sequence& sequence) {
  if (options_.prefix_bytes == 0 || sequence.request().reuse == Reuse::none) return;
  const Slot& slot = *sequence.slot();
  prefixes_.insert(slot.tokens, slot.n_exact, slot.session.cache());
}

void Scheduler::remove_finished() {
  for (auto& sequence : running_) {
    if (!sequence->is_finished() && sequence->answer().is_cancelled()) {
      sequence->finish(FinishReason::cancelled);
      ++counters_.n_cancelled;
    }
    if (!sequence->is_finished()) continue;
    keep_rows(*sequence);
    sequence->slot()->is_busy = false;
    sequence->slot()->last_used = ++clock_;
    sequence.reset();
  }
  const auto n_gone = static_cast<int64_t>(std::erase(running_, nullptr));
  const std::lock_guard lock(mutex_);
  n_unfinished_ -= n_gone;
}

// Tokens of prompts to run in a step.
int64_t Scheduler::prompt_budget() const {
  const bool is_anyone_writing =
      std::ranges::any_of(running_, [](const auto& sequence) { return sequence->n_unread() == 0; });
  const int64_t most = engine_.batch_size();
  if (!is_anyone_writing || prompt_rate_ == 0) return is_anyone_writing ? std::min(kPage, most) : most;
  const double pause = std::chrono::duration<double>(options_.longest_pause).count();
  return std::clamp(static_cast<int64_t>(prompt_rate_ * pause), std::min(kPage, most), most);
}

// Turns of up to kFineTokens tokens apart from larger ones: the two round differently.
Scheduler::Plan Scheduler::plan() {
  Plan plan;
  std::vector<Sequence*> readers;
  for (const auto& sequence : running_) {
    if (sequence->n_unread() == 0) {
      plan.few.push_back({.sequence = sequence.get(), .n_tokens = 1});
    } else {
      readers.push_back(sequence.get());
    }
  }
  if (readers.empty()) return plan;
  // Those that read take turns at being the first, and share what there is.
  const size_t first = next_reader_++ % readers.size();
  std::ranges::rotate(readers, readers.begin() + static_cast<std::ptrdiff_t>(first));
  const int64_t least = std::min(kPage, engine_.batch_size());
  int64_t left = prompt_budget(), n_left = std::ssize(readers);
  for (Sequence* reader : readers) {
    int64_t share = std::max(least, left / n_left--);
    if (reader->request().scores_prompt) {
      share =
          std::min(share, std::max(least, runtime::scored_batch(share, engine_.config().vocabulary_size)));
    }
    const int64_t n_tokens = reader->next_size(share);
    if (n_tokens <= kernels::kFineTokens) {
      plan.few.push_back({.sequence = reader, .n_tokens = n_tokens});
    } else if (n_tokens <= left) {
      plan.many.push_back({.sequence = reader, .n_tokens = n_tokens});
      left -= n_tokens;
    }
  }
  return plan;
}

void Scheduler::round() {
  Plan turns = plan();
  const int64_t most = std::min(kernels::kFineTokens, engine_.batch_size());
  std::vector<PlannedTurn> step;
  int64_t n_tokens = 0;
  for (const PlannedTurn& turn : turns.few) {
    if (n_tokens + turn.n_tokens > most) {
      add_drafts(step, most);
      counters_.answer_seconds += run_step(step, StepKind::answers);
      step.clear();
      n_tokens = 0;
    }
    step.push_back(turn);
    n_tokens += turn.n_tokens;
  }
  if (!step.empty()) {
    add_drafts(step, most);
    counters_.answer_seconds += run_step(step, StepKind::answers);
  }
  if (turns.many.empty()) return;
  const double seconds = run_step(turns.many, StepKind::prompts);
  counters_.prompt_seconds += seconds;
  int64_t n_read = 0;
  for (const PlannedTurn& turn : turns.many) n_read += turn.n_tokens;
  if (n_read < kPage || seconds <= 0) return;
  const double rate = static_cast<double>(n_read) / seconds;
  prompt_rate_ = prompt_rate_ == 0 ? rate : 0.7 * prompt_rate_ + 0.3 * rate;
}

// Returns how long it took.
double Scheduler::run_step(std::span<PlannedTurn> step, StepKind kind) {
  const double start = seconds_now();
  std::vector<runtime::Turn> turns;
  for (const auto& [sequence, n_tokens] : step) turns.push_back(sequence->next_turn(n_tokens));
  if (const Status status = decode(turns); !status.ok()) {
    for (const auto& [sequence, n_tokens] : step) sequence->finish(FinishReason::failed, status.error());
    return seconds_now() - start;
  }
  if (kind == StepKind::answers) {
    int64_t n_together = 0;
    for (const auto& [sequence, n_tokens] : step) n_together += n_tokens;
    planner_.count_step(n_together, seconds_now() - start);
  }
  ++counters_.n_steps;
  counters_.n_busy_slots += std::ssize(step);
  std::vector<int64_t> kept;  // of the tokens of the step
  int64_t first_token = 0;
  for (const auto& [sequence, n_tokens] : step) {
    Slot& slot = *sequence->slot();
    const bool was_reading = std::ssize(slot.tokens) < std::ssize(sequence->request().prompt);
    const runtime::DraftCounts before = sequence->drafts();
    const int64_t n_kept = sequence->after_step();
    (was_reading ? counters_.n_prompt_tokens : counters_.n_answer_tokens) += n_kept;
    for (int64_t i = 0; i < n_kept; ++i) kept.push_back(first_token + i);
    first_token += n_tokens;
    counters_.drafts.n_steps += sequence->drafts().n_steps - before.n_steps;
    counters_.drafts.n_drafted += sequence->drafts().n_drafted - before.n_drafted;
    counters_.drafts.n_accepted += sequence->drafts().n_accepted - before.n_accepted;
    tell_drafter(*sequence, was_reading);
    counters_.most_tokens = std::max(counters_.most_tokens, slot.session.position());
    // As soon as a prompt is read, those that begin like it may go on from there.
    if (was_reading && sequence->n_unread() == 0) keep_rows(*sequence);
    if (sequence->is_finished()) ++counters_.n_finished;
  }
  if (kind == StepKind::answers) activity_.add_answer_step(engine_.model().sparsity(), kept);
  return seconds_now() - start;
}

Status Scheduler::decode(std::span<const runtime::Turn> turns) {
  try {
    return engine_.decode_together(turns);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorKind::out_of_memory, "there is no memory for the logits of {} sequences",
                      turns.size());
  }
}

}  // namespace plm::scheduler
