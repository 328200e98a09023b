#include "inspect/file_difference.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "quant/formats.h"

namespace plm::inspect {

namespace {

// Whole blocks of every format.
constexpr int64_t kStretch = 16384;

bool equal_elements(const gguf::Array& a, const gguf::Array& b, size_t i);

bool equal_arrays(const gguf::Array& a, const gguf::Array& b) {
  return a.element_type == b.element_type && a.size == b.size && first_difference(a, b) == a.size;
}

bool equal_elements(const gguf::Array& a, const gguf::Array& b, size_t i) {
  if (a.holds_numbers()) return a.number(i).bits == b.number(i).bits;
  if (a.element_type == gguf::ValueType::string) return a.strings[i] == b.strings[i];
  return equal_arrays(a.arrays[i], b.arrays[i]);
}

bool tells_the_cut(std::string_view key) { return key.starts_with("split."); }

void compare_keys(const gguf::File& a, const gguf::File& b, FileDifference& out) {
  for (const gguf::KeyValue& entry : a.metadata()) {
    if (tells_the_cut(entry.key)) continue;
    const gguf::Value* other = b.find(entry.key);
    if (other != nullptr && equal_values(entry.value, *other)) {
      ++out.n_equal_keys;
    } else {
      out.keys.push_back({.key = entry.key, .a = &entry.value, .b = other});
    }
  }
  for (const gguf::KeyValue& entry : b.metadata()) {
    if (tells_the_cut(entry.key) || a.find(entry.key) != nullptr) continue;
    out.keys.push_back({.key = entry.key, .a = nullptr, .b = &entry.value});
  }
}

// Sums over the numbers of a tensor.
struct Sums {
  double differences = 0, squares_of_a = 0;

  void add(std::span<const float> a, std::span<const float> b, TensorDifference& out) {
    for (size_t i = 0; i < a.size(); ++i) {
      const bool finite = std::isfinite(a[i]) && std::isfinite(b[i]);
      if (std::isfinite(a[i])) squares_of_a += double{a[i]} * a[i];
      // Zeros of either sign are equal, NaNs with the same bits too.
      if (a[i] == b[i] || std::bit_cast<uint32_t>(a[i]) == std::bit_cast<uint32_t>(b[i])) continue;
      ++out.n_different;
      out.n_not_finite += !finite;
      if (!finite) continue;
      const double difference = std::fabs(double{a[i]} - b[i]);
      out.largest = std::max(out.largest, difference);
      differences += difference * difference;
    }
  }
};

// `bytes` from element `first` on.
const std::byte* at(std::span<const std::byte> bytes, TensorType type, int64_t first) {
  return bytes.data() + row_bytes(type, first);
}

void compare_numbers(std::span<const std::byte> a, std::span<const std::byte> b, TensorDifference& out) {
  const quant::Format* format_a = quant::find_format(out.a->type);
  const quant::Format* format_b = quant::find_format(out.b->type);
  if (format_a == nullptr || format_b == nullptr) return;
  out.has_numbers = true;
  std::array<float, kStretch> numbers_a, numbers_b;
  Sums sums;
  for (int64_t first = 0; first < out.a->n_elements; first += kStretch) {
    const int64_t n = std::min(kStretch, out.a->n_elements - first);
    format_a->decode(at(a, out.a->type, first), numbers_a.data(), n);
    format_b->decode(at(b, out.b->type, first), numbers_b.data(), n);
    sums.add(std::span(numbers_a).first(static_cast<size_t>(n)),
             std::span(numbers_b).first(static_cast<size_t>(n)), out);
  }
  const auto n = static_cast<double>(std::max<int64_t>(out.a->n_elements, 1));
  out.rms = std::sqrt(sums.differences / n);
  out.rms_of_a = std::sqrt(sums.squares_of_a / n);
}

// True when there is no difference.
bool compare_tensor(const gguf::File& a, const gguf::File& b, TensorDifference& out) {
  if (!out.has_same_shape()) return false;
  const auto bytes_a = a.tensor_data(*out.a), bytes_b = b.tensor_data(*out.b);
  if (out.a->type == out.b->type && bytes_a.size() == bytes_b.size() &&
      std::memcmp(bytes_a.data(), bytes_b.data(), bytes_a.size()) == 0) {
    return true;
  }
  compare_numbers(bytes_a, bytes_b, out);
  return false;
}

}  // namespace

size_t first_difference(const gguf::Array& a, const gguf::Array& b) {
  const size_t n = std::min(a.size, b.size);
  for (size_t i = 0; i < n; ++i) {
    if (!equal_elements(a, b, i)) return i;
  }
  return n;
}

bool equal_values(const gguf::Value& a, const gguf::Value& b) {
  if (a.type() != b.type()) return false;
  if (const auto* text = a.string()) return *text == *b.string();
  if (const auto* array = a.array()) return equal_arrays(*array, *b.array());
  return a.number()->bits == b.number()->bits;
}

Result<FileDifference> compare_files(const gguf::File& a, const gguf::File& b,
                                     const std::atomic<bool>* cancel) {
  FileDifference out;
  compare_keys(a, b, out);
  for (const gguf::TensorInfo& tensor : a.tensors()) {
    if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) {
      return make_error(ErrorKind::cancelled, "{}: comparison cancelled", a.path());
    }
    TensorDifference difference{.a = &tensor, .b = b.find_tensor(tensor.name)};
    if (compare_tensor(a, b, difference)) {
      ++out.n_equal_tensors;
    } else {
      out.tensors.push_back(difference);
    }
  }
  for (const gguf::TensorInfo& tensor : b.tensors()) {
    if (a.find_tensor(tensor.name) == nullptr) out.tensors.push_back({.a = nullptr, .b = &tensor});
  }
  return out;
}

}  // namespace plm::inspect
