#include "quant/codes.h"

#include <algorithm>
#include <array>

#include "quant/packing.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"

namespace plm::quant {
namespace {

// One block: its codes, and for each of its sub-blocks a step and an offset.
template <class Block, int kElements, int kSubBlocks, class Unpack>
void read_blocks(const void* blocks, uint8_t* codes, float* step, float* offset, int64_t n, Unpack unpack) {
  const auto* block = static_cast<const Block*>(blocks);
  constexpr int kSize = kElements / kSubBlocks;
  for (int64_t begin = 0; begin < n; begin += kElements, ++block) {
    float steps[kSubBlocks], offsets[kSubBlocks] = {};
    unpack(*block, codes + begin, steps, offsets);
    for (int b = 0; b < kSubBlocks; ++b) {
      std::fill_n(step + begin + kSize * b, kSize, steps[b]);
      std::fill_n(offset + begin + kSize * b, kSize, offsets[b]);
    }
  }
}

template <class Block, int kElements, class Pack>
void write_blocks(const uint8_t* codes, void* blocks, int64_t n, Pack pack) {
  auto* block = static_cast<Block*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElements, ++block) pack(codes + begin, *block);
}

// Around zero: the code `half` stands for 0.
template <class Block, int kHalf, void (*kUnpack)(const Block&, uint8_t*, float*)>
void read_centered(const void* blocks, uint8_t* codes, float* step, float* offset, int64_t n) {
  read_blocks<Block, 32, 1>(blocks, codes, step, offset, n,
                            [](const Block& block, uint8_t* c, float* s, float* o) {
                              kUnpack(block, c, s);
                              o[0] = -static_cast<float>(kHalf) * s[0];
                            });
}

template <class Block, int kHalf, void (*kUnpack)(const Block&, uint8_t*, float*)>
void read_centered_k(const void* blocks, uint8_t* codes, float* step, float* offset, int64_t n) {
  read_blocks<Block, 256, 16>(blocks, codes, step, offset, n,
                              [](const Block& block, uint8_t* c, float* s, float* o) {
                                kUnpack(block, c, s);
                                for (int b = 0; b < 16; ++b) o[b] = -static_cast<float>(kHalf) * s[b];
                              });
}

template <class Block, void (*kUnpack)(const Block&, uint8_t*, float*, float*)>
void read_affine(const void* blocks, uint8_t* codes, float* step, float* offset, int64_t n) {
  read_blocks<Block, 32, 1>(
      blocks, codes, step, offset, n,
      [](const Block& block, uint8_t* c, float* s, float* o) { kUnpack(block, c, s, o); });
}

// The minimum is taken off.
template <class Block, int kSubBlocks, void (*kUnpack)(const Block&, uint8_t*, float*, float*)>
void read_affine_k(const void* blocks, uint8_t* codes, float* step, float* offset, int64_t n) {
  read_blocks<Block, 256, kSubBlocks>(blocks, codes, step, offset, n,
                                      [](const Block& block, uint8_t* c, float* s, float* o) {
                                        kUnpack(block, c, s, o);
                                        for (int b = 0; b < kSubBlocks; ++b) o[b] = -o[b];
                                      });
}

template <class Block>
void write_nibbles(const uint8_t* codes, void* blocks, int64_t n) {
  write_blocks<Block, 32>(codes, blocks, n,
                          [](const uint8_t* c, Block& block) { pack_nibbles(c, 16, block.codes); });
}

template <class Block>
void write_five_bits(const uint8_t* codes, void* blocks, int64_t n) {
  write_blocks<Block, 32>(codes, blocks, n, [](const uint8_t* c, Block& block) {
    pack_nibbles(c, 16, block.low);
    pack_fifth_bits(c, block.high);
  });
}

void write_q2_k(const uint8_t* codes, void* blocks, int64_t n) {
  write_blocks<BlockQ2K, 256>(codes, blocks, n,
                              [](const uint8_t* c, BlockQ2K& block) { pack_bit_pairs(c, block.codes); });
}

void write_q3_k(const uint8_t* codes, void* blocks, int64_t n) {
  write_blocks<BlockQ3K, 256>(codes, blocks, n, [](const uint8_t* c, BlockQ3K& block) {
    pack_bit_pairs(c, block.low);
    pack_bit_plane(c, 2, block.high);
  });
}

void write_q4_k(const uint8_t* codes, void* blocks, int64_t n) {
  write_blocks<BlockQ4K, 256>(codes, blocks, n, [](const uint8_t* c, BlockQ4K& block) {
    for (int group = 0; group < 4; ++group) pack_nibbles(c + 64 * group, 32, block.codes + 32 * group);
  });
}

void write_q5_k(const uint8_t* codes, void* blocks, int64_t n) {
  write_blocks<BlockQ5K, 256>(codes, blocks, n, [](const uint8_t* c, BlockQ5K& block) {
    for (int group = 0; group < 4; ++group) pack_nibbles(c + 64 * group, 32, block.low + 32 * group);
    pack_bit_plane(c, 4, block.high);
  });
}

void write_q6_k(const uint8_t* codes, void* blocks, int64_t n) {
  write_blocks<BlockQ6K, 256>(codes, blocks, n, [](const uint8_t* c, BlockQ6K& block) {
    for (int half = 0; half < 2; ++half) pack_nibbles(c + 128 * half, 64, block.low + 64 * half);
    uint8_t high[256];
    for (int i = 0; i < 256; ++i) high[i] = c[i] >> 4;
    pack_bit_pairs(high, block.high);
  });
}

constexpr std::array kCodeFormats = {
    CodeFormat{TensorType::q4_0, 15, read_centered<BlockQ4_0, 8, unpack_q4_0>, write_nibbles<BlockQ4_0>},
    CodeFormat{TensorType::q4_1, 15, read_affine<BlockQ4_1, unpack_q4_1>, write_nibbles<BlockQ4_1>},
    CodeFormat{TensorType::q5_0, 31, read_centered<BlockQ5_0, 16, unpack_q5_0>, write_five_bits<BlockQ5_0>},
    CodeFormat{TensorType::q5_1, 31, read_affine<BlockQ5_1, unpack_q5_1>, write_five_bits<BlockQ5_1>},
    CodeFormat{TensorType::q2_k, 3, read_affine_k<BlockQ2K, 16, unpack_q2_k>, write_q2_k},
    CodeFormat{TensorType::q3_k, 7, read_centered_k<BlockQ3K, 4, unpack_q3_k>, write_q3_k},
    CodeFormat{TensorType::q4_k, 15, read_affine_k<BlockQ4K, 8, unpack_q4_k>, write_q4_k},
    CodeFormat{TensorType::q5_k, 31, read_affine_k<BlockQ5K, 8, unpack_q5_k>, write_q5_k},
    CodeFormat{TensorType::q6_k, 63, read_centered_k<BlockQ6K, 32, unpack_q6_k>, write_q6_k},
};

}  // namespace

const CodeFormat* find_code_format(TensorType type) {
  for (const CodeFormat& format : kCodeFormats) {
    if (format.type == type) return &format;
  }
  return nullptr;
}

}  // namespace plm::quant
