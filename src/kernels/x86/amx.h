// The kernels for AMX, the matrix units of server CPUs, by the names of the table. Contracts: kernels.h.
#pragma once

#include <immintrin.h>

#include "kernels/kernels.h"

namespace plm::kernels::amx {

void quantize_token(const float* x, Activations& out, int64_t token);
void quantize_blocks(const QuantizeBlocksArgs& args);
void matmul(const MatmulArgs& args);  // bf16 inputs with quantised or BF16 weights; others as avx512

// What a tile register is: rows of up to 64 bytes (Intel SDM volume 1, 18.2.1).
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

}  // namespace plm::kernels::amx
