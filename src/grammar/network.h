// A grammar as a recursive transition network over bytes: what Automaton runs.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "grammar/expression.h"

namespace plm::grammar {

using ByteSet = std::array<uint64_t, 4>;
inline bool has(const ByteSet& set, uint8_t byte) { return ((set[byte / 64] >> (byte % 64)) & 1) != 0; }

struct Node {
  enum class Kind : uint8_t {
    bytes,  // reads a byte of sets[argument], then next
    call,   // the rule `argument`, then next
    split,  // next, or the node `argument`
    end,    // of a rule
  };
  Kind kind = Kind::end;
  int32_t next = -1;
  int32_t argument = -1;
};

struct Network {
  std::vector<Node> nodes;
  std::vector<ByteSet> sets;
  std::vector<int32_t> entries;  // the first node of each rule
  int32_t root = 0;              // node

  // Characters become their UTF-8; surrogates are none. Fails with invalid_argument on a grammar that is too
  // large, and on a rule that would have to be matched before itself (left recursion), naming it.
  static Result<Network> build(const Grammar& grammar);
};

inline constexpr size_t kMaxNodes = 200'000;

}  // namespace plm::grammar
