// String to number, for a vocabulary: filled once, then only read. The strings stay with their owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace plm::tokenizer {

class StringTable {
 public:
  // For up to `expected_count` strings; more are taken, at the price of a rebuild.
  explicit StringTable(std::size_t expected_count = 0);

  // Sets the number of `text`, whose bytes must outlive the table. An earlier number is replaced.
  void set(std::string_view text, std::uint32_t number);

  std::optional<std::uint32_t> find(std::string_view text) const;

 private:
  struct Slot {
    std::string_view text;
    std::uint32_t number = 0;
    bool used = false;
  };

  std::size_t slot_of(std::string_view text) const;
  void rebuild(std::size_t slot_count);

  std::vector<Slot> slots_;  // a power of two, at most half used
  std::size_t used_count_ = 0;
};

}  // namespace plm::tokenizer
