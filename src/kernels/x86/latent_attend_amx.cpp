// Absorbed attention with AMX tiles: 16 rows of the cache lie ready as a tile of the scores' product, with
// the heads as its columns; for the sums two rows become pairs on the way.
#include <cmath>

#include "kernels/x86/amx.h"
#include "kernels/x86/attention_tiles_avx512.h"
#include "kernels/x86/avx512.h"

namespace plm::kernels::amx {
namespace {

using avx512::load;
using avx512::tail_mask;

constexpr int64_t kHeads = 16;       // of one pass: the columns of a tile
constexpr int64_t kTileRows = 16;    // of the cache
constexpr int64_t kTileWidth = 32;   // bf16 numbers, 16 pairs
constexpr int64_t kBlockRows = 128;  // through both products while the next ones come from memory
constexpr int64_t kSumWidth = 32;    // of the latent, at a time

// Lines of the next rows asked for at each turn, so that they are spread over a block's work.
constexpr int kAheadOfScores = 6, kAheadOfSums = 2;

struct Pass {
  int64_t n_heads = 0, latent_width = 0, width = 0;  // at most 16, C, E
  int64_t row_bytes = 0;
  uint32_t* q_EH = nullptr;        // pairs along E, [E / 2][16]
  float* scores_SH = nullptr;      // [128][16]
  uint32_t* pairs_SH = nullptr;    // weights, pairs of rows, [64][16]
  uint32_t* weights_HS = nullptr;  // the same, [16][64]
  uint32_t* panel_SC = nullptr;    // pairs of rows, [64][32]
  float* out_HC = nullptr;         // [16][C], the columns of each 32 in the order that the pairs have
  __m512 max_H = _mm512_set1_ps(-INFINITY), sum_H = _mm512_setzero_ps();
};

// g++'s _tile_loadd does not tell the compiler that it reads memory.
inline void written(const void* memory) { asm volatile("" : : "r"(memory) : "memory"); }

void turn_queries(const float* q_HE, Pass& pass) {
  alignas(64) uint16_t q[kHeads][kTileWidth];
  for (int64_t e = 0; e < pass.width; e += kTileWidth) {
    for (int64_t h = 0; h < pass.n_heads; ++h) {
      const float* at = q_HE + h * pass.width + e;
      _mm512_store_si512(q[h], reinterpret_cast<__m512i>(
                                   _mm512_cvtne2ps_pbh(_mm512_loadu_ps(at + 16), _mm512_loadu_ps(at))));
    }
    avx512::transpose_16x16(reinterpret_cast<const uint32_t*>(q), kTileWidth / 2, pass.n_heads, 16,
                            pass.q_EH + e / 2 * kHeads, kHeads);
  }
}

// Scores of kTiles times 16 rows (or of fewer rows, as the tiles are shaped): registers 0 to 3 are sums, 4
// and 5 rows, 6 queries.
template <int kTiles>
inline void score_tiles(const Pass& pass, const std::byte* rows, float* scores_SH, avx512::Ahead& ahead) {
  const auto row_bytes = static_cast<size_t>(pass.row_bytes);
  const int64_t below = kTileRows * pass.row_bytes;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t e = 0; e < pass.width; e += kTileWidth) {
    const std::byte* at = rows + 2 * e;
    _tile_loadd(6, pass.q_EH + e / 2 * kHeads, kHeads * 4);
    _tile_loadd(4, at, row_bytes);
    _tile_dpbf16ps(0, 4, 6);
    for (int i = 0; i < kTiles * kAheadOfScores; ++i) ahead.step();
    if constexpr (kTiles > 1) {
      _tile_loadd(5, at + below, row_bytes);
      _tile_dpbf16ps(1, 5, 6);
      _tile_loadd(4, at + 2 * below, row_bytes);
      _tile_dpbf16ps(2, 4, 6);
      _tile_loadd(5, at + 3 * below, row_bytes);
      _tile_dpbf16ps(3, 5, 6);
    }
  }
  _tile_stored(0, scores_SH, kHeads * 4);
  if constexpr (kTiles > 1) {
    _tile_stored(1, scores_SH + kTileRows * kHeads, kHeads * 4);
    _tile_stored(2, scores_SH + 2 * kTileRows * kHeads, kHeads * 4);
    _tile_stored(3, scores_SH + 3 * kTileRows * kHeads, kHeads * 4);
  }
}

void score_block(const Pass& pass, const std::byte* rows, int64_t n, avx512::Ahead& ahead) {
  constexpr int64_t kAtOnce = 4 * kTileRows;
  int64_t s = 0;
  shape_tiles(2 * kTileRows);
  for (; s + kAtOnce <= n; s += kAtOnce) {
    score_tiles<4>(pass, rows + s * pass.row_bytes, pass.scores_SH + s * kHeads, ahead);
  }
  for (; s + kTileRows <= n; s += kTileRows) {
    score_tiles<1>(pass, rows + s * pass.row_bytes, pass.scores_SH + s * kHeads, ahead);
  }
  if (s < n) {
    shape_tiles(n - s);  // nothing behind the last row is read
    score_tiles<1>(pass, rows + s * pass.row_bytes, pass.scores_SH + s * kHeads, ahead);
  }
  written(pass.scores_SH);
}

// One step of the running softmax, a head a lane: scores of n rows become weights_HS, rounded to bf16, zero
// beyond n up to whole tiles. Returns by how much what was summed before shrinks.
__m512 weigh_block(Pass& pass, int64_t n) {
  const auto score = [&](int64_t s) { return _mm512_load_ps(pass.scores_SH + s * kHeads); };
  __m512 largest = pass.max_H, largest_odd = pass.max_H;
  for (int64_t s = 0; s + 1 < n; s += 2) {
    largest = _mm512_max_ps(largest, score(s));
    largest_odd = _mm512_max_ps(largest_odd, score(s + 1));
  }
  largest = _mm512_max_ps(_mm512_max_ps(largest, largest_odd), score(n - 1));
  const __m512 keep = avx512::exp(_mm512_sub_ps(pass.max_H, largest));
  pass.max_H = largest;
  __m512 total = _mm512_setzero_ps(), total_odd = _mm512_setzero_ps();
  const int64_t n_padded = (n + kTileWidth - 1) / kTileWidth * kTileWidth;
  // A lane of `pairs` is (row s, row s + 1) of a head.
  alignas(64) static constexpr uint16_t kPairs[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                      21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                      11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i order = _mm512_load_si512(kPairs);
  for (int64_t s = 0; s < n_padded; s += 2) {
    __m512 a = _mm512_setzero_ps(), b = _mm512_setzero_ps();
    if (s < n) a = avx512::exp(_mm512_sub_ps(score(s), largest));
    if (s + 1 < n) b = avx512::exp(_mm512_sub_ps(score(s + 1), largest));
    total = _mm512_add_ps(total, a);
    total_odd = _mm512_add_ps(total_odd, b);
    const auto pair = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(b, a));
    _mm512_store_si512(pass.pairs_SH + s / 2 * kHeads, _mm512_permutexvar_epi16(order, pair));
  }
  pass.sum_H = _mm512_fmadd_ps(pass.sum_H, keep, _mm512_add_ps(total, total_odd));
  for (int64_t s = 0; s < n_padded / 2; s += 16) {
    avx512::transpose_16x16(pass.pairs_SH + s * kHeads, kHeads, 16, 16, pass.weights_HS + s, kBlockRows / 2);
  }
  return keep;
}

// out_HC = keep out_HC, where that changes anything: seldom, behind the first blocks.
void shrink(const Pass& pass, __m512 keep) {
  alignas(64) float factor[kHeads];
  _mm512_store_ps(factor, keep);
  for (int64_t h = 0; h < pass.n_heads; ++h) {
    if (factor[h] == 1.0f) continue;
    const __m512 scale = _mm512_set1_ps(factor[h]);
    float* at = pass.out_HC + h * pass.latent_width;
    for (int64_t c = 0; c < pass.latent_width; c += 16) {
      _mm512_store_ps(at + c, _mm512_mul_ps(_mm512_load_ps(at + c), scale));
    }
  }
}

// out_HC (+)= weights_HS rows: registers 0 and 1 are sums, 4 weights, 6 and 7 pairs of rows.
void sum_block(const Pass& pass, const std::byte* rows, int64_t n, bool first, avx512::Ahead& ahead) {
  const int64_t n_padded = (n + kTileWidth - 1) / kTileWidth * kTileWidth;
  const auto out_bytes = static_cast<size_t>(pass.latent_width * 4);
  shape_tiles(2 * kTileRows);
  for (int64_t c = 0; c < pass.latent_width; c += kSumWidth) {
    const std::byte* at = rows + 2 * c;
    uint32_t* panel = pass.panel_SC;
    for (int64_t s = 0; s < n_padded; s += 2, panel += kSumWidth, at += 2 * pass.row_bytes) {
      const __m512i a = s < n ? load(at) : _mm512_setzero_si512();
      const __m512i b = s + 1 < n ? load(at + pass.row_bytes) : _mm512_setzero_si512();
      _mm512_store_si512(panel, _mm512_unpacklo_epi16(a, b));
      _mm512_store_si512(panel + 16, _mm512_unpackhi_epi16(a, b));
      for (int i = 0; i < kAheadOfSums; ++i) ahead.step();
    }
    written(pass.panel_SC);
    if (first) {
      _tile_zero(0);
      _tile_zero(1);
    } else {
      _tile_loadd(0, pass.out_HC + c, out_bytes);
      _tile_loadd(1, pass.out_HC + c + 16, out_bytes);
    }
    for (int64_t s = 0; s < n_padded / 2; s += 16) {
      const uint32_t* pairs = pass.panel_SC + s * kSumWidth;
      _tile_loadd(4, pass.weights_HS + s, kBlockRows / 2 * 4);
      _tile_loadd(6, pairs, kSumWidth * 4);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, pairs + 16, kSumWidth * 4);
      _tile_dpbf16ps(1, 4, 7);
    }
    _tile_stored(0, pass.out_HC + c, out_bytes);
    _tile_stored(1, pass.out_HC + c + 16, out_bytes);
  }
  written(pass.out_HC);
}

// The pairs of a 512-bit register are those of columns 0-3, 8-11, 16-19 and 24-27 (low) or between (high).
void store_answer(const Pass& pass, float* out_HC) {
  const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  for (int64_t at = 0; at < pass.n_heads * pass.latent_width; at += kSumWidth) {
    const __m512 low = _mm512_load_ps(pass.out_HC + at), high = _mm512_load_ps(pass.out_HC + at + 16);
    _mm512_storeu_ps(out_HC + at, _mm512_permutex2var_ps(low, first, high));
    _mm512_storeu_ps(out_HC + at + 16, _mm512_permutex2var_ps(low, second, high));
  }
}

}  // namespace

void latent_attend(const LatentAttendArgs& args) {
  const int64_t C = args.latent_width, E = C + args.rope_width;
  // Parts of tiles are not worth a path of their own.
  if (args.cache_type != TensorType::bf16 || E % kTileWidth != 0 || C % kSumWidth != 0) {
    avx512_bf16::latent_attend(args);
    return;
  }
  Pass pass;
  pass.latent_width = C;
  pass.width = E;
  pass.row_bytes = args.row_bytes;
  pass.q_EH = reinterpret_cast<uint32_t*>(args.scratch);
  pass.scores_SH = reinterpret_cast<float*>(pass.q_EH + E / 2 * kHeads);
  pass.pairs_SH = reinterpret_cast<uint32_t*>(pass.scores_SH + kBlockRows * kHeads);
  pass.weights_HS = pass.pairs_SH + kBlockRows / 2 * kHeads;
  pass.panel_SC = pass.weights_HS + kBlockRows / 2 * kHeads;
  pass.out_HC = reinterpret_cast<float*>(pass.panel_SC + kBlockRows / 2 * kSumWidth);
  for (int64_t head = 0; head < args.n_heads; head += kHeads) {
    pass.n_heads = args.n_heads - head < kHeads ? args.n_heads - head : kHeads;
    pass.max_H = _mm512_set1_ps(-INFINITY);
    pass.sum_H = _mm512_setzero_ps();
    turn_queries(args.q_HE + head * E, pass);
    written(pass.q_EH);
    avx512::Ahead ahead{args.rows + kBlockRows * args.row_bytes, nullptr};
    const std::byte* const end = args.rows + args.n_rows * args.row_bytes;
    for (int64_t begin = 0; begin < args.n_rows; begin += kBlockRows) {
      const int64_t n = args.n_rows - begin < kBlockRows ? args.n_rows - begin : kBlockRows;
      const std::byte* rows = args.rows + begin * args.row_bytes;
      ahead.end = rows + 2 * kBlockRows * args.row_bytes < end ? rows + 2 * kBlockRows * args.row_bytes : end;
      score_block(pass, rows, n, ahead);
      const __m512 keep = weigh_block(pass, n);
      if (begin != 0) shrink(pass, keep);
      sum_block(pass, rows, n, begin == 0, ahead);
    }
    _tile_release();
    store_answer(pass, args.out_HC + head * C);
    const __mmask16 mask = tail_mask(pass.n_heads);
    _mm512_mask_storeu_ps(args.max_H + head, mask, pass.max_H);
    _mm512_mask_storeu_ps(args.sum_H + head, mask, pass.sum_H);
  }
}

}  // namespace plm::kernels::amx
