// Expanded attention with AMX tiles: queries and weights of 16 tokens are tiles as they lie, and so are the
// panels of pairs that the bf16 kernels make of keys and values.
#include "kernels/x86/amx.h"
#include "kernels/x86/expanded_attend_bf16.h"

namespace plm::kernels::amx {
namespace {

constexpr int64_t kTileRows = 16;   // tokens
constexpr int64_t kTilePairs = 16;  // of bf16

// kRows x kColumns tiles of c: tile (m, n) is register 2 m + n. 4, 5: a. 6, 7: b.
template <int kRows, int kColumns>
inline void tiles(const uint32_t* a, size_t a_bytes, const uint32_t* b, size_t b_bytes, int64_t n_k, float* c,
                  size_t c_bytes, bool from_zero) {
  const int64_t a_below = kTileRows * static_cast<int64_t>(a_bytes / 4);
  float* const c_below = c + kTileRows * static_cast<int64_t>(c_bytes / 4);
  if (from_zero) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, c, c_bytes);
    if constexpr (kColumns > 1) _tile_loadd(1, c + 16, c_bytes);
    if constexpr (kRows > 1) _tile_loadd(2, c_below, c_bytes);
    if constexpr (kRows > 1 && kColumns > 1) _tile_loadd(3, c_below + 16, c_bytes);
  }
  for (int64_t k = 0; k < n_k; k += kTilePairs) {
    const uint32_t* panel = b + k * static_cast<int64_t>(b_bytes / 4);
    _tile_loadd(4, a + k, a_bytes);
    _tile_loadd(6, panel, b_bytes);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kColumns > 1) {
      _tile_loadd(7, panel + 16, b_bytes);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kRows > 1) {
      _tile_loadd(5, a + a_below + k, a_bytes);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kColumns > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, c, c_bytes);
  if constexpr (kColumns > 1) _tile_stored(1, c + 16, c_bytes);
  if constexpr (kRows > 1) _tile_stored(2, c_below, c_bytes);
  if constexpr (kRows > 1 && kColumns > 1) _tile_stored(3, c_below + 16, c_bytes);
}

struct TileProduct {
  static void multiply(const uint32_t* a, int64_t a_stride, const uint32_t* b, int64_t b_stride, int64_t n_k,
                       float* c, int64_t c_stride, const float* scale_c, int64_t n_rows, int64_t n_columns) {
    for (int64_t m = 0; scale_c != nullptr && m < n_rows; ++m) {
      const __m512 scale = _mm512_set1_ps(scale_c[m]);
      for (int64_t n = 0; n < n_columns; n += 16) {
        float* at = c + m * c_stride + n;
        _mm512_storeu_ps(at, _mm512_mul_ps(_mm512_loadu_ps(at), scale));
      }
    }
    // g++'s _tile_loadd does not tell the compiler that it reads memory.
    asm volatile("" : : "r"(a), "r"(b), "r"(c) : "memory");
    const auto a_bytes = static_cast<size_t>(a_stride * 4), b_bytes = static_cast<size_t>(b_stride * 4),
               c_bytes = static_cast<size_t>(c_stride * 4);
    for (int64_t m = 0; m < n_rows; m += 2 * kTileRows) {
      const int64_t rows = n_rows - m < 2 * kTileRows ? n_rows - m : 2 * kTileRows;
      shape_tiles(rows);
      const uint32_t* a_m = a + m * a_stride;
      float* c_m = c + m * c_stride;
      int64_t n = 0;
      for (; n + 32 <= n_columns; n += 32) {
        if (rows > kTileRows) {
          tiles<2, 2>(a_m, a_bytes, b + n, b_bytes, n_k, c_m + n, c_bytes, scale_c == nullptr);
        } else {
          tiles<1, 2>(a_m, a_bytes, b + n, b_bytes, n_k, c_m + n, c_bytes, scale_c == nullptr);
        }
      }
      if (n == n_columns) continue;
      if (rows > kTileRows) {
        tiles<2, 1>(a_m, a_bytes, b + n, b_bytes, n_k, c_m + n, c_bytes, scale_c == nullptr);
      } else {
        tiles<1, 1>(a_m, a_bytes, b + n, b_bytes, n_k, c_m + n, c_bytes, scale_c == nullptr);
      }
    }
    _tile_release();
  }
};

}  // namespace

void expanded_attend(const ExpandedAttendArgs& args) {
  // Answers are stored tile by tile, so their width must be whole tiles.
  if (args.exact || args.value_width % 16 != 0) {
    avx512_bf16::expanded_attend(args);
  } else {
    bf16::expanded_attend<TileProduct>(args);
  }
}

}  // namespace plm::kernels::amx
