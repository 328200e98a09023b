// Repacking a tensor of a file into the layout of packed_format.h, and back.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/packed_format.h"

namespace plm::kernels {

// A matrix as it lies in a file: rows follow each other without a gap.
struct FileMatrix {
  TensorType type = TensorType::f32;
  const std::byte* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
};

// Fills the groups [group_begin, group_end) of a packed matrix whose row i is row row_map[i] of the
// source, or zero where row_map[i] is negative or i is past its end. `out` is where group 0 lies,
// 64-byte aligned. Threads may fill different groups at the same time.
void pack_groups(const FileMatrix& source, std::span<const int64_t> row_map, int64_t group_begin,
                 int64_t group_end, std::byte* out);

// The numbers of one row, exactly those of the file.
void unpack_row(const PackedMatrix& matrix, int64_t row, float* out);

}  // namespace plm::kernels
