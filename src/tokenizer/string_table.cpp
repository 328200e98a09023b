#include "tokenizer/string_table.h"

#include <bit>
#include <utility>

#include "tokenizer/hash.h"

namespace plm::tokenizer {

StringTable::StringTable(std::size_t expected_count) : slots_(std::bit_ceil(expected_count * 2 + 2)) {}

void StringTable::set(std::string_view text, std::uint32_t number) {
  if ((used_count_ + 1) * 2 > slots_.size()) rebuild(slots_.size() * 2);
  Slot& slot = slots_[slot_of(text)];
  if (!slot.used) ++used_count_;
  slot = {text, number, true};
}

std::optional<std::uint32_t> StringTable::find(std::string_view text) const {
  const Slot& slot = slots_[slot_of(text)];
  if (!slot.used) return std::nullopt;
  return slot.number;
}

// Where `text` is, or the free slot where it would go.
std::size_t StringTable::slot_of(std::string_view text) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t index = hash_bytes(text) & mask;
  while (slots_[index].used && slots_[index].text != text) index = (index + 1) & mask;
  return index;
}

void StringTable::rebuild(std::size_t slot_count) {
  std::vector<Slot> old(slot_count);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.used) slots_[slot_of(slot.text)] = slot;
  }
}

}  // namespace plm::tokenizer
