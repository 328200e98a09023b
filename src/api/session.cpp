// Cached rows in files.
#include <algorithm>

#include "api/guard.h"
#include "api/state.h"
#include "base/mapped_file.h"

namespace plm {

namespace {

// ask(patience) again and again while the slot is taken.
template <class Ask>
auto when_free(const KeepGoing& keep_going, Ask&& ask) -> decltype(ask(api::kGlance)) {
  while (api::goes_on(keep_going)) {
    auto answer = ask(api::kGlance);
    if (answer.ok() || answer.error().kind != ErrorKind::cancelled) return answer;
  }
  return api::stopped_error();
}

Result<scheduler::SlotShape> slot_shape(scheduler::Scheduler& scheduler, const KeepGoing& keep_going) {
  return when_free(keep_going, [&](std::chrono::milliseconds patience) {
    return api::guarded([&] { return scheduler.slot_shape(patience); });
  });
}

// One that nobody uses and that holds least, if there is one.
int slot_to_fill(const scheduler::Snapshot& snapshot) {
  const auto order = [](const scheduler::SlotState& slot) { return std::pair(slot.is_busy, slot.n_tokens); };
  return std::ranges::min_element(snapshot.slots, {}, order)->id;
}

}  // namespace

Result<Session> Model::save_session(const std::string& path, const KeepGoing& keep_going) const {
  const int slot = state_->last_slot;
  if (slot < 0)
    return make_error(ErrorKind::invalid_argument,
                      "there is no session to save: no answer was read to its end");
  PLM_TRY(const auto shape, slot_shape(*state_->scheduler, keep_going));
  PLM_TRY(auto rows, when_free(keep_going, [&](std::chrono::milliseconds patience) {
            return api::guarded([&] { return state_->scheduler->copy_slot(slot, patience); });
          }));
  return api::guarded([&]() -> Result<Session> {
    PLM_TRY(const int64_t n_bytes, scheduler::write_slot_file(path, shape, rows));
    return Session{.tokens = std::move(rows.tokens), .n_bytes = n_bytes};
  });
}

Result<Session> Model::load_session(const std::string& path, const KeepGoing& keep_going) const {
  PLM_TRY(const auto mapped, api::guarded([&] { return MappedFile::open(path); }));
  PLM_TRY(const auto shape, slot_shape(*state_->scheduler, keep_going));
  PLM_TRY(auto file, api::guarded([&] { return scheduler::parse_slot_file(mapped.bytes(), path, shape); }));
  const int slot = slot_to_fill(state_->scheduler->snapshot());
  PLM_TRY_STATUS(when_free(keep_going, [&](std::chrono::milliseconds patience) {
    return api::guarded([&] { return state_->scheduler->fill_slot(slot, file.rows, patience); });
  }));
  state_->last_slot = slot;
  return Session{.tokens = std::move(file.rows.tokens), .n_bytes = file.n_bytes};
}

}  // namespace plm
