// The hashes by which the hub names a file's bytes: SHA-256 of large files, git's hash of small ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plm::hub {

class Digest {
 public:
  // For bytes that shall have this hash: 64 hexadecimal digits are their SHA-256, 40 are git's hash of a
  // blob, SHA-1 of "blob SIZE\0" and the bytes. Anything else is refused with unsupported.
  static Result<Digest> for_hash(std::string_view hash, uint64_t size);

  void add(std::span<const std::byte> bytes);
  // Hexadecimal, lower case. Once, at the end.
  std::string finish();

  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();

 private:
  struct State;
  explicit Digest(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace plm::hub
