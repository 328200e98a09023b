// How two GGUF files differ: keys, tensors, and by how much the numbers of tensors.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "gguf/gguf_file.h"

namespace plm::inspect {

// A key that only one file has (the other value is null), or whose values or their types differ.
struct KeyDifference {
  std::string_view key;
  const gguf::Value* a = nullptr;
  const gguf::Value* b = nullptr;
};

// A tensor that only one file has (the other is null), or that differs in shape, type or bytes.
struct TensorDifference {
  const gguf::TensorInfo* a = nullptr;
  const gguf::TensorInfo* b = nullptr;

  // Number by number, once both are decoded: where the shapes are equal and both types can be decoded.
  bool has_numbers = false;
  int64_t n_different = 0;
  int64_t n_not_finite = 0;  // of those: where one of the two is NaN or infinite; not in what follows
  double largest = 0;        // |a - b|
  double rms = 0;            // of a - b, over all numbers
  double rms_of_a = 0;

  std::string_view name() const { return a != nullptr ? a->name : b->name; }
  bool is_in_both() const { return a != nullptr && b != nullptr; }
  bool has_same_shape() const { return is_in_both() && a->shape == b->shape && a->n_dims == b->n_dims; }
  double relative() const { return rms_of_a > 0 ? rms / rms_of_a : 0; }
};

struct FileDifference {
  std::vector<KeyDifference> keys;        // a's order, then those of b alone
  std::vector<TensorDifference> tensors;  // likewise
  int64_t n_equal_keys = 0, n_equal_tensors = 0;

  bool is_equal() const { return keys.empty() && tensors.empty(); }
};

// What a file's cut into shards, the order of its keys and tensors, and its gaps are, is no difference; nor
// the keys split.*, which tell the cut. The answer views both files. Reads all tensors of equal shape.
// Fails only when cancelled.
Result<FileDifference> compare_files(const gguf::File& a, const gguf::File& b,
                                     const std::atomic<bool>* cancel = nullptr);

bool equal_values(const gguf::Value& a, const gguf::Value& b);

// The first element in which two arrays of one type differ; the length of the shorter where one begins the
// other.
size_t first_difference(const gguf::Array& a, const gguf::Array& b);

}  // namespace plm::inspect
