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

// Codes of one neuron for 128 outputs, by half and place, become a chunk of its row.
void pack_chunk(CodeKind kind, const uint8_t* by_place, std::byte* out) {
  auto* chunk = reinterpret_cast<uint8_t*>(out);
  if (kind == CodeKind::bytes) {
    for (int i = 0; i < 128; ++i) chunk[i] = by_place[i] ^ 0x80;
    return;
  }
  const uint8_t* second = by_place + 64;
  for (int p = 0; p < 64; ++p) chunk[p] = static_cast<uint8_t>((by_place[p] & 15) | (second[p] << 4));
  if (kind == CodeKind::nibbles_high1) {
    for (int i = 0; i < 16; ++i) {
      unsigned bits = 0;
      for (int q = 0; q < 4; ++q) {
        bits |=
            static_cast<unsigned>((by_place[i + 16 * q] >> 4) << q | (second[i + 16 * q] >> 4) << (4 + q));
      }
      chunk[64 + i] = static_cast<uint8_t>(bits);
    }
  }
  if (kind == CodeKind::nibbles_high2) {
    for (int i = 0; i < 32; ++i) {
      chunk[64 + i] = static_cast<uint8_t>((by_place[i] >> 4) | (by_place[i + 32] >> 4) << 2 |
                                           (second[i] >> 4) << 4 | (second[i + 32] >> 4) << 6);
    }
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

// Where the parts of a unit lie; `at` below is where it begins, `o` an output.
struct UnitLayout {
  explicit UnitLayout(const NeuronMajorMatrix& shape)
      : format(packed_format(shape.type)),
        padded(shape.padded_outputs()),
        header_bytes(shape.header_bytes()),
        scale_bytes(shape.scale_bytes()),
        block_bytes(shape.block_bytes()),
        neuron_bytes(shape.neuron_bytes()),
        chunk_bytes(shape.chunk_bytes()) {}

  PackedFormat format;
  int64_t padded, header_bytes, scale_bytes, block_bytes, neuron_bytes, chunk_bytes;

  void put_halves(const RowUnit& unit, int64_t o, std::byte* at) const {
    std::memcpy(at + 2 * o, &unit.d, 2);
    if (format.has_minimum()) std::memcpy(at + 2 * padded + 2 * o, &unit.dmin, 2);
  }

  void put_scales(const RowUnit& unit, int64_t o, std::byte* at) const {
    put_halves(unit, o, at);
    if (!format.super()) return;
    const int64_t n = format.scale_per_16() ? 2 : 1;
    std::byte* block = at + header_bytes;
    for (int64_t b = 0; b < format.blocks_per_unit(); ++b, block += block_bytes) {
      for (int64_t i = 0; i < n; ++i) {
        block[i * padded + o] = std::byte{unit.scales[b * n + i]};
        if (format.has_minimum()) block[(n + i) * padded + o] = std::byte{unit.mins[b * n + i]};
      }
    }
  }
};

// 128 outputs of one unit: their codes are turned in a small table, neuron by neuron.
void pack_unit_chunk(const FileMatrix& source, const UnitLayout& layout, int64_t unit_index,
                     int64_t first_output, std::byte* at) {
  const int64_t n_neurons = layout.format.unit_cols();
  const int64_t file_row_bytes = row_bytes(source.type, source.cols);
  const std::byte* file = source.data + unit_index * row_unit_file_bytes(source.type);
  alignas(64) uint8_t by_place[256][kChunk];
  const int64_t n_outputs = std::min(kChunk, source.rows - first_output);
  if (n_outputs < kChunk) std::memset(by_place, 0, sizeof by_place);  // outputs that only fill up: scale 0
  RowUnit unit;
  for (int64_t i = 0; i < n_outputs; ++i) {
    const int64_t o = first_output + i;
    read_row_unit(source.type, file + o * file_row_bytes, unit);
    layout.put_scales(unit, o, at);
    uint8_t* column = &by_place[0][i / 64 * 64 + place_of(i)];
    for (int64_t j = 0; j < n_neurons; ++j) column[j * kChunk] = unit.codes[j];
  }
  for (int64_t j = 0; j < n_neurons; ++j) {
    std::byte* row = at + layout.header_bytes + j / 32 * layout.block_bytes + layout.scale_bytes +
                     j % 32 * layout.neuron_bytes;
    pack_chunk(layout.format.codes, by_place[j], row + first_output / kChunk * layout.chunk_bytes);
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
  const UnitLayout layout(shape);
  for (int64_t u = unit_begin; u < unit_end; ++u) {
    for (int64_t o = 0; o < source.rows; o += kChunk) {
      pack_unit_chunk(source, layout, u, o, out + u * shape.unit_bytes());
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
