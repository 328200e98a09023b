// Memory for weights, caches and activations: aligned, zeroed, on huge pages where they help.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"

namespace plm {

// Owns anonymous memory from the kernel; pages appear when first written, so an unused tail costs
// nothing. Aligned to 2 MiB when it is at least that large (transparent huge pages), else to a page.
class AlignedBuffer {
 public:
  // Fails with out_of_memory when the kernel refuses. size 0 gives an empty buffer.
  static Result<AlignedBuffer> allocate(size_t size);

  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  ~AlignedBuffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }

  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  void* mapping_ = nullptr;
  size_t mapping_size_ = 0;
};

// Bytes of memory this process may still use: free and reclaimable memory of the machine, or what
// is left of a control group's limit if that is less. 0 when it cannot be told.
size_t available_memory_bytes();

// Highest resident memory of this process so far.
size_t peak_resident_bytes();

}  // namespace plm
