#include "kernels/machine_peak.h"
#include "kernels/x86/amx.h"

namespace plm::kernels {
namespace amx {
namespace {

// Sums, then the two factors: as many products under way as a kernel has.
constexpr int kTiles = 6;
constexpr int64_t kSums = 4;

struct Ones {
  alignas(64) uint16_t numbers[16][32];
};

// Fills the tiles of factors with `one` and the sums with zeros.
void begin(uint16_t one) {
  TileShapes shapes;
  for (int i = 0; i < kTiles; ++i) shapes.row_bytes[i] = 64, shapes.rows[i] = 16;
  _tile_loadconfig(&shapes);
  Ones ones;
  for (auto& row : ones.numbers) {
    for (uint16_t& number : row) number = one;
  }
  asm volatile("" : : "r"(ones.numbers) : "memory");  // g++'s _tile_loadd does not say that it reads memory
  _tile_loadd(4, ones.numbers, 64);
  _tile_loadd(5, ones.numbers, 64);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

template <class Number>
uint64_t end() {
  alignas(64) Number sums[kSums][16][16];
  _tile_stored(0, sums[0], 64);
  _tile_stored(1, sums[1], 64);
  _tile_stored(2, sums[2], 64);
  _tile_stored(3, sums[3], 64);
  _tile_release();
  Number total = 0;
  for (const auto& sum : sums) total += sum[15][15];
  return static_cast<uint64_t>(total);
}

uint64_t bf16_peak(int64_t n_rounds) {
  begin(0x3f80);
  for (int64_t round = 0; round < n_rounds; ++round) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  return end<float>();
}

}  // namespace
}  // namespace amx

void use_amx(MachinePeak& peak) {
  peak.bf16 = {"tdpbf16ps", int64_t{2} * 16 * 16 * 32 * amx::kSums, amx::bf16_peak};
}

}  // namespace plm::kernels
