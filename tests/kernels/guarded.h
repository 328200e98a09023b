// Memory for tests that ends at (or, where an alignment asks for it, at most an alignment before) a
// page that cannot be touched: a kernel that reads or writes past its operands stops at once, in every
// build.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace plm::kernels::test {

class GuardedBytes {
 public:
  // Zeroed.
  explicit GuardedBytes(size_t size, size_t alignment = 1) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t usable = (size + alignment + page - 1) / page * page;
    mapping_size_ = usable + page;
    mapping_ = mmap(nullptr, mapping_size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) std::abort();
    std::byte* guard = static_cast<std::byte*>(mapping_) + usable;
    if (mprotect(guard, page, PROT_NONE) != 0) std::abort();
    data_ = guard - (size + alignment - 1) / alignment * alignment;
  }
  ~GuardedBytes() { munmap(mapping_, mapping_size_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  std::byte* data() const { return data_; }

 private:
  void* mapping_ = nullptr;
  size_t mapping_size_ = 0;
  std::byte* data_ = nullptr;
};

// n numbers; the last one is next to the guard.
template <class T>
class GuardedArray {
 public:
  explicit GuardedArray(int64_t n) : bytes_(static_cast<size_t>(n) * sizeof(T), alignof(T)), size_(n) {}

  T* data() const { return reinterpret_cast<T*>(bytes_.data()); }
  int64_t size() const { return size_; }
  T& operator[](int64_t i) const { return data()[i]; }
  T* begin() const { return data(); }
  T* end() const { return data() + size_; }

 private:
  GuardedBytes bytes_;
  int64_t size_;
};

}  // namespace plm::kernels::test
