#include "grammar/automaton.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

namespace plm::grammar {

namespace {

uint64_t key_of(int32_t a, int32_t b) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(a)) << 32) | static_cast<uint32_t>(b);
}

uint64_t mixed(uint64_t hash, uint64_t number) {
  hash = (hash ^ number) * 0x9E3779B97F4A7C15ULL;
  return hash ^ (hash >> 29);
}

}  // namespace

Automaton::Automaton(const Network& network) : network_(network) { clear(); }

void Automaton::clear() {
  frames_ = {{.node = -1, .parent = -1, .depth = 0}};
  frame_numbers_.clear();
  states_.clear();
  places_.clear();
  state_numbers_.clear();
}

int32_t Automaton::frame_number(int32_t node, int32_t parent) {
  const auto [found, is_new] =
      frame_numbers_.try_emplace(key_of(node, parent), static_cast<int32_t>(frames_.size()));
  if (is_new) {
    frames_.push_back(
        {.node = node, .parent = parent, .depth = frames_[static_cast<size_t>(parent)].depth + 1});
  }
  return found->second;
}

std::span<const Automaton::Place> Automaton::places_of(State state) const {
  const StateInfo& info = states_[static_cast<size_t>(state)];
  return std::span(places_).subspan(info.first_place, info.n_places);
}

void Automaton::visit(int32_t node, int32_t frame) { open_.push_back({node, frame}); }

Result<Automaton::State> Automaton::close() {
  std::vector<Place> places;
  std::unordered_set<uint64_t> seen;
  bool can_end = false;
  while (!open_.empty()) {
    const Place place = open_.back();
    open_.pop_back();
    if (!seen.insert(key_of(place.node, place.frame)).second) continue;
    if (seen.size() > kMaxPlaces || ++work_ > kMaxWork) {
      open_.clear();
      return make_error(ErrorKind::invalid_argument,
                        "the grammar is too ambiguous: too many ways to read the text so far");
    }
    const Node& node = network_.nodes[static_cast<size_t>(place.node)];
    switch (node.kind) {
      case Node::Kind::bytes:
        places.push_back(place);
        break;
      case Node::Kind::split:
        visit(node.next, place.frame);
        visit(node.argument, place.frame);
        break;
      case Node::Kind::call: {
        const int32_t entry = network_.entries[static_cast<size_t>(node.argument)];
        // A call that comes last returns to where its rule returns: lists do not grow the stack.
        if (network_.nodes[static_cast<size_t>(node.next)].kind == Node::Kind::end) {
          visit(entry, place.frame);
        } else if (frames_[static_cast<size_t>(place.frame)].depth < kMaxDepth) {
          visit(entry, frame_number(node.next, place.frame));
        }
        break;
      }
      case Node::Kind::end:
        if (place.frame == kBottom) {
          can_end = true;
        } else {
          const Frame frame = frames_[static_cast<size_t>(place.frame)];
          visit(frame.node, frame.parent);
        }
        break;
    }
  }
  if (places.empty() && !can_end) return kDead;
  if (places_.size() + frames_.size() > kTooLarge || states_.size() >= kTooManyStates) {
    return make_error(ErrorKind::invalid_argument, "the grammar has too many states for one step");
  }
  return state_number(std::move(places), can_end);
}

Automaton::State Automaton::state_number(std::vector<Place> places, bool can_end) {
  std::ranges::sort(places);
  uint64_t hash = can_end ? 1 : 0;
  for (const Place& place : places) hash = mixed(hash, key_of(place.node, place.frame));
  const auto [first, last] = state_numbers_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    const bool is_same = states_[static_cast<size_t>(known->second)].can_end == can_end &&
                         std::ranges::equal(places_of(known->second), places);
    if (is_same) return known->second;
  }
  const auto number = static_cast<State>(states_.size());
  states_.push_back(
      {.first_place = places_.size(), .n_places = places.size(), .can_end = can_end, .next = nullptr});
  places_.insert(places_.end(), places.begin(), places.end());
  state_numbers_.emplace(hash, number);
  return number;
}

Result<Automaton::State> Automaton::start() {
  visit(network_.root, kBottom);
  return close();
}

Result<Automaton::State> Automaton::step(State state, uint8_t byte) {
  StateInfo& info = states_[static_cast<size_t>(state)];
  if (info.next == nullptr) {
    info.next = std::make_unique<std::array<State, 256>>();
    info.next->fill(kUnknown);
  }
  std::array<State, 256>& next = *info.next;  // stays where it is when states_ grows
  if (next[byte] != kUnknown) return next[byte];
  work_ += static_cast<int64_t>(info.n_places / 8);  // looking at a place is little beside visiting one
  // Bytes that the same places take lead to the same state, which is remembered for all of them.
  ByteSet alike;
  alike.fill(~uint64_t{0});
  for (const Place& place : places_of(state)) {
    const Node& node = network_.nodes[static_cast<size_t>(place.node)];
    const ByteSet& set = network_.sets[static_cast<size_t>(node.argument)];
    const bool takes = has(set, byte);
    for (size_t word = 0; word < set.size(); ++word) alike[word] &= takes ? set[word] : ~set[word];
    if (takes) visit(node.next, place.frame);
  }
  PLM_TRY(const State reached, close());
  for (size_t word = 0; word < alike.size(); ++word) {
    for (uint64_t rest = alike[word]; rest != 0; rest &= rest - 1) {
      next[word * 64 + static_cast<size_t>(std::countr_zero(rest))] = reached;
    }
  }
  return reached;
}

Automaton::State Automaton::forget_but(State state) {
  const auto kept = places_of(state);
  const bool ends = can_end(state);
  // Each place with the nodes of its frames, outermost first.
  std::vector<std::pair<int32_t, std::vector<int32_t>>> stacks;
  for (const Place& place : kept) {
    std::vector<int32_t> nodes;
    for (int32_t frame = place.frame; frame != kBottom; frame = frames_[static_cast<size_t>(frame)].parent) {
      nodes.push_back(frames_[static_cast<size_t>(frame)].node);
    }
    stacks.emplace_back(place.node, std::vector<int32_t>(nodes.rbegin(), nodes.rend()));
  }
  clear();
  std::vector<Place> places;
  for (const auto& [node, nodes] : stacks) {
    int32_t frame = kBottom;
    for (const int32_t frame_node : nodes) frame = frame_number(frame_node, frame);
    places.push_back({node, frame});
  }
  return state_number(std::move(places), ends);
}

}  // namespace plm::grammar
