// The down projection over live neurons only, from the neuron-major layout.
//
// Activations are squared ReLUs, never negative. With codes of up to 6 bits they are rounded to 16 bits
// without a sign and kept as two planes of unsigned bytes; four live neurons of a block are interleaved
// byte by byte and multiplied at once (vpmaddubsw, whose sums fit: 2 * 255 * 63 < 2^15), 64 outputs in
// 8 + 8 registers. Signed bytes would not fit; they become floats and are multiplied by the activations
// as they are, 64 outputs in 8 registers. Either way the scales of a block are applied to its sum.
#include "kernels/x86/avx2.h"
#include "kernels/x86/simd_avx2.h"

namespace plm::kernels::avx2 {
namespace {

constexpr int64_t kChunk = kNeuronMajorOutputs;
constexpr int64_t kPrefetchBlocks = 4;

constexpr bool has_signed_bytes(CodeKind kind) {
  return kind == CodeKind::bytes || kind == CodeKind::nibble_table;
}

// The codes of one neuron for one half of a chunk, 64 outputs in the order of their places.
template <CodeKind kKind>
inline void load_half(const std::byte* at, int half, __m256i (&codes)[2]) {
  if constexpr (kKind == CodeKind::bytes) {
    codes[0] = load(at + 64 * half);
    codes[1] = load(at + 64 * half + 32);
    return;
  }
  const __m128i shift = _mm_cvtsi32_si128(4 * half);
  const __m256i low_mask = _mm256_set1_epi8(15);
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    codes[i] = _mm256_and_si256(_mm256_srl_epi16(load(at + 32 * i), shift), low_mask);
  }
  if constexpr (kKind == CodeKind::nibble_table) {
    codes[0] = _mm256_shuffle_epi8(iq4_table<0>(), codes[0]);
    codes[1] = _mm256_shuffle_epi8(iq4_table<0>(), codes[1]);
  }
  if constexpr (kKind == CodeKind::nibbles_high1) {
    // Bit l of a byte of the half belongs to lane l of the four lanes of 16 places.
    const __m128i bits = _mm_srl_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 64)), shift);
    const __m256i both = _mm256_broadcastsi128_si256(bits);
    const __m256i fifth = _mm256_set1_epi8(16);
    const __m256i lanes01 = _mm256_blend_epi32(_mm256_slli_epi16(both, 4), _mm256_slli_epi16(both, 3), 0xf0);
    const __m256i lanes23 = _mm256_blend_epi32(_mm256_slli_epi16(both, 2), _mm256_slli_epi16(both, 1), 0xf0);
    codes[0] = _mm256_or_si256(codes[0], _mm256_and_si256(lanes01, fifth));
    codes[1] = _mm256_or_si256(codes[1], _mm256_and_si256(lanes23, fifth));
  }
  if constexpr (kKind == CodeKind::nibbles_high2) {
    // Bits 0, 1 of a byte of the half belong to the first 32 places, bits 2, 3 to the others.
    const __m256i bits = _mm256_srl_epi16(load(at + 64), shift);
    const __m256i mask = _mm256_set1_epi8(48);
    codes[0] = _mm256_or_si256(codes[0], _mm256_and_si256(_mm256_slli_epi16(bits, 4), mask));
    codes[1] = _mm256_or_si256(codes[1], _mm256_and_si256(_mm256_slli_epi16(bits, 2), mask));
  }
}

// Up to 32 live neurons of one block of scales. Quads: as groups of four.
struct LiveInBlock {
  const std::byte* row[32];
  float value[32];
  uint32_t high[8], low[8];  // of the rounded activations of a quad: four unsigned bytes each
  int count = 0;             // of neurons
  int sum = 0;               // of the rounded activations

  int n_quads() const { return (count + 3) / 4; }
};

struct Gather {
  const LiveRows& live;
  int64_t neuron_bytes;
  float inverse;

  // The live neurons [begin, end), of a block that starts at first_neuron and has its codes at `codes`.
  inline void operator()(int64_t begin, int64_t end, int64_t first_neuron, const std::byte* codes,
                         LiveInBlock& block) const {
    block.count = static_cast<int>(end - begin);
    block.sum = 0;
    for (int i = 0; i < 4 * block.n_quads(); ++i) {
      if (i % 4 == 0) block.high[i / 4] = block.low[i / 4] = 0;
      if (i >= block.count) {  // a neuron that adds nothing: the last one again, times zero
        block.row[i] = block.row[i - 1];
        continue;
      }
      block.row[i] = codes + (live.index[begin + i] - first_neuron) * neuron_bytes;
      block.value[i] = live.value[begin + i];
      const int a = _mm_cvtss_si32(_mm_set_ss(block.value[i] * inverse));
      block.sum += a;
      block.high[i / 4] |= static_cast<uint32_t>(a >> 8) << (8 * (i % 4));
      block.low[i / 4] |= static_cast<uint32_t>(a & 255) << (8 * (i % 4));
    }
  }
};

// The sums of 64 outputs: total[2 t + i] has outputs 16 t + 8 i .. + 7.
using Totals = __m256[8];

// Four neurons byte by byte: four[t] has, in lane l, the outputs 16 t + 4 l .. + 3 of this register.
inline void interleave(const __m256i (&n)[4], __m256i (&four)[4]) {
  const __m256i t0 = _mm256_unpacklo_epi8(n[0], n[1]), t1 = _mm256_unpackhi_epi8(n[0], n[1]);
  const __m256i t2 = _mm256_unpacklo_epi8(n[2], n[3]), t3 = _mm256_unpackhi_epi8(n[2], n[3]);
  four[0] = _mm256_unpacklo_epi16(t0, t2);
  four[1] = _mm256_unpackhi_epi16(t0, t2);
  four[2] = _mm256_unpacklo_epi16(t1, t3);
  four[3] = _mm256_unpackhi_epi16(t1, t3);
}

template <CodeKind kKind>
inline void dot_half(const LiveInBlock& block, int64_t chunk_offset, int half, int start, Totals& total) {
  __m256i high[8], low[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    high[i] = _mm256_setzero_si256();
    low[i] = _mm256_set1_epi32(start);
  }
  const __m256i ones = _mm256_set1_epi16(1);
  for (int q = 0; q < block.n_quads(); ++q) {
    const __m256i a_high = _mm256_set1_epi32(static_cast<int>(block.high[q]));
    const __m256i a_low = _mm256_set1_epi32(static_cast<int>(block.low[q]));
    __m256i neurons[2][4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      __m256i codes[2];
      load_half<kKind>(block.row[4 * q + i] + chunk_offset, half, codes);
      neurons[0][i] = codes[0];
      neurons[1][i] = codes[1];
    }
#pragma GCC unroll 2
    for (int side = 0; side < 2; ++side) {
      __m256i four[4];
      interleave(neurons[side], four);
#pragma GCC unroll 4
      for (int t = 0; t < 4; ++t) {
        const int i = 2 * t + side;
        const __m256i high_pairs = _mm256_maddubs_epi16(a_high, four[t]);
        const __m256i low_pairs = _mm256_maddubs_epi16(a_low, four[t]);
        high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(high_pairs, ones));
        low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(low_pairs, ones));
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    total[i] = _mm256_cvtepi32_ps(_mm256_add_epi32(low[i], _mm256_slli_epi32(high[i], 8)));
  }
}

// The same with float products of signed bytes. Sums are kept by place and put in order at the end.
template <CodeKind kKind>
inline void float_dot_half(const LiveInBlock& block, int64_t chunk_offset, int half, Totals& total) {
  __m256 sums[8];  // places 8 i .. 8 i + 7
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) sums[i] = _mm256_setzero_ps();
  for (int n = 0; n < block.count; ++n) {
    alignas(32) std::byte decoded[64];
    const std::byte* bytes = block.row[n] + chunk_offset + 64 * half;
    if constexpr (kKind != CodeKind::bytes) {
      __m256i codes[2];
      load_half<kKind>(block.row[n] + chunk_offset, half, codes);
      _mm256_store_si256(reinterpret_cast<__m256i*>(decoded), codes[0]);
      _mm256_store_si256(reinterpret_cast<__m256i*>(decoded) + 1, codes[1]);
      bytes = decoded;
    }
    const __m256 value = _mm256_set1_ps(block.value[n]);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) sums[i] = _mm256_fmadd_ps(load_signed_bytes(bytes + 8 * i), value, sums[i]);
  }
  // Places 16 l + 4 t .. + 3 are outputs 16 t + 4 l .. + 3: half of a register each.
#pragma GCC unroll 4
  for (int t = 0; t < 4; ++t) {
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const __m256 first = sums[4 * i + t / 2], second = sums[4 * i + 2 + t / 2];
      total[2 * t + i] = t % 2 == 0 ? _mm256_permute2f128_ps(first, second, 0x20)
                                    : _mm256_permute2f128_ps(first, second, 0x31);
    }
  }
}

template <TensorType kType>
struct NeuronMajorProduct {
  static constexpr PackedFormat kFormat = packed_format(kType);
  static constexpr int kPerBlock = kFormat.scale_per_16() ? 2 : 1;
  static constexpr bool kSigned = has_signed_bytes(kFormat.codes);

  const NeuronMajorMatrix& w;
  const LiveRows& live;
  float* y;
  int64_t begin, end;
  float a_scale, inverse;
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

  // Scales and minima of 8 outputs from o on.
  inline __m256 scale_at(const std::byte* header, const std::byte* block, int sub, int64_t o) const {
    if constexpr (!kFormat.super()) return load_halves(block + 2 * o);
    const __m256 d = load_halves(header + 2 * o);
    if constexpr (kFormat.has_minimum())
      return _mm256_mul_ps(d, load_unsigned_bytes(block + sub * padded + o));
    return _mm256_mul_ps(d, load_signed_bytes(block + sub * padded + o));
  }
  inline __m256 minimum_at(const std::byte* header, const std::byte* block, int sub, int64_t o) const {
    if constexpr (!kFormat.super()) return load_halves(block + 2 * padded + 2 * o);
    const __m256 dmin = load_halves(header + 2 * padded + 2 * o);
    return _mm256_mul_ps(dmin, load_unsigned_bytes(block + (kPerBlock + sub) * padded + o));
  }

  // The neurons [from, to) of a later block, one chunk of each.
  inline void prefetch(int64_t block, int64_t from, int64_t to, int64_t o) const {
    const std::byte* codes = block_of(block) + scale_bytes + o / kChunk * chunk_bytes;
    for (int64_t i = from; i < to; ++i) {
      const std::byte* row = codes + (live.index[i] - 32 * block) * neuron_bytes;
      _mm_prefetch(reinterpret_cast<const char*>(row), _MM_HINT_T0);
      if constexpr (kFormat.codes != CodeKind::nibbles && kFormat.codes != CodeKind::nibble_table) {
        _mm_prefetch(reinterpret_cast<const char*>(row + 64), _MM_HINT_T0);
      }
    }
  }

  inline void add_half(const LiveInBlock& neurons, const std::byte* header, const std::byte* block, int sub,
                       int64_t o, int half) const {
    Totals total;
    __m256 scale = _mm256_set1_ps(1.0f), sum = _mm256_setzero_ps();
    if constexpr (kSigned) {
      float_dot_half<kFormat.codes>(neurons, o / kChunk * chunk_bytes, half, total);
    } else {
      dot_half<kFormat.codes>(neurons, o / kChunk * chunk_bytes, half, -kFormat.offset * neurons.sum, total);
      scale = _mm256_set1_ps(a_scale);
      sum = _mm256_set1_ps(a_scale * static_cast<float>(neurons.sum));
    }
    for (int i = 0; i < 8; ++i) {
      const int64_t at = o + 64 * half + 8 * i;
      if (at >= end) break;
      const __m256i mask = tail_mask(end - at);
      __m256 v = _mm256_maskload_ps(y + at, mask);
      v = _mm256_fmadd_ps(total[i], _mm256_mul_ps(scale_at(header, block, sub, at), scale), v);
      if constexpr (kFormat.has_minimum()) v = _mm256_fnmadd_ps(minimum_at(header, block, sub, at), sum, v);
      _mm256_maskstore_ps(y + at, mask, v);
    }
  }

  inline void add_block(const LiveInBlock (&subs)[kPerBlock], const std::byte* header, const std::byte* block,
                        int64_t o) const {
    for (int sub = 0; sub < kPerBlock; ++sub) {
      if (subs[sub].count == 0) continue;
      add_half(subs[sub], header, block, sub, o, 0);
      if (o + 64 < end) add_half(subs[sub], header, block, sub, o, 1);
    }
  }

  int64_t first_live_from(int64_t at, int64_t neuron) const {
    while (at < live.count && live.index[at] < neuron) ++at;
    return at;
  }

  void run() const {
    const int64_t n_blocks = w.n_neurons / 32;
    const Gather gather{live, neuron_bytes, inverse};
    LiveInBlock subs[kPerBlock];
    int64_t at = 0;                                               // first live neuron of this block
    int64_t later_at = first_live_from(0, 32 * kPrefetchBlocks);  // of the block to prefetch
    for (int64_t block = 0; block < n_blocks; ++block) {
      const int64_t later = block + kPrefetchBlocks;
      const int64_t later_end = later < n_blocks ? first_live_from(later_at, 32 * (later + 1)) : later_at;
      const std::byte* p = block_of(block);
      const int64_t first = at;
      for (int sub = 0; sub < kPerBlock; ++sub) {
        const int64_t sub_end = first_live_from(at, 32 * block + 32 / kPerBlock * (sub + 1));
        gather(at, sub_end, 32 * block, p + scale_bytes, subs[sub]);
        at = sub_end;
      }
      for (int64_t o = begin; o < end; o += kChunk) {
        if (later_end > later_at) prefetch(later, later_at, later_end, o);
        if (at > first) add_block(subs, header_of(block), p, o);
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
  const NeuronMajorProduct<kType> product{.w = *args.weight,
                                          .live = args.live,
                                          .y = args.y,
                                          .begin = args.begin,
                                          .end = args.end,
                                          .a_scale = largest / 65535.0f,
                                          .inverse = 65535.0f / largest};
  product.run();
}

template <TensorType kType>
inline __m256 load_eight(const std::byte* at) {
  if constexpr (kType == TensorType::f32) return _mm256_loadu_ps(reinterpret_cast<const float*>(at));
  if constexpr (kType == TensorType::f16) return load_halves(at);
  return load_bf16(at);
}

// Plain numbers: sum over live rows, 64 outputs at a time.
template <TensorType kType>
void sparse_plain(const SparseMatmulArgs& args) {
  constexpr int64_t kSize = kType == TensorType::f32 ? 4 : 2;
  const int64_t neuron_bytes = args.weight->neuron_bytes();
  for (int64_t o = args.begin; o < args.end; o += 64) {
    __m256 sums[8];
#pragma GCC unroll 8
    for (int t = 0; t < 8; ++t) sums[t] = _mm256_setzero_ps();
    const std::byte* column = args.weight->data + o * kSize;
    for (int64_t i = 0; i < args.live.count; ++i) {
      const std::byte* row = column + args.live.index[i] * neuron_bytes;
      if (i + 8 < args.live.count) {
        const std::byte* later = column + args.live.index[i + 8] * neuron_bytes;
        for (int64_t line = 0; line < 64 * kSize; line += 64) {
          _mm_prefetch(reinterpret_cast<const char*>(later + line), _MM_HINT_T0);
        }
      }
      const __m256 a = _mm256_set1_ps(args.live.value[i]);
#pragma GCC unroll 8
      for (int t = 0; t < 8; ++t) {
        sums[t] = _mm256_fmadd_ps(load_eight<kType>(row + 8 * kSize * t), a, sums[t]);
      }
    }
    for (int t = 0; t < 8; ++t) {
      const int64_t at = o + 8 * t;
      if (at >= args.end) break;
      const __m256i mask = tail_mask(args.end - at);
      const __m256 before = _mm256_maskload_ps(args.y + at, mask);
      _mm256_maskstore_ps(args.y + at, mask, _mm256_add_ps(sums[t], before));
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
    case TensorType::bf16:
      return sparse_plain<TensorType::bf16>(args);
    default:
      PLM_CHECK(!"a type with a neuron-major layout");
  }
}

}  // namespace plm::kernels::avx2
