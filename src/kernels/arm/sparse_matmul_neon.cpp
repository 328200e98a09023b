// The down projection over live neurons only, from the neuron-major layout.
//
// Activations are squared ReLUs: never negative, so they are rounded to 16 bits without a sign; codes are
// widened to 16 bits and multiplied one neuron at a time (umlal). In the order of the layout (place 16 l +
// 4 t + i is output 16 t + 4 l + i) widening needs no shuffle: 64 outputs are 16 sums of four. Dot product
// instructions gain nothing here: of the 32 neurons of a block of scales about three are live, too few to
// interleave in fours (docs/kernels/arm.md has the count).
#include "kernels/arm/neon.h"
#include "kernels/arm/packed_codes.h"
#include "kernels/neuron_major.h"

namespace plm::kernels::neon {
namespace {

constexpr int64_t kChunk = kNeuronMajorOutputs;
constexpr int64_t kHalf = 64;  // outputs summed at once
// Rows of live neurons are short and lie apart, which hardware does not foresee: they are asked for this
// many blocks ahead.
constexpr int64_t kPrefetchBlocks = 4;

// Codes are multiplied without a sign; this much is taken off every one of them.
constexpr int sparse_offset(PackedFormat format) {
  return format.codes == CodeKind::bytes || format.codes == CodeKind::nibble_table ? 128 : format.offset;
}

// The codes of one neuron for half a chunk, in the order of their places, without a sign.
template <CodeKind kKind, int kWhich>
[[gnu::always_inline]] inline void load_neuron_codes(const std::byte* at, uint8x16_t (&codes)[4]) {
  const uint8x16_t turn = vdupq_n_u8(0x80);
  if constexpr (kKind == CodeKind::bytes) {
#pragma GCC unroll 4
    for (int l = 0; l < 4; ++l) codes[l] = veorq_u8(load_bytes(at + kHalf * kWhich + 16 * l), turn);
    return;
  }
#pragma GCC unroll 4
  for (int l = 0; l < 4; ++l) {
    const uint8x16_t pair = load_bytes(at + 16 * l);
    codes[l] = kWhich == 0 ? vandq_u8(pair, vdupq_n_u8(15)) : vshrq_n_u8(pair, 4);
  }
  if constexpr (kKind == CodeKind::nibble_table) {
    const uint8x16_t table = veorq_u8(load_bytes(kIq4Values.data()), turn);
#pragma GCC unroll 4
    for (int l = 0; l < 4; ++l) codes[l] = vqtbl1q_u8(table, codes[l]);
  }
  if constexpr (kKind == CodeKind::nibbles_high1) {
    const uint8x16_t high = load_bytes(at + 64), fifth = vdupq_n_u8(16);
    unrolled<4>([&]<int l>() __attribute__((always_inline)) {
      const uint8x16_t shifted = shift_bytes<4 - (4 * kWhich + l)>(high);
      codes[l] = vorrq_u8(codes[l], vandq_u8(shifted, fifth));
    });
  }
  if constexpr (kKind == CodeKind::nibbles_high2) {
    const uint8x16_t high[2] = {load_bytes(at + 64), load_bytes(at + 80)}, mask = vdupq_n_u8(48);
    unrolled<4>([&]<int l>() __attribute__((always_inline)) {
      const uint8x16_t shifted = shift_bytes<4 - 2 * (2 * kWhich + l / 2)>(high[l % 2]);
      codes[l] = vorrq_u8(codes[l], vandq_u8(shifted, mask));
    });
  }
}

// Up to 32 live neurons of one block of scales.
struct Neurons {
  const std::byte* row[32];
  uint16_t value[32];  // rounded
  int count = 0;
  int32_t sum = 0;  // of the rounded values
};

inline void gather(const LiveRows& live, int64_t begin, int64_t end, int64_t first_neuron,
                   const std::byte* codes, int64_t neuron_bytes, float inverse, Neurons& neurons) {
  neurons.count = static_cast<int>(end - begin);
  neurons.sum = 0;
  for (int64_t i = begin; i < end; ++i) {
    neurons.row[i - begin] = codes + (live.index[i] - first_neuron) * neuron_bytes;
    const int32_t value = vcvtns_s32_f32(live.value[i] * inverse);
    neurons.value[i - begin] = static_cast<uint16_t>(value);
    neurons.sum += value;
  }
}

// Dot products of 64 outputs: sums[4 t + l] has outputs 16 t + 4 l .. 16 t + 4 l + 3.
template <CodeKind kKind, int kWhich>
[[gnu::always_inline]] inline void dot_half(const Neurons& neurons, int64_t chunk_offset, int32_t start,
                                            uint32x4_t (&sums)[16]) {
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) sums[i] = vdupq_n_u32(static_cast<uint32_t>(start));
  for (int n = 0; n < neurons.count; ++n) {
    uint8x16_t codes[4];
    load_neuron_codes<kKind, kWhich>(neurons.row[n] + chunk_offset, codes);
    const uint16x8_t value = vdupq_n_u16(neurons.value[n]);
#pragma GCC unroll 4
    for (int l = 0; l < 4; ++l) {
      const uint16x8_t low = vmovl_u8(vget_low_u8(codes[l])), high = vmovl_high_u8(codes[l]);
      sums[l] = vmlal_u16(sums[l], vget_low_u16(low), vget_low_u16(value));
      sums[4 + l] = vmlal_high_u16(sums[4 + l], low, value);
      sums[8 + l] = vmlal_u16(sums[8 + l], vget_low_u16(high), vget_low_u16(value));
      sums[12 + l] = vmlal_high_u16(sums[12 + l], high, value);
    }
  }
}

inline void load_sixteen_halves(const std::byte* at, float32x4_t (&out)[4]) {
#pragma GCC unroll 4
  for (int l = 0; l < 4; ++l) out[l] = load_halves(at + 8 * l);
}

template <TensorType kType>
struct NeuronMajorProduct {
  static constexpr PackedFormat kFormat = packed_format(kType);
  static constexpr int kPerBlock = kFormat.scale_per_16() ? 2 : 1;
  static constexpr bool kSigned = !kFormat.has_minimum();  // sub-scales

  const NeuronMajorMatrix& w;
  const LiveRows& live;
  float* y;
  int64_t begin, end;
  // Of the matrix, computed once.
  const int64_t padded = w.padded_outputs(), chunk_bytes = w.chunk_bytes(), neuron_bytes = w.neuron_bytes();
  const int64_t header_bytes = w.header_bytes(), block_bytes = w.block_bytes(), unit_bytes = w.unit_bytes();
  const int64_t scale_bytes = w.scale_bytes();

  const std::byte* header_of(int64_t block) const {
    return w.data + block / kFormat.blocks_per_unit() * unit_bytes;
  }
  const std::byte* block_of(int64_t block) const {
    return header_of(block) + header_bytes + block % kFormat.blocks_per_unit() * block_bytes;
  }

  // Scales and minima of outputs o .. o + 15.
  [[gnu::always_inline]] void load_scales(const std::byte* header, const std::byte* block, int sub, int64_t o,
                                          float32x4_t (&out)[4]) const {
    if constexpr (!kFormat.super()) {
      load_sixteen_halves(block + 2 * o, out);
    } else {
      float32x4_t d[4];
      load_sixteen_halves(header + 2 * o, d);
      load_sixteen_bytes<kSigned>(block + sub * padded + o, out);
#pragma GCC unroll 4
      for (int l = 0; l < 4; ++l) out[l] = vmulq_f32(out[l], d[l]);
    }
  }
  [[gnu::always_inline]] void load_minima(const std::byte* header, const std::byte* block, int sub, int64_t o,
                                          float32x4_t (&out)[4]) const {
    if constexpr (!kFormat.super()) {
      load_sixteen_halves(block + 2 * padded + 2 * o, out);
    } else {
      float32x4_t d[4];
      load_sixteen_halves(header + 2 * padded + 2 * o, d);
      load_sixteen_bytes<false>(block + (kPerBlock + sub) * padded + o, out);
#pragma GCC unroll 4
      for (int l = 0; l < 4; ++l) out[l] = vmulq_f32(out[l], d[l]);
    }
  }

  // What the live neurons [from, to) of a later block need of one chunk.
  void prefetch(int64_t block, int64_t from, int64_t to, int64_t o) const {
    if (from == to) return;
    constexpr int64_t kScaleSize = kFormat.super() ? 1 : 2;
    constexpr int64_t kArrays = kPerBlock * (kFormat.has_minimum() ? 2 : 1);
    const std::byte* p = block_of(block);
    for (int64_t i = 0; i < kArrays; ++i) {
      for (int64_t line = 0; line < kChunk * kScaleSize; line += 64) {
        __builtin_prefetch(p + (i * padded + o) * kScaleSize + line);
      }
    }
    const std::byte* codes = p + scale_bytes + o / kChunk * chunk_bytes;
    for (int64_t i = from; i < to; ++i) {
      const std::byte* row = codes + (live.index[i] - 32 * block) * neuron_bytes;
      __builtin_prefetch(row);
      if constexpr (kFormat.codes != CodeKind::nibbles && kFormat.codes != CodeKind::nibble_table) {
        __builtin_prefetch(row + 64);
      }
    }
  }

  // Adds the products of half a chunk, outputs o .. o + 63. kWhole: none of them is at or past `end`.
  template <int kWhich, bool kWhole>
  void add_half(const Neurons& neurons, const std::byte* header, const std::byte* block, int sub, int64_t o,
                float value_scale) const {
    uint32x4_t sums[16];
    dot_half<kFormat.codes, kWhich>(neurons, o / kChunk * chunk_bytes, -sparse_offset(kFormat) * neurons.sum,
                                    sums);
    const float sum = value_scale * static_cast<float>(neurons.sum);
#pragma GCC unroll 4
    for (int t = 0; t < 4; ++t) {
      const int64_t at = o + 16 * t;
      if (!kWhole && at >= end) return;
      float32x4_t scale[4], minimum[4];
      load_scales(header, block, sub, at, scale);
      if constexpr (kFormat.has_minimum()) load_minima(header, block, sub, at, minimum);
#pragma GCC unroll 4
      for (int l = 0; l < 4; ++l) {
        const int64_t n = kWhole ? 4 : end - at - 4 * l;
        if (n <= 0) return;
        float32x4_t v = load_first(y + at + 4 * l, n);
        const float32x4_t product = vcvtq_f32_s32(vreinterpretq_s32_u32(sums[4 * t + l]));
        v = vfmaq_f32(v, product, vmulq_n_f32(scale[l], value_scale));
        if constexpr (kFormat.has_minimum()) v = vfmsq_f32(v, minimum[l], vdupq_n_f32(sum));
        store_first(y + at + 4 * l, n, v);
      }
    }
  }

  void run(float value_scale, float inverse) const {
    const int64_t n_blocks = w.n_neurons / 32;
    Neurons neurons[kPerBlock];
    int64_t at = 0;        // first live neuron of this block
    int64_t later_at = 0;  // first live neuron of the block to prefetch
    while (later_at < live.count && live.index[later_at] < 32 * kPrefetchBlocks) ++later_at;
    for (int64_t block = 0; block < n_blocks; ++block) {
      const int64_t later = block + kPrefetchBlocks;
      int64_t later_end = later_at;
      if (later < n_blocks) {
        while (later_end < live.count && live.index[later_end] < 32 * (later + 1)) ++later_end;
      }
      const std::byte* header = header_of(block);
      const std::byte* p = block_of(block);
      const int64_t first = at;
      for (int sub = 0; sub < kPerBlock; ++sub) {
        const int64_t limit = 32 * block + 32 / kPerBlock * (sub + 1);
        int64_t to = at;
        while (to < live.count && live.index[to] < limit) ++to;
        gather(live, at, to, 32 * block, p + scale_bytes, neuron_bytes, inverse, neurons[sub]);
        at = to;
      }
      for (int64_t o = begin; o < end; o += kChunk) {
        if (later < n_blocks) prefetch(later, later_at, later_end, o);
        if (at == first) continue;
        for (int sub = 0; sub < kPerBlock; ++sub) {
          if (neurons[sub].count == 0) continue;
          if (o + kChunk <= end) {
            add_half<0, true>(neurons[sub], header, p, sub, o, value_scale);
            add_half<1, true>(neurons[sub], header, p, sub, o + kHalf, value_scale);
          } else {
            add_half<0, false>(neurons[sub], header, p, sub, o, value_scale);
            if (o + kHalf < end) add_half<1, false>(neurons[sub], header, p, sub, o + kHalf, value_scale);
          }
        }
      }
      later_at = later_end;
    }
  }
};

template <TensorType kType>
void sparse_quantised(const SparseMatmulArgs& args) {
  float largest = 0;
  for (int64_t i = 0; i < args.live.count; ++i) {
    largest = args.live.value[i] > largest ? args.live.value[i] : largest;
  }
  if (!(largest > 1e-30f)) return;
  const NeuronMajorProduct<kType> product{*args.weight, args.live, args.y, args.begin, args.end};
  product.run(largest / 65535.0f, 65535.0f / largest);
}

// Plain numbers: sum over live rows, 64 outputs at a time.
template <TensorType kType>
void sparse_plain(const SparseMatmulArgs& args) {
  constexpr int64_t kSize = kType == TensorType::f32 ? 4 : 2;
  constexpr int64_t kPrefetchNeurons = 8;
  const NeuronMajorMatrix& w = *args.weight;
  const int64_t neuron_bytes = w.neuron_bytes();
  for (int64_t o = args.begin; o < args.end; o += kHalf) {
    float32x4_t sums[16];
#pragma GCC unroll 16
    for (int v = 0; v < 16; ++v) sums[v] = vdupq_n_f32(0);
    for (int64_t i = 0; i < args.live.count; ++i) {
      const std::byte* row = w.data + args.live.index[i] * neuron_bytes + o * kSize;
      if (i + kPrefetchNeurons < args.live.count) {
        const std::byte* later = w.data + args.live.index[i + kPrefetchNeurons] * neuron_bytes + o * kSize;
        for (int64_t line = 0; line < kHalf * kSize; line += 64) __builtin_prefetch(later + line);
      }
      const float value = args.live.value[i];
#pragma GCC unroll 16
      for (int v = 0; v < 16; ++v) {
        sums[v] = vfmaq_n_f32(sums[v], load_numbers<kType>(row + 4 * v * kSize), value);
      }
    }
#pragma GCC unroll 16
    for (int v = 0; v < 16; ++v) {
      const int64_t at = o + 4 * v, n = args.end - at;
      if (n <= 0) break;
      store_first(args.y + at, n, vaddq_f32(sums[v], load_first(args.y + at, n)));
    }
  }
}

}  // namespace

void sparse_matmul(const SparseMatmulArgs& args) {
  const bool quantised =
      with_quantised_type(args.weight->type, [&]<TensorType kType>() { sparse_quantised<kType>(args); });
  if (quantised) return;
  switch (args.weight->type) {
    case TensorType::f32:
      return sparse_plain<TensorType::f32>(args);
    case TensorType::f16:
      return sparse_plain<TensorType::f16>(args);
    default:
      return sparse_plain<TensorType::bf16>(args);
  }
}

}  // namespace plm::kernels::neon
