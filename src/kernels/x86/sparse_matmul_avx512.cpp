// The down projection over live neurons only, from the neuron-major layout.
//
// Activations are squared ReLUs: never negative, so they are rounded to 16 bits without a sign and
// kept as two planes of unsigned bytes. Four live neurons of a block are interleaved byte by byte and
// multiplied at once (vpdpbusd), 128 outputs in 8 + 8 registers. The rows of live neurons are short
// and lie apart, which the hardware prefetcher does not foresee: what a later block needs is asked for
// a little at a time between the arithmetic of this one.
#include "kernels/x86/avx512.h"
#include "kernels/x86/simd_avx512.h"

namespace plm::kernels::avx512 {
namespace {

constexpr int64_t kChunk = kNeuronMajorOutputs;
constexpr int64_t kPrefetchBlocks = 4;

// The codes of one neuron for 128 outputs, in the order of their places: signed or small unsigned.
template <CodeKind kKind>
inline void load_neuron_codes(const std::byte* at, __m512i (&halves)[2]) {
  if constexpr (kKind == CodeKind::bytes) {
    halves[0] = load(at);
    halves[1] = load(at + 64);
    return;
  }
  const __m512i low_mask = _mm512_set1_epi8(15);
  const __m512i pair = load(at);
  halves[0] = _mm512_and_si512(pair, low_mask);
  halves[1] = _mm512_and_si512(_mm512_srli_epi16(pair, 4), low_mask);
  if constexpr (kKind == CodeKind::nibble_table) {
    const __m512i table = _mm512_sub_epi8(iq4_table(), _mm512_set1_epi8(-128));
    halves[0] = _mm512_shuffle_epi8(table, halves[0]);
    halves[1] = _mm512_shuffle_epi8(table, halves[1]);
  }
  if constexpr (kKind == CodeKind::nibbles_high1) {
    const __m512i bits = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 64)));
    const __m512i lane = _mm512_setr_epi64(0, 0, 0x0001000100010001, 0x0001000100010001, 0x0002000200020002,
                                           0x0002000200020002, 0x0003000300030003, 0x0003000300030003);
    const __m512i one = _mm512_set1_epi8(1);
    const __m512i first = _mm512_and_si512(_mm512_srlv_epi16(bits, lane), one);
    const __m512i second = _mm512_and_si512(_mm512_srlv_epi16(_mm512_srli_epi16(bits, 4), lane), one);
    halves[0] = _mm512_or_si512(halves[0], _mm512_slli_epi16(first, 4));
    halves[1] = _mm512_or_si512(halves[1], _mm512_slli_epi16(second, 4));
  }
  if constexpr (kKind == CodeKind::nibbles_high2) {
    const __m512i bits =
        _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 64)));
    const __m512i lane = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(2), 1);
    const __m512i three = _mm512_set1_epi8(3);
    const __m512i first = _mm512_and_si512(_mm512_srlv_epi16(bits, lane), three);
    const __m512i second = _mm512_and_si512(_mm512_srlv_epi16(_mm512_srli_epi16(bits, 4), lane), three);
    halves[0] = _mm512_or_si512(halves[0], _mm512_slli_epi16(first, 4));
    halves[1] = _mm512_or_si512(halves[1], _mm512_slli_epi16(second, 4));
  }
}

// Up to 32 live neurons of one block of scales, as groups of four.
struct Quads {
  const std::byte* row[32];
  uint32_t high[8], low[8];  // four unsigned bytes each
  int count = 0;             // of quads
  int sum = 0;               // of the rounded activations
};

inline void gather(const LiveRows& live, int64_t begin, int64_t end, int64_t first_neuron,
                   const std::byte* codes, int64_t neuron_bytes, float inverse, Quads& quads) {
  const int64_t n = end - begin;
  quads.count = static_cast<int>((n + 3) / 4);
  quads.sum = 0;
  for (int q = 0; q < quads.count; ++q) {
    quads.high[q] = quads.low[q] = 0;
    for (int i = 0; i < 4; ++i) {
      const int64_t at = begin + 4 * q + i;
      if (at >= end) {  // a neuron that adds nothing: the last one again, times zero
        quads.row[4 * q + i] = quads.row[4 * q + i - 1];
        continue;
      }
      quads.row[4 * q + i] = codes + (live.index[at] - first_neuron) * neuron_bytes;
      const int a = _mm_cvtss_si32(_mm_set_ss(live.value[at] * inverse));
      quads.sum += a;
      quads.high[q] |= static_cast<uint32_t>(a >> 8) << (8 * i);
      quads.low[q] |= static_cast<uint32_t>(a & 255) << (8 * i);
    }
  }
}

// The rounded dot products of 128 outputs: total[t] has outputs 16 t .. 16 t + 15.
template <CodeKind kKind>
inline void dot_chunk(const Quads& quads, int64_t chunk_offset, int start, __m512i (&total)[8]) {
  __m512i high[8];
#pragma GCC unroll 8
  for (int t = 0; t < 8; ++t) {
    high[t] = _mm512_setzero_si512();
    total[t] = _mm512_set1_epi32(start);
  }
  for (int q = 0; q < quads.count; ++q) {
    const __m512i a_high = _mm512_set1_epi32(static_cast<int>(quads.high[q]));
    const __m512i a_low = _mm512_set1_epi32(static_cast<int>(quads.low[q]));
    __m512i codes[4][2];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) load_neuron_codes<kKind>(quads.row[4 * q + i] + chunk_offset, codes[i]);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const __m512i t0 = _mm512_unpacklo_epi8(codes[0][half], codes[1][half]);
      const __m512i t1 = _mm512_unpackhi_epi8(codes[0][half], codes[1][half]);
      const __m512i t2 = _mm512_unpacklo_epi8(codes[2][half], codes[3][half]);
      const __m512i t3 = _mm512_unpackhi_epi8(codes[2][half], codes[3][half]);
      const __m512i four[4] = {_mm512_unpacklo_epi16(t0, t2), _mm512_unpackhi_epi16(t0, t2),
                               _mm512_unpacklo_epi16(t1, t3), _mm512_unpackhi_epi16(t1, t3)};
#pragma GCC unroll 4
      for (int t = 0; t < 4; ++t) {
        high[4 * half + t] = _mm512_dpbusd_epi32(high[4 * half + t], a_high, four[t]);
        total[4 * half + t] = _mm512_dpbusd_epi32(total[4 * half + t], a_low, four[t]);
      }
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < 8; ++t) total[t] = _mm512_add_epi32(total[t], _mm512_slli_epi32(high[t], 8));
}

template <TensorType kType>
struct NeuronMajorProduct {
  static constexpr PackedFormat kFormat = packed_format(kType);
  static constexpr int kPerBlock = kFormat.scale_per_16() ? 2 : 1;
  // Bytes are stored signed and table values are signed: nothing to take off.
  static constexpr int kOffset =
      kFormat.codes == CodeKind::bytes || kFormat.codes == CodeKind::nibble_table ? 0 : kFormat.offset;

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

  inline __m512 scale_at(const std::byte* header, const std::byte* block, int sub, int64_t o) const {
    if constexpr (!kFormat.super()) return load_halves(block + 2 * o);
    const __m512 d = load_halves(header + 2 * o);
    if constexpr (kFormat.has_minimum())
      return _mm512_mul_ps(d, load_unsigned_bytes(block + sub * padded + o));
    return _mm512_mul_ps(d, load_signed_bytes(block + sub * padded + o));
  }
  inline __m512 minimum_at(const std::byte* header, const std::byte* block, int sub, int64_t o) const {
    if constexpr (!kFormat.super()) return load_halves(block + 2 * padded + 2 * o);
    const __m512 dmin = load_halves(header + 2 * padded + 2 * o);
    return _mm512_mul_ps(dmin, load_unsigned_bytes(block + (kPerBlock + sub) * padded + o));
  }

  // What the live neurons [from, to) of a later block need of one chunk. Inlined by force: g++ takes a
  // function that only prefetches for one without effect and drops its calls.
  [[gnu::always_inline]] inline void prefetch(int64_t block, int64_t from, int64_t to, int64_t o) const {
    if (from == to) return;
    const std::byte* p = block_of(block);
    if constexpr (!kFormat.super()) {
      for (int64_t i = 0; i < (kFormat.has_minimum() ? 2 : 1); ++i) {
        for (int64_t line = 0; line < 256; line += 64) {
          _mm_prefetch(reinterpret_cast<const char*>(p + 2 * padded * i + 2 * o + line), _MM_HINT_T0);
        }
      }
    } else {
      for (int64_t i = 0; i < kPerBlock * (kFormat.has_minimum() ? 2 : 1); ++i) {
        for (int64_t line = 0; line < 128; line += 64) {
          _mm_prefetch(reinterpret_cast<const char*>(p + padded * i + o + line), _MM_HINT_T0);
        }
      }
    }
    const std::byte* codes = p + scale_bytes + o / kChunk * chunk_bytes;
    for (int64_t i = from; i < to; ++i) {
      const std::byte* row = codes + (live.index[i] - 32 * block) * neuron_bytes;
      _mm_prefetch(reinterpret_cast<const char*>(row), _MM_HINT_T0);
      if constexpr (kFormat.codes != CodeKind::nibbles && kFormat.codes != CodeKind::nibble_table) {
        _mm_prefetch(reinterpret_cast<const char*>(row + 64), _MM_HINT_T0);
      }
    }
  }

  inline void add_chunk(const Quads& quads, const std::byte* header, const std::byte* block, int sub,
                        int64_t o, float a_scale) const {
    __m512i total[8];
    dot_chunk<kFormat.codes>(quads, o / kChunk * chunk_bytes, -kOffset * quads.sum, total);
    const __m512 scale = _mm512_set1_ps(a_scale);
    const __m512 sum = _mm512_set1_ps(a_scale * static_cast<float>(quads.sum));
#pragma GCC unroll 8
    for (int t = 0; t < 8; ++t) {
      const int64_t at = o + 16 * t;
      const __mmask16 mask = at < end ? tail_mask(end - at) : 0;
      __m512 v = _mm512_maskz_loadu_ps(mask, y + at);
      v = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total[t]),
                          _mm512_mul_ps(scale_at(header, block, sub, at), scale), v);
      if constexpr (kFormat.has_minimum()) v = _mm512_fnmadd_ps(minimum_at(header, block, sub, at), sum, v);
      _mm512_mask_storeu_ps(y + at, mask, v);
    }
  }

  void run(float a_scale, float inverse) const {
    const int64_t n_blocks = w.n_neurons / 32;
    Quads quads[kPerBlock];
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
      int64_t from = at;
      for (int sub = 0; sub < kPerBlock; ++sub) {
        const int64_t limit = 32 * block + 32 / kPerBlock * (sub + 1);
        int64_t to = from;
        while (to < live.count && live.index[to] < limit) ++to;
        gather(live, from, to, 32 * block, p + scale_bytes, neuron_bytes, inverse, quads[sub]);
        from = to;
      }
      const bool any = from > at;
      at = from;
      for (int64_t o = begin; o < end; o += kChunk) {
        if (later < n_blocks) prefetch(later, later_at, later_end, o);
        if (!any) continue;
        for (int sub = 0; sub < kPerBlock; ++sub) {
          if (quads[sub].count > 0) add_chunk(quads[sub], header, p, sub, o, a_scale);
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

// Plain numbers: sum over live rows, 128 outputs at a time.
template <TensorType kType>
void sparse_plain(const SparseMatmulArgs& args) {
  const NeuronMajorMatrix& w = *args.weight;
  const int64_t neuron_bytes = w.neuron_bytes();
  constexpr int64_t kSize = kType == TensorType::f32 ? 4 : 2;
  for (int64_t o = args.begin; o < args.end; o += kChunk) {
    __m512 sums[8];
#pragma GCC unroll 8
    for (int t = 0; t < 8; ++t) sums[t] = _mm512_setzero_ps();
    for (int64_t i = 0; i < args.live.count; ++i) {
      const std::byte* row = w.data + args.live.index[i] * neuron_bytes + o * kSize;
      if (i + 8 < args.live.count) {
        const std::byte* later = w.data + args.live.index[i + 8] * neuron_bytes + o * kSize;
        for (int64_t line = 0; line < kChunk * kSize; line += 64) {
          _mm_prefetch(reinterpret_cast<const char*>(later + line), _MM_HINT_T0);
        }
      }
      const __m512 a = _mm512_set1_ps(args.live.value[i]);
#pragma GCC unroll 8
      for (int t = 0; t < 8; ++t) {
        __m512 v;
        if constexpr (kType == TensorType::f32) {
          v = _mm512_loadu_ps(reinterpret_cast<const float*>(row) + 16 * t);
        } else if constexpr (kType == TensorType::f16) {
          v = load_halves(row + 32 * t);
        } else {
          const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 32 * t));
          v = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
        }
        sums[t] = _mm512_fmadd_ps(v, a, sums[t]);
      }
    }
#pragma GCC unroll 8
    for (int t = 0; t < 8; ++t) {
      const int64_t at = o + 16 * t;
      if (at >= args.end) break;
      const __mmask16 mask = tail_mask(args.end - at);
      _mm512_mask_storeu_ps(args.y + at, mask,
                            _mm512_add_ps(sums[t], _mm512_maskz_loadu_ps(mask, args.y + at)));
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

}  // namespace plm::kernels::avx512
