#include "base/aligned_buffer.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace plm {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// A number of bytes in a one-line file, or 0 when absent or "max".
size_t read_number(const char* path) {
  std::ifstream in(path);
  size_t value = 0;
  in >> value;
  return in ? value : 0;
}

}  // namespace

Result<AlignedBuffer> AlignedBuffer::allocate(size_t size) {
  AlignedBuffer buffer;
  if (size == 0) return buffer;
  const bool huge = size >= kHugePage;
  const size_t mapping_size = huge ? size + kHugePage : size;
  if (mapping_size < size) {
    return make_error(ErrorKind::out_of_memory, "cannot allocate {} bytes", size);
  }
  void* mapping = ::mmap(nullptr, mapping_size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    return make_error(ErrorKind::out_of_memory, "cannot allocate {:.1f} MiB of memory",
                      static_cast<double>(size) / (1 << 20));
  }
  buffer.mapping_ = mapping;
  buffer.mapping_size_ = mapping_size;
  buffer.size_ = size;
  auto address = reinterpret_cast<uintptr_t>(mapping);
  if (huge) {
    address = (address + kHugePage - 1) / kHugePage * kHugePage;
#ifdef MADV_HUGEPAGE
    ::madvise(reinterpret_cast<void*>(address), size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  }
  buffer.data_ = reinterpret_cast<std::byte*>(address);
  return buffer;
}

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapping_(std::exchange(other.mapping_, nullptr)),
      mapping_size_(std::exchange(other.mapping_size_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapping_size_, other.mapping_size_);
  return *this;
}

AlignedBuffer::~AlignedBuffer() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapping_size_);
}

size_t available_memory_bytes() {
  size_t available = 0;
  std::ifstream meminfo("/proc/meminfo");
  std::string key, unit;
  size_t kib = 0;
  while (meminfo >> key >> kib) {
    std::getline(meminfo, unit);
    if (key == "MemAvailable:") available = kib * 1024;
  }
  if (available == 0) {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    available = pages > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(::sysconf(_SC_PAGESIZE)) : 0;
  }
  const size_t limit = read_number("/sys/fs/cgroup/memory.max");
  const size_t used = read_number("/sys/fs/cgroup/memory.current");
  if (limit > used && limit - used < available) available = limit - used;
  return available;
}

size_t peak_resident_bytes() {
  // Linux keeps ru_maxrss over exec: it may be the peak of whoever started this program. VmHWM begins anew.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view kName = "VmHWM:";
    if (line.starts_with(kName)) return std::strtoull(line.c_str() + kName.size(), nullptr, 10) * 1024;
  }
  struct rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return static_cast<size_t>(usage.ru_maxrss);
#else
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
#endif
}

}  // namespace plm
