// From the neuron-major layout back to 16 interleaved rows, in vectors of kWidth bytes. The order of a
// neuron's codes (neuron_major.h) makes it two interleavings within 128 bits: of four neurons' bytes, then
// of pairs. Written with the compiler's vectors, so that each instruction set compiles its own from one
// text; internal linkage for the same reason.
#pragma once

#include <utility>

#include "kernels/kernels.h"

namespace plm::kernels {
namespace {

template <int kWidth>
struct NeuronTurner {
  using Bytes __attribute__((vector_size(kWidth))) = uint8_t;
  using Pairs __attribute__((vector_size(kWidth))) = uint16_t;
  static constexpr int kParts = 64 / kWidth;  // vectors of 64 places
  static_assert(kWidth % 16 == 0 && 64 % kWidth == 0);

  static Bytes load(const std::byte* at) {
    Bytes v;
    __builtin_memcpy(&v, at, sizeof v);
    return v;
  }
  static void store(std::byte* at, Bytes v) { __builtin_memcpy(at, &v, sizeof v); }

  // Elements of a and b in turn, within each 128 bits: the lower halves of those, or the upper ones.
  template <bool kUpper, class Vector>
  static Vector interleave(Vector a, Vector b) {
    constexpr int kCount = kWidth / sizeof(a[0]), kLane = 16 / sizeof(a[0]);
    return [&]<int... i>(std::integer_sequence<int, i...>) {
      return __builtin_shufflevector(
          a, b, (i / kLane * kLane + i % kLane / 2 + (kUpper ? kLane / 2 : 0) + i % 2 * kCount)...);
    }(std::make_integer_sequence<int, kCount>{});
  }

  // Codes of one neuron's chunk: vector `part` of the 64 places of half `half`, without a sign.
  template <CodeKind kKind>
  static Bytes codes(const std::byte* chunk, int half, int part) {
    if constexpr (kKind == CodeKind::bytes) return load(chunk + 64 * half + kWidth * part) ^ 0x80;
    const Bytes pair = load(chunk + kWidth * part);
    Bytes code = half == 0 ? pair & 15 : pair >> 4;
    if constexpr (kKind == CodeKind::nibbles_high1 || kKind == CodeKind::nibbles_high2) {
      std::byte high[kWidth];
      constexpr bool kOne = kKind == CodeKind::nibbles_high1;
      for (int lane = 0; lane < kWidth / 16; ++lane) {
        // Which 16 places, and the bits that belong to them.
        const int sixteen = part * (kWidth / 16) + lane;
        const auto shift = static_cast<uint8_t>(4 * half + (kOne ? sixteen : sixteen / 2 * 2));
        constexpr uint8_t kMask = kOne ? 1 : 3;
        using Lane __attribute__((vector_size(16))) = uint8_t;
        Lane bits;
        __builtin_memcpy(&bits, chunk + 64 + (kOne ? 0 : sixteen % 2 * 16), 16);
        bits = ((bits >> shift) & kMask) << 4;
        __builtin_memcpy(high + 16 * lane, &bits, 16);
      }
      code |= load(high);
    }
    return code;
  }

  // Four neurons: steps[g] gets, at vector `part`, four codes of each output of group g of the chunk.
  template <CodeKind kKind>
  static void turn_step(const std::byte* neuron, int64_t neuron_bytes, std::byte (&steps)[8][8][64],
                        int step) {
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const Bytes n0 = codes<kKind>(neuron, half, part),
                    n1 = codes<kKind>(neuron + neuron_bytes, half, part);
        const Bytes n2 = codes<kKind>(neuron + 2 * neuron_bytes, half, part),
                    n3 = codes<kKind>(neuron + 3 * neuron_bytes, half, part);
        const Pairs t0 = Pairs(interleave<false>(n0, n1)), t1 = Pairs(interleave<true>(n0, n1));
        const Pairs t2 = Pairs(interleave<false>(n2, n3)), t3 = Pairs(interleave<true>(n2, n3));
        store(&steps[4 * half][step][kWidth * part], Bytes(interleave<false>(t0, t2)));
        store(&steps[4 * half + 1][step][kWidth * part], Bytes(interleave<true>(t0, t2)));
        store(&steps[4 * half + 2][step][kWidth * part], Bytes(interleave<false>(t1, t3)));
        store(&steps[4 * half + 3][step][kWidth * part], Bytes(interleave<true>(t1, t3)));
      }
    }
  }

  // One group's codes of a block, as packed_format.h has them.
  template <CodeKind kKind>
  static void pack(const std::byte (&steps)[8][64], std::byte* out) {
#pragma GCC unroll 4
    for (int at = 0; at < 64; at += kWidth) {
      if constexpr (kKind == CodeKind::bytes) {
        for (int s = 0; s < 8; ++s) store(out + 64 * s + at, load(&steps[s][at]));
        continue;
      }
      Bytes high[2] = {};
      for (int s = 0; s < 4; ++s) {
        const Bytes low_step = load(&steps[s][at]), high_step = load(&steps[s + 4][at]);
        store(out + 64 * s + at, (low_step & 15) | (high_step << 4));
        if constexpr (kKind == CodeKind::nibbles_high1) {
          high[0] |= (low_step >> 4) << s | (high_step >> 4) << (s + 4);
        }
        if constexpr (kKind == CodeKind::nibbles_high2) {
          high[s & 1] |= (low_step >> 4) << (s & ~1) | (high_step >> 4) << ((s & ~1) + 4);
        }
      }
      if constexpr (kKind == CodeKind::nibbles_high1) store(out + 256 + at, high[0]);
      if constexpr (kKind == CodeKind::nibbles_high2) {
        store(out + 256 + at, high[0]);
        store(out + 320 + at, high[1]);
      }
    }
  }

  template <CodeKind kKind>
  static void turn_units(const TurnNeuronsArgs& args, PackedFormat format) {
    const NeuronMajorMatrix& w = *args.weight;
    const int64_t padded = w.padded_outputs(), neuron_bytes = w.neuron_bytes();
    const int64_t group_bytes = packed_group_bytes(w.type, w.n_neurons);
    const int64_t o = args.chunk * kNeuronMajorOutputs;
    const int64_t n_groups = (w.n_outputs - o + kGroupRows - 1) / kGroupRows < 8
                                 ? (w.n_outputs - o + kGroupRows - 1) / kGroupRows
                                 : 8;
    const int64_t halves = format.has_minimum() ? 2 : 1;
    const int64_t sub_scales = format.scale_bytes() / 16;  // one byte each, of a block of a super format
    for (int64_t u = args.unit_begin; u < args.unit_end; ++u) {
      const std::byte* unit = w.data + u * w.unit_bytes();
      std::byte* out = args.out + o / kGroupRows * group_bytes + u * format.unit_bytes();
      if (format.super()) {
        for (int64_t g = 0; g < n_groups; ++g) {
          for (int64_t i = 0; i < halves; ++i) {
            __builtin_memcpy(out + g * group_bytes + 32 * i, unit + 2 * (i * padded + o + 16 * g), 32);
          }
        }
      }
      for (int64_t b = 0; b < format.blocks_per_unit(); ++b) {
        const std::byte* block = unit + w.header_bytes() + b * w.block_bytes();
        std::byte* packed = out + format.header_bytes() + b * format.block_bytes();
        alignas(64) std::byte steps[8][8][64];
        const std::byte* codes = block + w.scale_bytes() + args.chunk * w.chunk_bytes();
        for (int s = 0; s < 8; ++s) turn_step<kKind>(codes + 4 * s * neuron_bytes, neuron_bytes, steps, s);
        for (int64_t g = 0; g < n_groups; ++g) {
          std::byte* at = packed + g * group_bytes;
          if (format.super()) {
            for (int64_t i = 0; i < sub_scales; ++i) {
              __builtin_memcpy(at + 16 * i, block + i * padded + o + 16 * g, 16);
            }
          } else {
            for (int64_t i = 0; i < halves; ++i) {
              __builtin_memcpy(at + 32 * i, block + 2 * (i * padded + o + 16 * g), 32);
            }
          }
          pack<kKind>(steps[g], at + format.scale_bytes());
        }
      }
    }
  }

  // Plain numbers: 16 of a neuron are 16 of a column.
  static void turn_plain(const TurnNeuronsArgs& args) {
    const NeuronMajorMatrix& w = *args.weight;
    const int64_t size = w.type == TensorType::f32 ? 4 : 2;
    const int64_t group_bytes = packed_group_bytes(w.type, w.n_neurons);
    for (int64_t o = args.chunk * kNeuronMajorOutputs;
         o < w.n_outputs && o < (args.chunk + 1) * kNeuronMajorOutputs; o += kGroupRows) {
      std::byte* group = args.out + o / kGroupRows * group_bytes;
      for (int64_t j = args.unit_begin; j < args.unit_end; ++j) {
        __builtin_memcpy(group + j * kGroupRows * size, w.data + j * w.neuron_bytes() + o * size,
                         static_cast<size_t>(kGroupRows * size));
      }
    }
  }

  static void turn(const TurnNeuronsArgs& args) {
    const PackedFormat format = packed_format(args.weight->type);
    switch (format.codes) {
      case CodeKind::plain:
        return turn_plain(args);
      case CodeKind::nibbles:
      case CodeKind::nibble_table:
        return turn_units<CodeKind::nibbles>(args, format);
      case CodeKind::nibbles_high1:
        return turn_units<CodeKind::nibbles_high1>(args, format);
      case CodeKind::nibbles_high2:
        return turn_units<CodeKind::nibbles_high2>(args, format);
      case CodeKind::bytes:
        return turn_units<CodeKind::bytes>(args, format);
    }
  }
};

}  // namespace
}  // namespace plm::kernels
