// Views of numbers laid out in memory: a pointer, a shape and strides. Views do not own.
#pragma once

#include <array>
#include <cstdint>

#include "base/error.h"

namespace plm {

// A view of rank 1 to 3. The last dimension is contiguous. Strides count elements.
template <class T, int Rank>
class View {
 public:
  View() = default;
  // Dense: rows follow each other without a gap.
  View(T* data, std::array<int64_t, Rank> shape) : data_(data), shape_(shape) {
    int64_t stride = 1;
    for (int i = Rank - 1; i >= 0; --i) {
      stride_[static_cast<size_t>(i)] = stride;
      stride *= shape[static_cast<size_t>(i)];
    }
  }
  View(T* data, std::array<int64_t, Rank> shape, std::array<int64_t, Rank> stride)
      : data_(data), shape_(shape), stride_(stride) {}

  // A view of mutable numbers serves where one of constant numbers is asked.
  operator View<const T, Rank>() const { return {data_, shape_, stride_}; }

  T* data() const { return data_; }
  int64_t size(int dimension) const { return shape_[static_cast<size_t>(dimension)]; }
  int64_t stride(int dimension) const { return stride_[static_cast<size_t>(dimension)]; }

  // One less rank: row i of a matrix, matrix i of a stack. Of rank 1: a reference to the number.
  decltype(auto) operator[](int64_t i) const {
    if constexpr (Rank == 1) {
      return static_cast<T&>(data_[i]);
    } else {
      std::array<int64_t, Rank - 1> shape{}, stride{};
      for (size_t d = 1; d < Rank; ++d) {
        shape[d - 1] = shape_[d];
        stride[d - 1] = stride_[d];
      }
      return View<T, Rank - 1>(data_ + i * stride_[0], shape, stride);
    }
  }

  // Columns [begin, end) of the last dimension.
  View slice_last(int64_t begin, int64_t end) const {
    View result = *this;
    result.data_ += begin;
    result.shape_[Rank - 1] = end - begin;
    return result;
  }

 private:
  T* data_ = nullptr;
  std::array<int64_t, Rank> shape_{};
  std::array<int64_t, Rank> stride_{};
};

}  // namespace plm
