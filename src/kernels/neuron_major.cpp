#include "kernels/neuron_major.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"
#include "kernels/row_unit.h"

namespace plm::kernels {
namespace {

constexpr int64_t kChunk = kNeuronMajorOutputs;

// The place of output i (of 128) within its half of a chunk; see the header.
int64_t place_of(int64_t i) { return 16 * (i / 4 % 4) + 4 * (i / 16 % 4) + i % 4; }

void put_code(CodeKind kind, std::byte* chunk, int64_t i, uint8_t code) {
  const int64_t half = i / 64, p = place_of(i);
  if (kind == CodeKind::bytes) {
    chunk[64 * half + p] = std::byte{static_cast<uint8_t>(code - 128)};
    return;
  }
  chunk[p] |= std::byte{static_cast<uint8_t>((code & 15) << (4 * half))};
  if (kind == CodeKind::nibbles_high1) {
    chunk[64 + p % 16] |= std::byte{static_cast<uint8_t>((code >> 4) << (4 * half + p / 16))};
  }
  if (kind == CodeKind::nibbles_high2) {
    chunk[64 + p % 32] |= std::byte{static_cast<uint8_t>((code >> 4) << (4 * half + p / 32 * 2))};
  }
}

uint8_t get_code(CodeKind kind, const std::byte* chunk, int64_t i) {
  const int64_t half = i / 64, p = place_of(i);
  const auto byte_at = [&](int64_t offset) { return static_cast<unsigned>(chunk[offset]); };
  if (kind == CodeKind::bytes) return static_cast<uint8_t>(byte_at(64 * half + p) + 128);
  unsigned code = (byte_at(p) >> (4 * half)) & 15;
  if (kind == CodeKind::nibbles_high1) code |= ((byte_at(64 + p % 16) >> (4 * half + p / 16)) & 1) << 4;
  if (kind == CodeKind::nibbles_high2) code |= ((byte_at(64 + p % 32) >> (4 * half + p / 32 * 2)) & 3) << 4;
  return static_cast<uint8_t>(code);
}

NeuronMajorMatrix shape_of(const FileMatrix& source) {
  return {.type = source.type, .n_outputs = source.rows, .n_neurons = source.cols, .data = nullptr};
}

void pack_plain_neurons(const FileMatrix& source, int64_t begin, int64_t end, std::byte* out) {
  const NeuronMajorMatrix shape = shape_of(source);
  const int64_t size = source.type == TensorType::f32 ? 4 : 2;
  // Tiles, so that both the rows read and the neurons written stay in cache.
  for (int64_t j0 = begin; j0 < end; j0 += 32) {
    for (int64_t o = 0; o < source.rows; ++o) {
      for (int64_t j = j0; j < std::min(j0 + 32, end); ++j) {
        std::memcpy(out + j * shape.neuron_bytes() + o * size, source.data + (o * source.cols + j) * size,
                    static_cast<size_t>(size));
      }
    }
  }
}

// One output's part of a unit.
void pack_unit_output(const NeuronMajorMatrix& shape, const RowUnit& unit, int64_t o, std::byte* at) {
  const PackedFormat format = packed_format(shape.type);
  const int64_t padded = shape.padded_outputs();
  if (format.super()) {
    std::memcpy(at + 2 * o, &unit.d, 2);
    if (format.has_minimum()) std::memcpy(at + 2 * padded + 2 * o, &unit.dmin, 2);
  }
  at += shape.header_bytes();
  const int64_t n = format.scale_per_16() ? 2 : 1;
  for (int64_t b = 0; b < format.blocks_per_unit(); ++b, at += shape.block_bytes()) {
    if (!format.super()) {
      std::memcpy(at + 2 * o, &unit.d, 2);
      if (format.has_minimum()) std::memcpy(at + 2 * padded + 2 * o, &unit.dmin, 2);
    } else {
      for (int64_t i = 0; i < n; ++i) {
        at[i * padded + o] = std::byte{unit.scales[b * n + i]};
        if (format.has_minimum()) at[(n + i) * padded + o] = std::byte{unit.mins[b * n + i]};
      }
    }
    std::byte* chunk = at + shape.scale_bytes() + o / kChunk * shape.chunk_bytes();
    for (int64_t j = 0; j < 32; ++j, chunk += shape.neuron_bytes()) {
      put_code(format.codes, chunk, o % kChunk, unit.codes[32 * b + j]);
    }
  }
}

}  // namespace

int64_t NeuronMajorMatrix::chunk_bytes() const {
  switch (packed_format(type).codes) {
    case CodeKind::plain:
      return kChunk * (type == TensorType::f32 ? 4 : 2);
    case CodeKind::nibbles:
    case CodeKind::nibble_table:
      return 64;
    case CodeKind::nibbles_high1:
      return 64 + 16;
    case CodeKind::nibbles_high2:
      return 64 + 32;
    case CodeKind::bytes:
      return 128;
  }
  return 0;
}

int64_t NeuronMajorMatrix::neuron_bytes() const { return padded_outputs() / kChunk * chunk_bytes(); }

int64_t NeuronMajorMatrix::header_bytes() const {
  return packed_format(type).header_bytes() / 16 * padded_outputs();
}

int64_t NeuronMajorMatrix::scale_bytes() const {
  return packed_format(type).scale_bytes() / 16 * padded_outputs();
}

int64_t NeuronMajorMatrix::block_bytes() const { return scale_bytes() + 32 * neuron_bytes(); }

int64_t NeuronMajorMatrix::unit_bytes() const {
  const PackedFormat format = packed_format(type);
  if (format.codes == CodeKind::plain) return neuron_bytes();
  return header_bytes() + format.blocks_per_unit() * block_bytes();
}

int64_t NeuronMajorMatrix::n_units() const {
  const PackedFormat format = packed_format(type);
  return format.codes == CodeKind::plain ? n_neurons : n_neurons / format.unit_cols();
}

void pack_neurons(const FileMatrix& source, int64_t unit_begin, int64_t unit_end, std::byte* out) {
  const PackedFormat format = packed_format(source.type);
  if (format.codes == CodeKind::plain) {
    pack_plain_neurons(source, unit_begin, unit_end, out);
    return;
  }
  const NeuronMajorMatrix shape = shape_of(source);
  const int64_t file_row_bytes = row_bytes(source.type, source.cols);
  const int64_t file_unit_bytes = row_unit_file_bytes(source.type);
  RowUnit unit;
  for (int64_t u = unit_begin; u < unit_end; ++u) {
    for (int64_t o = 0; o < source.rows; ++o) {
      read_row_unit(source.type, source.data + o * file_row_bytes + u * file_unit_bytes, unit);
      pack_unit_output(shape, unit, o, out + u * shape.unit_bytes());
    }
  }
}

void unpack_neuron(const NeuronMajorMatrix& matrix, int64_t neuron, float* out) {
  const PackedFormat format = packed_format(matrix.type);
  if (format.codes == CodeKind::plain) {
    const std::byte* row = matrix.data + neuron * matrix.neuron_bytes();
    for (int64_t o = 0; o < matrix.n_outputs; ++o) {
      if (matrix.type == TensorType::f32) {
        out[o] = reinterpret_cast<const float*>(row)[o];
      } else {
        const uint16_t bits = reinterpret_cast<const uint16_t*>(row)[o];
        out[o] = matrix.type == TensorType::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
      }
    }
    return;
  }
  const int64_t padded = matrix.padded_outputs();
  const int64_t in_unit = neuron % format.unit_cols();
  const std::byte* header = matrix.data + neuron / format.unit_cols() * matrix.unit_bytes();
  const std::byte* block = header + matrix.header_bytes() + in_unit / 32 * matrix.block_bytes();
  const std::byte* codes = block + matrix.scale_bytes() + in_unit % 32 * matrix.neuron_bytes();
  const std::byte* halves = format.super() ? header : block;
  const int64_t n = format.scale_per_16() ? 2 : 1;
  const int64_t sub = format.scale_per_16() ? in_unit % 32 / 16 : 0;
  for (int64_t o = 0; o < matrix.n_outputs; ++o) {
    uint16_t d = 0, dmin = 0;
    std::memcpy(&d, halves + 2 * o, 2);
    if (format.has_minimum()) std::memcpy(&dmin, halves + 2 * padded + 2 * o, 2);
    float scale = f16_to_f32(d), minimum = f16_to_f32(dmin);
    if (format.super()) {
      const auto sub_scale = static_cast<uint8_t>(block[sub * padded + o]);
      scale *= format.has_minimum() ? static_cast<float>(sub_scale)
                                    : static_cast<float>(static_cast<int8_t>(sub_scale));
      if (format.has_minimum())
        minimum *= static_cast<float>(static_cast<uint8_t>(block[(n + sub) * padded + o]));
    }
    const uint8_t code = get_code(format.codes, codes + o / kChunk * matrix.chunk_bytes(), o % kChunk);
    const int value = format.codes == CodeKind::nibble_table ? kIq4Values[code] : code - format.offset;
    out[o] = scale * static_cast<float>(value);
    if (format.has_minimum()) out[o] -= minimum;
  }
}

}  // namespace plm::kernels
