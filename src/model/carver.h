// Many buffers in one block of memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plm::model {

// Hands out parts of a block whose size is found by a first pass without memory.
class Carver {
 public:
  explicit Carver(std::byte* base) : base_(base) {}

  // Parts are aligned to 64 bytes; vectors may read past the end of each.
  template <class T>
  void take(T*& pointer, int64_t count) {
    pointer = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + size_);
    size_ += (static_cast<size_t>(count) * sizeof(T) + 64 + 63) / 64 * 64;
  }
  size_t size() const { return size_; }

 private:
  std::byte* base_;
  size_t size_ = 0;
};

}  // namespace plm::model
