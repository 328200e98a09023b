#include "kernels/pack.h"

#include <cstring>

#include "base/half.h"
#include "kernels/row_unit.h"

namespace plm::kernels {
namespace {

constexpr int64_t kRows = kGroupRows;

template <class Number>
void pack_plain_group(const Number* const rows[kRows], int64_t cols, Number* out) {
  for (int64_t r = 0; r < kRows; ++r) {
    if (rows[r] == nullptr) {
      for (int64_t k = 0; k < cols; ++k) out[k * kRows + r] = 0;
    } else {
      for (int64_t k = 0; k < cols; ++k) out[k * kRows + r] = rows[r][k];
    }
  }
}

// Copies 4 bytes of a row into its place in a vector of 16 rows.
inline void put_step(const uint8_t* four, std::byte* vector, int64_t row) {
  std::memcpy(vector + 4 * row, four, 4);
}

void pack_codes(CodeKind kind, const uint8_t* codes, int64_t row, std::byte* out) {
  if (kind == CodeKind::bytes) {
    for (int step = 0; step < 8; ++step) put_step(codes + 4 * step, out + 64 * step, row);
    return;
  }
  uint8_t nibbles[16];
  for (int j = 0; j < 16; ++j) nibbles[j] = static_cast<uint8_t>((codes[j] & 15) | (codes[j + 16] << 4));
  for (int i = 0; i < 4; ++i) put_step(nibbles + 4 * i, out + 64 * i, row);
  if (kind == CodeKind::nibbles_high1) {
    uint8_t high[4] = {};
    for (int step = 0; step < 8; ++step) {
      for (int j = 0; j < 4; ++j) high[j] |= static_cast<uint8_t>((codes[4 * step + j] >> 4) << step);
    }
    put_step(high, out + 256, row);
  } else if (kind == CodeKind::nibbles_high2) {
    uint8_t high[2][4] = {};
    for (int step = 0; step < 8; ++step) {
      for (int j = 0; j < 4; ++j) {
        high[step & 1][j] |= static_cast<uint8_t>((codes[4 * step + j] >> 4) << (step & ~1));
      }
    }
    put_step(high[0], out + 256, row);
    put_step(high[1], out + 320, row);
  }
}

void unpack_codes(CodeKind kind, const std::byte* in, int64_t row, uint8_t* codes) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(in) + 4 * row;
  for (int step = 0; step < 8; ++step) {
    for (int j = 0; j < 4; ++j) {
      uint8_t& code = codes[4 * step + j];
      if (kind == CodeKind::bytes) {
        code = bytes[64 * step + j];
        continue;
      }
      const uint8_t pair = bytes[64 * (step & 3) + j];
      code = step < 4 ? pair & 15 : pair >> 4;
      if (kind == CodeKind::nibbles_high1) code |= static_cast<uint8_t>(((bytes[256 + j] >> step) & 1) << 4);
      if (kind == CodeKind::nibbles_high2) {
        code |= static_cast<uint8_t>(((bytes[256 + 64 * (step & 1) + j] >> (step & ~1)) & 3) << 4);
      }
    }
  }
}

// Scales of block b of a unit; `at` is where the block's scales begin.
void pack_block_scales(const PackedFormat& format, const RowUnit& unit, int64_t b, int64_t row,
                       std::byte* at) {
  if (!format.super()) {
    std::memcpy(at + 2 * row, &unit.d, 2);
    if (format.has_minimum()) std::memcpy(at + 32 + 2 * row, &unit.dmin, 2);
    return;
  }
  const int64_t n = format.scale_per_16() ? 2 : 1;
  for (int64_t i = 0; i < n; ++i) {
    at[16 * i + row] = std::byte{unit.scales[b * n + i]};
    if (format.has_minimum()) at[16 * (n + i) + row] = std::byte{unit.mins[b * n + i]};
  }
}

void unpack_block_scales(const PackedFormat& format, const std::byte* at, int64_t b, int64_t row,
                         RowUnit& unit) {
  if (!format.super()) {
    std::memcpy(&unit.d, at + 2 * row, 2);
    if (format.has_minimum()) std::memcpy(&unit.dmin, at + 32 + 2 * row, 2);
    return;
  }
  const int64_t n = format.scale_per_16() ? 2 : 1;
  for (int64_t i = 0; i < n; ++i) {
    unit.scales[b * n + i] = static_cast<uint8_t>(at[16 * i + row]);
    if (format.has_minimum()) unit.mins[b * n + i] = static_cast<uint8_t>(at[16 * (n + i) + row]);
  }
}

void pack_block_row(const PackedFormat& format, const FileMatrix& source, const std::byte* row_data,
                    int64_t row, std::byte* group) {
  const int64_t file_bytes = row_data == nullptr ? 0 : row_unit_file_bytes(source.type);
  RowUnit unit;
  if (row_data == nullptr && !format.has_minimum() && format.codes != CodeKind::nibble_table) {
    std::memset(unit.codes, format.offset, sizeof unit.codes);  // zeros with a scale of zero
  }
  for (int64_t u = 0; u < source.cols / format.unit_cols(); ++u) {
    if (row_data != nullptr) read_row_unit(source.type, row_data + u * file_bytes, unit);
    std::byte* at = group + u * format.unit_bytes();
    if (format.super()) {
      std::memcpy(at + 2 * row, &unit.d, 2);
      if (format.has_minimum()) std::memcpy(at + 32 + 2 * row, &unit.dmin, 2);
    }
    at += format.header_bytes();
    for (int64_t b = 0; b < format.blocks_per_unit(); ++b, at += format.block_bytes()) {
      pack_block_scales(format, unit, b, row, at);
      pack_codes(format.codes, unit.codes + 32 * b, row, at + format.scale_bytes());
    }
  }
}

}  // namespace

int64_t packed_group_bytes(TensorType type, int64_t cols) {
  const PackedFormat format = packed_format(type);
  if (format.codes == CodeKind::plain) return cols * kGroupRows * (type == TensorType::f32 ? 4 : 2);
  return cols / format.unit_cols() * format.unit_bytes();
}

void pack_groups(const FileMatrix& source, std::span<const int64_t> row_map, int64_t group_begin,
                 int64_t group_end, std::byte* out) {
  const PackedFormat format = packed_format(source.type);
  const int64_t file_row_bytes = row_bytes(source.type, source.cols);
  const int64_t group_bytes = packed_group_bytes(source.type, source.cols);
  for (int64_t g = group_begin; g < group_end; ++g) {
    const std::byte* rows[kRows];
    for (int64_t r = 0; r < kRows; ++r) {
      const int64_t i = g * kRows + r;
      const int64_t from = i < static_cast<int64_t>(row_map.size()) ? row_map[static_cast<size_t>(i)] : -1;
      rows[r] = from < 0 ? nullptr : source.data + from * file_row_bytes;
    }
    std::byte* group = out + g * group_bytes;
    if (source.type == TensorType::f32) {
      pack_plain_group(reinterpret_cast<const uint32_t* const*>(rows), source.cols,
                       reinterpret_cast<uint32_t*>(group));
    } else if (format.codes == CodeKind::plain) {
      pack_plain_group(reinterpret_cast<const uint16_t* const*>(rows), source.cols,
                       reinterpret_cast<uint16_t*>(group));
    } else {
      for (int64_t r = 0; r < kRows; ++r) pack_block_row(format, source, rows[r], r, group);
    }
  }
}

void unpack_row(const PackedMatrix& matrix, int64_t row, float* out) {
  const std::byte* group = matrix.group(row / kRows);
  const int64_t r = row % kRows;
  const PackedFormat format = packed_format(matrix.type);
  if (format.codes == CodeKind::plain) {
    for (int64_t k = 0; k < matrix.cols; ++k) {
      const int64_t at = k * kRows + r;
      if (matrix.type == TensorType::f32) {
        out[k] = reinterpret_cast<const float*>(group)[at];
      } else {
        const uint16_t bits = reinterpret_cast<const uint16_t*>(group)[at];
        out[k] = matrix.type == TensorType::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
      }
    }
    return;
  }
  RowUnit unit;
  for (int64_t u = 0; u < matrix.cols / format.unit_cols(); ++u) {
    const std::byte* at = group + u * format.unit_bytes();
    if (format.super()) {
      std::memcpy(&unit.d, at + 2 * r, 2);
      if (format.has_minimum()) std::memcpy(&unit.dmin, at + 32 + 2 * r, 2);
    }
    at += format.header_bytes();
    for (int64_t b = 0; b < format.blocks_per_unit(); ++b, at += format.block_bytes()) {
      unpack_block_scales(format, at, b, r, unit);
      unpack_codes(format.codes, at + format.scale_bytes(), r, unit.codes + 32 * b);
    }
    decode_row_unit(matrix.type, unit, out + u * format.unit_cols());
  }
}

}  // namespace plm::kernels
