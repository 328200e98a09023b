// Runs a network: which bytes may come next, after those that came. A state is the set of all places in the
// network where the text so far may have led, each with the rules to return to; states are numbered, and what
// a byte does to one is remembered.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "grammar/network.h"

namespace plm::grammar {

class Automaton {
 public:
  using State = int32_t;
  static constexpr State kDead = -1;  // nothing matches any more

  // The network must outlive it.
  explicit Automaton(const Network& network);

  // Where the text begins. Fails as step does.
  Result<State> start();

  // Fails with invalid_argument on a grammar so ambiguous that a state has too many places.
  Result<State> step(State state, uint8_t byte);
  // What step() gives where it is remembered; else kUnknown.
  static constexpr State kUnknown = -2;
  State known_step(State state, uint8_t byte) const {
    const auto& next = states_[static_cast<size_t>(state)].next;
    return next == nullptr ? kUnknown : (*next)[byte];
  }

  bool can_end(State state) const { return states_[static_cast<size_t>(state)].can_end; }
  // Whether any byte can come.
  bool can_go_on(State state) const { return states_[static_cast<size_t>(state)].n_places > 0; }

  // How much has been remembered; forget_but drops it, but for one state, whose new number it returns.
  bool is_large() const { return places_.size() + frames_.size() > kLarge || states_.size() > kManyStates; }
  State forget_but(State state);
  // The work of a step that is new counts; too much since the last reset is an error.
  void reset_work() { work_ = 0; }

 private:
  static constexpr int32_t kBottom = 0;  // the frame of the root: nothing to return to
  static constexpr int32_t kMaxDepth = 256;
  static constexpr size_t kMaxPlaces = 4096;
  static constexpr size_t kLarge = 500'000, kTooLarge = 4'000'000;
  static constexpr size_t kManyStates = 4'096, kTooManyStates = 32'768;
  static constexpr int64_t kMaxWork = 2'000'000;

  struct Frame {
    int32_t node;    // where to go on
    int32_t parent;  // frame
    int32_t depth;
  };
  struct Place {
    int32_t node;  // of kind bytes
    int32_t frame;
    bool operator==(const Place&) const = default;
    auto operator<=>(const Place&) const = default;
  };
  struct StateInfo {
    size_t first_place = 0, n_places = 0;
    bool can_end = false;
    std::unique_ptr<std::array<State, 256>> next;  // kUnknown: not tried
  };

  void clear();
  int32_t frame_number(int32_t node, int32_t parent);
  void visit(int32_t node, int32_t frame);
  // The state of everything reached from what has been visited.
  Result<State> close();
  State state_number(std::vector<Place> places, bool can_end);
  std::span<const Place> places_of(State state) const;

  const Network& network_;
  std::vector<Frame> frames_;
  std::unordered_map<uint64_t, int32_t> frame_numbers_;
  std::vector<StateInfo> states_;
  std::vector<Place> places_;
  std::unordered_multimap<uint64_t, State> state_numbers_;  // by the hash of the places
  std::vector<Place> open_;                                 // to be visited
  int64_t work_ = 0;
};

}  // namespace plm::grammar
