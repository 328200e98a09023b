// Matrix products with AMX (tdpbf16ps), of quantised and BF16 weights.
//
// A tile of inputs is 16 tokens x 32 columns as they lie in Activations::bf16; a tile of weights is 16 rows x
// 32 columns, pairs of columns side by side, turned into bf16 numbers from the codes; a tile of sums is 16
// tokens x 16 rows. 2 x 2 tiles of sums take two of each, so that a product needs one tile from memory.
// Scales and minima are in the weights' numbers, so sums stay in their tiles over many blocks; with integer
// products every block of 32 columns would have to be scaled by itself, which takes longer than multiplying.
// Loops, from outside: a stretch of tokens and columns; two groups of rows; a chunk of columns; 32 tokens.
#include "kernels/x86/amx.h"
#include "kernels/x86/avx512.h"
#include "kernels/x86/simd_avx512.h"

namespace plm::kernels::amx {
namespace {

using avx512::load_codes;
using avx512::Scales;
using avx512::tail_mask;

// The inputs of a stretch stay in the second-level cache while all groups pass over them; the chunk of
// numbers in the first-level cache. In a unit's blocks.
constexpr int64_t kStretchTokens = 320;
constexpr int64_t kStretchBlocks = 64;
constexpr int64_t kChunkBlocks = 8;
constexpr int64_t kTileBytes = 1024;
constexpr int64_t kTileTokens = 16;

// g++'s _tile_loadd does not tell the compiler that it reads memory: what was written must be there before.
inline void finish_writing(const void* at) { asm volatile("" : : "r"(at) : "memory"); }

// Two rows of 16 numbers become 16 pairs, rounded to the nearest (a half: away from zero). By integers, which
// is quicker than vcvtne2ps2bf16 and the permutation it needs.
inline __m512i pairs(__m512 even, __m512 odd) {
  const __m512i half = _mm512_set1_epi32(0x8000);
  const __m512i low = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(even), half), 16);
  const __m512i high = _mm512_add_epi32(_mm512_castps_si512(odd), half);
  return _mm512_mask_blend_epi16(0xaaaaaaaa, low, high);
}

// The numbers of a block of 32 columns of 16 rows, as a tile of weights. Two rows of it for each step of four
// columns.
template <TensorType kType>
inline void block_numbers(const std::byte* at, Scales<kType>& scales, std::byte* out) {
  constexpr PackedFormat kFormat = packed_format(kType);
  constexpr int kOffset = avx512::dot_offset(kFormat);
  scales.load_block(at);
  __m512i codes[8];
  load_codes<kFormat.codes>(at + kFormat.scale_bytes(), codes);
  const __m512i byte = _mm512_set1_epi32(255);
  __m512 shift[Scales<kType>::kPerBlock];
#pragma GCC unroll 2
  for (int i = 0; i < Scales<kType>::kPerBlock; ++i) {
    shift[i] = kFormat.has_minimum() ? _mm512_sub_ps(_mm512_setzero_ps(), scales.minimum[i])
                                     : _mm512_mul_ps(scales.scale[i], _mm512_set1_ps(-kOffset));
  }
#pragma GCC unroll 8
  for (int s = 0; s < 8; ++s) {
    const int part = kFormat.scale_per_16() ? s / 4 : 0;
    const auto number = [&](__m512i code) __attribute__((always_inline)) {
      return _mm512_fmadd_ps(_mm512_cvtepi32_ps(code), scales.scale[part], shift[part]);
    };
    const __m512 n0 = number(_mm512_and_si512(codes[s], byte));
    const __m512 n1 = number(_mm512_and_si512(_mm512_srli_epi32(codes[s], 8), byte));
    const __m512 n2 = number(_mm512_and_si512(_mm512_srli_epi32(codes[s], 16), byte));
    const __m512 n3 = number(_mm512_srli_epi32(codes[s], 24));
    _mm512_store_si512(out + 128 * s, pairs(n0, n1));
    _mm512_store_si512(out + 128 * s + 64, pairs(n2, n3));
  }
}

// The numbers of blocks [first, first + n) of a group, n tiles; both multiples of a unit's blocks.
template <TensorType kType>
void group_numbers(const std::byte* group, int64_t first, int64_t n, std::byte* out) {
  constexpr PackedFormat kFormat = packed_format(kType);
  const std::byte* p = group + first / kFormat.blocks_per_unit() * kFormat.unit_bytes();
  Scales<kType> scales;
  for (int64_t done = 0; done < n;) {
    scales.load_unit(p);
    p += kFormat.header_bytes();
    for (int64_t b = 0; b < kFormat.blocks_per_unit(); ++b, ++done, p += kFormat.block_bytes()) {
      block_numbers<kType>(p, scales, out + done * kTileBytes);
    }
  }
}

// BF16 weights are numbers already: a column of 16 rows follows the other, and pairs are wanted.
template <>
void group_numbers<TensorType::bf16>(const std::byte* group, int64_t first, int64_t n, std::byte* out) {
  alignas(64) static constexpr uint16_t kOrder[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                      21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                      11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i order = _mm512_load_si512(kOrder);
  const std::byte* at = group + first * kTileBytes;
  for (int64_t i = 0; i < n * kTileBytes; i += 64) {
    _mm512_store_si512(out + i, _mm512_permutexvar_epi16(order, avx512::load(at + i)));
  }
}

// What a thread has on its stack: a chunk of two groups' numbers, and the sums of two groups for a stretch of
// tokens.
struct Bench {
  alignas(64) std::byte numbers[2][kChunkBlocks * kTileBytes];
  alignas(64) float sums[kStretchTokens][2 * kGroupRows];
};
constexpr size_t kSumsStride = sizeof(float) * 2 * kGroupRows;

// sums += x W over n_blocks for kTokenTiles x 16 tokens and kGroups groups. x: of the first token and block,
// x_block bytes from block to block.
template <int kTokenTiles, int kGroups>
inline void multiply(const std::byte* x, int64_t x_stride, int64_t x_block, const Bench& bench,
                     int64_t n_blocks, bool from_zero, float* sums) {
  float* const sums1 = sums + 2 * kGroupRows * kTileTokens;
  if (from_zero) {
    _tile_zero(0);
    if constexpr (kGroups > 1) _tile_zero(1);
    if constexpr (kTokenTiles > 1) _tile_zero(2);
    if constexpr (kTokenTiles > 1 && kGroups > 1) _tile_zero(3);
  } else {
    _tile_loadd(0, sums, kSumsStride);
    if constexpr (kGroups > 1) _tile_loadd(1, sums + kGroupRows, kSumsStride);
    if constexpr (kTokenTiles > 1) _tile_loadd(2, sums1, kSumsStride);
    if constexpr (kTokenTiles > 1 && kGroups > 1) _tile_loadd(3, sums1 + kGroupRows, kSumsStride);
  }
  const auto stride = static_cast<size_t>(x_stride);
  for (int64_t b = 0; b < n_blocks; ++b, x += x_block) {
    _tile_loadd(6, bench.numbers[0] + b * kTileBytes, 64);
    _tile_loadd(4, x, stride);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kGroups > 1) {
      _tile_loadd(7, bench.numbers[1] + b * kTileBytes, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kTokenTiles > 1) {
      _tile_loadd(5, x + kTileTokens * x_stride, stride);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kGroups > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, sums, kSumsStride);
  if constexpr (kGroups > 1) _tile_stored(1, sums + kGroupRows, kSumsStride);
  if constexpr (kTokenTiles > 1) _tile_stored(2, sums1, kSumsStride);
  if constexpr (kTokenTiles > 1 && kGroups > 1) _tile_stored(3, sums1 + kGroupRows, kSumsStride);
}

// Adds to (or begins) the sums of tokens [begin, end) with the chunk in `bench`, whose first block is
// `first`.
template <int kGroups>
void multiply_tokens(const MatmulArgs& args, int64_t begin, int64_t end, int64_t first, int64_t n_blocks,
                     bool from_zero, Bench& bench) {
  const Activations& x = *args.x;
  const int64_t x_stride = args.token_stride * 64, x_block = x.pitch * 64;
  const auto* at = reinterpret_cast<const std::byte*>(x.bf16) + first * x_block +
                   (args.first_token + begin * args.token_stride) * 64;
  bool is_full = false;  // the tiles' shape
  for (int64_t i = begin; i < end; i += 2 * kTileTokens, at += 2 * kTileTokens * x_stride) {
    const int64_t n_tokens = end - i < 2 * kTileTokens ? end - i : 2 * kTileTokens;
    if (!is_full || n_tokens < 2 * kTileTokens) shape_tiles(n_tokens);
    is_full = n_tokens == 2 * kTileTokens;
    float* sums = bench.sums[i - begin];
    if (n_tokens > kTileTokens) {
      multiply<2, kGroups>(at, x_stride, x_block, bench, n_blocks, from_zero, sums);
    } else {
      multiply<1, kGroups>(at, x_stride, x_block, bench, n_blocks, from_zero, sums);
    }
  }
}

void store_sums(const MatmulArgs& args, int64_t begin, int64_t end, int64_t row, int64_t n_rows, bool add,
                const Bench& bench) {
  const __mmask16 mask0 = tail_mask(n_rows);
  const __mmask16 mask1 = n_rows > kGroupRows ? tail_mask(n_rows - kGroupRows) : __mmask16{0};
  for (int64_t i = begin; i < end; ++i) {
    float* y = args.y + i * args.y_stride + row;
    __m512 sum0 = _mm512_load_ps(bench.sums[i - begin]);
    __m512 sum1 = _mm512_maskz_load_ps(mask1, bench.sums[i - begin] + kGroupRows);
    if (add) {
      sum0 = _mm512_add_ps(sum0, _mm512_maskz_loadu_ps(mask0, y));
      sum1 = _mm512_add_ps(sum1, _mm512_maskz_loadu_ps(mask1, y + kGroupRows));
    }
    _mm512_mask_storeu_ps(y, mask0, sum0);
    _mm512_mask_storeu_ps(y + kGroupRows, mask1, sum1);
  }
}

// Tokens [begin, end) of the call, all its groups, blocks [first, last).
template <TensorType kType>
void stretch(const MatmulArgs& args, int64_t begin, int64_t end, int64_t first, int64_t last) {
  Bench bench;
  for (int64_t group = args.group_begin; group < args.group_end; group += 2) {
    const int64_t row = group * kGroupRows;
    const int64_t end_row = (group + 2 < args.group_end ? group + 2 : args.group_end) * kGroupRows;
    const int64_t n_rows = (end_row < args.weight->rows ? end_row : args.weight->rows) - row;
    for (int64_t block = first; block < last; block += kChunkBlocks) {
      const int64_t n = last - block < kChunkBlocks ? last - block : kChunkBlocks;
      group_numbers<kType>(args.weight->group(group), block, n, bench.numbers[0]);
      if (n_rows > kGroupRows) {
        group_numbers<kType>(args.weight->group(group + 1), block, n, bench.numbers[1]);
        finish_writing(&bench);
        multiply_tokens<2>(args, begin, end, block, n, block == first, bench);
      } else {
        finish_writing(&bench);
        multiply_tokens<1>(args, begin, end, block, n, block == first, bench);
      }
    }
    store_sums(args, begin, end, row, n_rows, args.add || first > 0, bench);
  }
}

template <TensorType kType>
void all_stretches(const MatmulArgs& args) {
  const int64_t n_blocks = args.x->n_blocks();
  for (int64_t begin = 0; begin < args.n_tokens; begin += kStretchTokens) {
    const int64_t end = begin + kStretchTokens < args.n_tokens ? begin + kStretchTokens : args.n_tokens;
    for (int64_t first = 0; first < n_blocks; first += kStretchBlocks) {
      const int64_t last = first + kStretchBlocks < n_blocks ? first + kStretchBlocks : n_blocks;
      stretch<kType>(args, begin, end, first, last);
    }
  }
}

inline void round_block(const float* x, Activations& out, int64_t token, int64_t block) {
  const int64_t left = out.width - 32 * block;
  const __m512 v0 = _mm512_maskz_loadu_ps(tail_mask(left), x);
  const __m512 v1 = left > 16 ? _mm512_maskz_loadu_ps(tail_mask(left - 16), x + 16) : _mm512_setzero_ps();
  _mm512_storeu_si512(out.bf16 + 32 * (block * out.pitch + token),
                      reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(v1, v0)));
}

}  // namespace

void quantize_token(const float* x, Activations& out, int64_t token) {
  if (out.precision != Precision::bf16) {
    avx512::quantize_token(x, out, token);
    return;
  }
  for (int64_t block = 0; block < out.n_blocks(); ++block) round_block(x + 32 * block, out, token, block);
}

void quantize_blocks(const QuantizeBlocksArgs& args) {
  if (args.out->precision != Precision::bf16) {
    avx512::quantize_blocks(args);
    return;
  }
  for (int64_t block = 0; block < args.n_blocks; ++block) {
    for (int64_t t = 0; t < args.n_tokens; ++t) {
      round_block(args.x + t * args.x_stride + 32 * block, *args.out, args.first_token + t,
                  args.first_block + block);
    }
  }
}

void matmul(const MatmulArgs& args) {
  bool is_tiled = false;
  if (args.x->precision == Precision::bf16) {
    if (args.weight->type == TensorType::bf16 && args.weight->cols % kBlockCols == 0) {
      all_stretches<TensorType::bf16>(args);
      is_tiled = true;
    } else {
      is_tiled =
          with_quantised_type(args.weight->type, [&]<TensorType kType>() { all_stretches<kType>(args); });
    }
  }
  if (!is_tiled) {
    avx512::matmul(args);
    return;
  }
  _tile_release();
}

}  // namespace plm::kernels::amx
