// Rows of a matrix added up in float32: a register holds four columns of one row.
#include "kernels/arm/neon.h"
#include "kernels/arm/packed_codes.h"

namespace plm::kernels::neon {
namespace {

// sum += coefficients times the codes of one step, four rows x four columns.
inline float32x4_t add_step(float32x4_t sum, int8x16_t codes, float32x4_t coefficients) {
  const int16x8_t low = vmovl_s8(vget_low_s8(codes)), high = vmovl_high_s8(codes);
  sum = vfmaq_laneq_f32(sum, vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), coefficients, 0);
  sum = vfmaq_laneq_f32(sum, vcvtq_f32_s32(vmovl_high_s16(low)), coefficients, 1);
  sum = vfmaq_laneq_f32(sum, vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), coefficients, 2);
  return vfmaq_laneq_f32(sum, vcvtq_f32_s32(vmovl_high_s16(high)), coefficients, 3);
}

template <TensorType kType>
void combine_quantised(const CombineRowsArgs& args) {
  constexpr PackedFormat kFormat = packed_format(kType);
  using QuadScales = Scales<kType, 1>;
  constexpr int kPerBlock = QuadScales::kPerBlock;
  const PackedMatrix& w = *args.weight;
  const int64_t group_bytes = w.group_bytes();
  for (int64_t column = 0; column < w.cols; column += kBlockCols) {
    const int64_t block = column % kFormat.unit_cols() / kBlockCols;
    const std::byte* unit = w.data + column / kFormat.unit_cols() * kFormat.unit_bytes();
    const std::byte* first = unit + kFormat.header_bytes() + block * kFormat.block_bytes();
    float32x4_t sums[8], base[2] = {vdupq_n_f32(0), vdupq_n_f32(0)};  // what offsets and minima take off
    for (float32x4_t& sum : sums) sum = vdupq_n_f32(0);
    for (int64_t row = 0; row < w.rows; row += 4) {
      const int64_t g = row / kGroupRows;
      const int quad = static_cast<int>(row % kGroupRows / 4);
      const float32x4_t coefficients = load_first(args.coefficient_R + row, w.rows - row);
      QuadScales scales(quad);
      scales.load_unit(unit + g * group_bytes);
      scales.load_block(first + g * group_bytes);
      int8x16_t codes[8];
      load_codes<kFormat.codes>(first + g * group_bytes + kFormat.scale_bytes() + 16 * quad, codes);
#pragma GCC unroll 2
      for (int i = 0; i < kPerBlock; ++i) {
        const float32x4_t products = vmulq_f32(coefficients, scales.scale[i][0]);
        base[i] = vfmaq_n_f32(base[i], products, static_cast<float>(dot_offset(kFormat)));
        if constexpr (kFormat.has_minimum()) base[i] = vfmaq_f32(base[i], coefficients, scales.minimum[i][0]);
        constexpr int kSteps = 8 / kPerBlock;
#pragma GCC unroll 8
        for (int s = i * kSteps; s < (i + 1) * kSteps; ++s) sums[s] = add_step(sums[s], codes[s], products);
      }
    }
    for (int s = 0; s < 8; ++s) {
      const float32x4_t offset = vdupq_n_f32(vaddvq_f32(base[kPerBlock == 2 ? s / 4 : 0]));
      float* y = args.y_K + column + 4 * s;
      float32x4_t value = vsubq_f32(sums[s], offset);
      if (args.add) value = vaddq_f32(value, vld1q_f32(y));
      vst1q_f32(y, value);
    }
  }
}

template <TensorType kType>
void combine_plain(const CombineRowsArgs& args) {
  const PackedMatrix& w = *args.weight;
  constexpr int64_t kSize = kType == TensorType::f32 ? 4 : 2;
  for (int64_t k = 0; k < w.cols; ++k) {
    float32x4_t sum = vdupq_n_f32(0);
    for (int64_t row = 0; row < w.rows; row += 4) {
      const std::byte* at = w.data + row / kGroupRows * w.group_bytes() + (16 * k + row % kGroupRows) * kSize;
      sum = vfmaq_f32(sum, load_first(args.coefficient_R + row, w.rows - row), load_numbers<kType>(at));
    }
    args.y_K[k] = vaddvq_f32(sum) + (args.add ? args.y_K[k] : 0.0f);
  }
}

}  // namespace

void combine_rows(const CombineRowsArgs& args) {
  switch (args.weight->type) {
    case TensorType::f32:
      return combine_plain<TensorType::f32>(args);
    case TensorType::f16:
      return combine_plain<TensorType::f16>(args);
    case TensorType::bf16:
      return combine_plain<TensorType::bf16>(args);
    default:
      with_quantised_type(args.weight->type, [&]<TensorType kType>() { combine_quantised<kType>(args); });
  }
}

}  // namespace plm::kernels::neon
