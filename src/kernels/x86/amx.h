// The kernels for AMX, the matrix units of server CPUs, by the names of the table. Contracts: kernels.h.
#pragma once

#include <immintrin.h>

#include "kernels/kernels.h"

namespace plm::kernels::amx {

void quantize_token(const float* x, Activations& out, int64_t token);
void quantize_blocks(const QuantizeBlocksArgs& args);
void latent_attend(const LatentAttendArgs& args);      // bf16 caches of whole tiles; others as avx512_bf16
void expanded_attend(const ExpandedAttendArgs& args);  // unless exact products are asked
void matmul(const MatmulArgs& args);  // bf16 inputs with quantised or BF16 weights; others as avx512

// What a tile register is: rows of up to 64 bytes (Intel SDM volume 1, 18.2.1).
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// For products of 2 x 2 tiles: sums of the tokens' tile i and the columns' tile g in register 2 i + g; tokens
// in 4 and 5; the other factor in 6 and 7. The tiles have as many rows as there are tokens, at least 1 and at
// most 32. In every file that includes this its own.
static inline void shape_tiles(int64_t n_tokens) {
  TileShapes shapes;
  for (int i = 0; i < 8; ++i) {
    shapes.row_bytes[i] = 64;
    shapes.rows[i] = 16;
  }
  shapes.rows[0] = shapes.rows[1] = shapes.rows[4] = static_cast<uint8_t>(n_tokens < 16 ? n_tokens : 16);
  const int64_t second = n_tokens > 16 ? n_tokens - 16 : 1;
  shapes.rows[2] = shapes.rows[3] = shapes.rows[5] = static_cast<uint8_t>(second < 16 ? second : 16);
  _tile_loadconfig(&shapes);
}

}  // namespace plm::kernels::amx
