// Hashes that are written to files and compared by other machines and later versions: XXH3 of libxxhash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace plm::train {

// Of some bytes at once. Not cryptographic: finds damage and equal texts, not malice.
struct Hash128 {
  uint64_t low = 0, high = 0;
  bool operator==(const Hash128&) const = default;
};
uint64_t hash64(std::span<const std::byte> bytes);
Hash128 hash128(std::string_view text);

// Of several values, one after the other. The length of each counts, so that "ab", "c" is not "a", "bc".
class StableHash {
 public:
  StableHash();
  ~StableHash();
  StableHash(StableHash&&) noexcept;
  StableHash& operator=(StableHash&&) noexcept;

  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text.data(), text.size()))); }
  void add_number(uint64_t number) { add(std::as_bytes(std::span(&number, 1))); }
  std::string hex() const;  // 32 digits, of all that was added so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plm::train
