#include "grammar/network.h"

#include <algorithm>
#include <map>
#include <span>

#include "grammar/pattern_text.h"

namespace plm::grammar {

namespace {

struct ByteRange {
  uint8_t first, last;
};
using ByteSequence = std::vector<ByteRange>;

// The range as sequences of byte ranges. All of its characters have the same number of bytes.
void split_range(uint32_t first, uint32_t last, int n_bytes, std::vector<ByteSequence>& sequences) {
  for (int i = 1; i < n_bytes; ++i) {
    const uint32_t low = (1U << (6 * i)) - 1;
    if ((first & ~low) == (last & ~low)) continue;
    if ((first & low) != 0) {
      split_range(first, first | low, n_bytes, sequences);
      return split_range((first | low) + 1, last, n_bytes, sequences);
    }
    if ((last & low) != low) {
      split_range(first, (last & ~low) - 1, n_bytes, sequences);
      return split_range(last & ~low, last, n_bytes, sequences);
    }
  }
  std::string from, to;
  append_utf8(from, first);
  append_utf8(to, last);
  ByteSequence sequence;
  for (size_t i = 0; i < from.size(); ++i) {
    sequence.push_back({static_cast<uint8_t>(from[i]), static_cast<uint8_t>(to[i])});
  }
  sequences.push_back(std::move(sequence));
}

std::vector<ByteSequence> utf8_sequences(const CharacterSet& set) {
  struct Plane {
    CodePointRange range;
    int n_bytes;
  };
  constexpr std::array kPlanes = {Plane{{0, 0x7F}, 1}, Plane{{0x80, 0x7FF}, 2}, Plane{{0x800, 0xD7FF}, 3},
                                  Plane{{0xE000, 0xFFFF}, 3}, Plane{{0x10000, kLastCodePoint}, 4}};
  std::vector<ByteSequence> sequences;
  for (const Plane& plane : kPlanes) {
    for (const CodePointRange& range : set) {
      const uint32_t first = std::max(range.first, plane.range.first);
      const uint32_t last = std::min(range.last, plane.range.last);
      if (first <= last) split_range(first, last, plane.n_bytes, sequences);
    }
  }
  return sequences;
}

// Builds from the end to the beginning: each expression knows the node that comes after it.
class Builder {
 public:
  explicit Builder(Network& network) : network_(network) {}

  Result<int32_t> rule(const Expression& expression) {
    PLM_TRY(const int32_t end, add({}));
    return build(expression, end);
  }

 private:
  static constexpr int64_t kMaxWork = 1'000'000;  // also of parts that leave no node

  Result<int32_t> add(Node node) {
    if (network_.nodes.size() >= kMaxNodes) {
      return make_error(ErrorKind::invalid_argument, "the grammar is too large: more than {} nodes",
                        kMaxNodes);
    }
    network_.nodes.push_back(node);
    return static_cast<int32_t>(network_.nodes.size() - 1);
  }

  int32_t set_number(const ByteSet& set) {
    const auto [found, is_new] = numbers_.try_emplace(set, static_cast<int32_t>(network_.sets.size()));
    if (is_new) network_.sets.push_back(set);
    return found->second;
  }

  Result<int32_t> bytes(std::span<const ByteRange> ranges, int32_t next) {
    ByteSet set{};
    for (const ByteRange& range : ranges) {
      for (unsigned byte = range.first; byte <= range.last; ++byte) set[byte / 64] |= 1ULL << (byte % 64);
    }
    return add({Node::Kind::bytes, next, set_number(set)});
  }

  Result<int32_t> text(const std::string& bytes_of_text, int32_t next) {
    for (auto byte = bytes_of_text.rbegin(); byte != bytes_of_text.rend(); ++byte) {
      const ByteRange range{static_cast<uint8_t>(*byte), static_cast<uint8_t>(*byte)};
      PLM_TRY(next, bytes(std::span(&range, 1), next));
    }
    return next;
  }

  Result<int32_t> characters(const CharacterSet& set, int32_t next) {
    std::vector<ByteRange> single;  // characters of one byte share a node
    std::vector<int32_t> starts;
    for (const ByteSequence& sequence : utf8_sequences(set)) {
      if (sequence.size() == 1) {
        single.push_back(sequence.front());
        continue;
      }
      int32_t start = next;
      for (size_t i = sequence.size(); i > 0; --i) {
        PLM_TRY(start, bytes(std::span(&sequence[i - 1], 1), start));
      }
      starts.push_back(start);
    }
    if (!single.empty() || starts.empty()) {
      PLM_TRY(const int32_t start, bytes(single, next));  // of an empty set: a node nothing passes
      starts.push_back(start);
    }
    return split(starts);
  }

  Result<int32_t> split(std::span<const int32_t> starts) {
    int32_t start = starts.back();
    for (size_t i = starts.size() - 1; i > 0; --i) {
      PLM_TRY(start, add({Node::Kind::split, starts[i - 1], start}));
    }
    return start;
  }

  Result<int32_t> repeat(const Expression& expression, int32_t next) {
    const Expression& part = expression.parts.front();
    int32_t start = next;
    if (expression.most == Expression::kNoLimit) {
      PLM_TRY(start, add({Node::Kind::split, -1, next}));
      PLM_TRY(const int32_t body, build(part, start));
      network_.nodes[static_cast<size_t>(start)].next = body;
    } else {
      for (int64_t i = expression.least; i < expression.most; ++i) {
        PLM_TRY(const int32_t body, build(part, start));
        PLM_TRY(start, add({Node::Kind::split, body, next}));
      }
    }
    for (int64_t i = 0; i < expression.least; ++i) {
      PLM_TRY(start, build(part, start));
    }
    return start;
  }

  Result<int32_t> build(const Expression& expression, int32_t next) {
    if (++work_ > kMaxWork) {
      return make_error(ErrorKind::invalid_argument, "the grammar is too large: repetitions of repetitions");
    }
    switch (expression.kind) {
      case Expression::Kind::text:
        return text(expression.text, next);
      case Expression::Kind::characters:
        return characters(expression.characters, next);
      case Expression::Kind::rule:
        return add({Node::Kind::call, next, static_cast<int32_t>(expression.rule)});
      case Expression::Kind::sequence:
        for (size_t i = expression.parts.size(); i > 0; --i) {
          PLM_TRY(next, build(expression.parts[i - 1], next));
        }
        return next;
      case Expression::Kind::choice: {
        std::vector<int32_t> starts;
        for (const Expression& part : expression.parts) {
          PLM_TRY(const int32_t start, build(part, next));
          starts.push_back(start);
        }
        return starts.empty() ? characters({}, next) : split(starts);
      }
      case Expression::Kind::repeat:
        return repeat(expression, next);
    }
    return next;
  }

  Network& network_;
  std::map<ByteSet, int32_t> numbers_;
  int64_t work_ = 0;
};

// From which nodes the end of their rule is reached without reading anything.
std::vector<bool> find_nullable(const Network& network) {
  const size_t n = network.nodes.size();
  std::vector<std::vector<int32_t>> before(
      n);  // nodes that lead to a node, or call the rule that begins there
  std::vector<bool> is_nullable(n);
  std::vector<int32_t> work;
  const auto mark = [&](int32_t node) {
    if (is_nullable[static_cast<size_t>(node)]) return;
    is_nullable[static_cast<size_t>(node)] = true;
    work.push_back(node);
  };
  const auto entry = [&](const Node& node) { return network.entries[static_cast<size_t>(node.argument)]; };
  for (size_t i = 0; i < n; ++i) {
    const Node& node = network.nodes[i];
    const auto number = static_cast<int32_t>(i);
    if (node.kind == Node::Kind::end) mark(number);
    if (node.kind == Node::Kind::split || node.kind == Node::Kind::call) {
      before[static_cast<size_t>(node.next)].push_back(number);
      const int32_t other = node.kind == Node::Kind::split ? node.argument : entry(node);
      before[static_cast<size_t>(other)].push_back(number);
    }
  }
  while (!work.empty()) {
    const int32_t known = work.back();
    work.pop_back();
    for (const int32_t number : before[static_cast<size_t>(known)]) {
      const Node& node = network.nodes[static_cast<size_t>(number)];
      if (node.kind == Node::Kind::split ||
          (is_nullable[static_cast<size_t>(node.next)] && is_nullable[static_cast<size_t>(entry(node))])) {
        mark(number);
      }
    }
  }
  return is_nullable;
}

// The rules that a rule may call before it has read anything.
std::vector<size_t> first_calls(const Network& network, size_t rule, const std::vector<bool>& is_nullable,
                                std::vector<size_t>& seen_by) {
  std::vector<size_t> calls;
  std::vector<int32_t> work{network.entries[rule]};
  while (!work.empty()) {
    const auto number = static_cast<size_t>(work.back());
    work.pop_back();
    if (seen_by[number] == rule) continue;
    seen_by[number] = rule;
    const Node& node = network.nodes[number];
    if (node.kind == Node::Kind::split) {
      work.push_back(node.next);
      work.push_back(node.argument);
    } else if (node.kind == Node::Kind::call) {
      const auto callee = static_cast<size_t>(node.argument);
      calls.push_back(callee);
      if (is_nullable[static_cast<size_t>(network.entries[callee])]) work.push_back(node.next);
    }
  }
  return calls;
}

// Rules are taken away that call none before reading, then those that call only such, and so on; what stays
// goes round in a circle.
Status check_left_recursion(const Network& network, const Grammar& grammar) {
  const size_t n_rules = network.entries.size();
  const std::vector<bool> is_nullable = find_nullable(network);
  std::vector<size_t> seen_by(network.nodes.size(), n_rules), n_open(n_rules);
  std::vector<std::vector<size_t>> callers(n_rules);
  std::vector<size_t> free;
  for (size_t rule = 0; rule < n_rules; ++rule) {
    const std::vector<size_t> calls = first_calls(network, rule, is_nullable, seen_by);
    n_open[rule] = calls.size();
    for (const size_t callee : calls) callers[callee].push_back(rule);
    if (calls.empty()) free.push_back(rule);
  }
  size_t n_free = 0;
  while (!free.empty()) {
    const size_t rule = free.back();
    free.pop_back();
    ++n_free;
    for (const size_t caller : callers[rule]) {
      if (--n_open[caller] == 0) free.push_back(caller);
    }
  }
  if (n_free == n_rules) return {};
  const auto stuck = std::ranges::find_if(n_open, [](size_t n) { return n > 0; }) - n_open.begin();
  return make_error(ErrorKind::invalid_argument,
                    "grammar rule {}: it calls itself, or a rule that does, before it reads anything (left "
                    "recursion)",
                    grammar.rules[static_cast<size_t>(stuck)].name);
}

}  // namespace

Result<Network> Network::build(const Grammar& grammar) {
  Network network;
  Builder builder(network);
  for (const Rule& rule : grammar.rules) {
    auto entry = builder.rule(rule.expression);
    if (!entry.ok()) return entry.error();
    network.entries.push_back(*entry);
  }
  PLM_TRY_STATUS(check_left_recursion(network, grammar));
  network.root = network.entries[grammar.root];
  return network;
}

}  // namespace plm::grammar
