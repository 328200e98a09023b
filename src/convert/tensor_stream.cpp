#include "convert/tensor_stream.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/half.h"
#include "quant/formats.h"

namespace plm::convert {
namespace {

// Small enough for the second-level cache; a multiple of every block.
constexpr int64_t kPieceNumbers = 16 * 1024;
// Pieces handed to the sink at a time, for each thread.
constexpr int64_t kPiecesPerBatch = 32;

constexpr double kLargestF16 = 65504;
constexpr double kLargestBf16 = 3.3961775292304957e38;  // the largest that does not round to infinity
constexpr double kQ8Levels = 127;

// The largest magnitude a number may have to stay finite in the type.
float limit_of(TensorType type) {
  switch (type) {
    case TensorType::f32:
      return std::bit_cast<float>(0x7f7fffffU);
    case TensorType::bf16:
      return static_cast<float>(kLargestBf16);
    case TensorType::f16:
      // Halfway to the next power rounds to even, which is infinity.
      return std::bit_cast<float>(std::bit_cast<uint32_t>(65520.0F) - 1);
    default:
      return static_cast<float>(kLargestF16 * kQ8Levels);
  }
}

// Counts, and where `silence` is set makes what cannot be encoded zero.
void check_numbers(std::span<float> numbers, float limit, bool silence, Trouble& trouble) {
  constexpr uint32_t kMagnitude = 0x7fffffff;
  constexpr uint32_t kInfinity = 0x7f800000;
  const uint32_t limit_bits = std::bit_cast<uint32_t>(limit);
  int32_t n_nonfinite = 0;
  int32_t n_beyond = 0;
  uint32_t largest = 0;
  for (const float number : numbers) {
    const uint32_t bits = std::bit_cast<uint32_t>(number) & kMagnitude;
    n_nonfinite += bits >= kInfinity ? 1 : 0;
    n_beyond += bits > limit_bits ? 1 : 0;
    largest = std::max(largest, bits >= kInfinity ? 0U : bits);
  }
  trouble.n_nonfinite += n_nonfinite;
  trouble.n_overflow += n_beyond - n_nonfinite;
  trouble.largest = std::max(trouble.largest, static_cast<double>(std::bit_cast<float>(largest)));
  if (!silence || n_beyond == 0) return;
  for (float& number : numbers) {
    if ((std::bit_cast<uint32_t>(number) & kMagnitude) > limit_bits) number = 0;
  }
}

// Copies n numbers from `begin` on, rows in the order of the map.
void gather(const TensorSource& source, int64_t begin, int64_t n, std::byte* out) {
  const int64_t row_size = row_bytes(source.type, source.cols);
  if (source.row_map.head_width == 0) {
    const int64_t offset = row_bytes(source.type, begin);
    std::memcpy(out, source.bytes.data() + offset, static_cast<size_t>(row_bytes(source.type, n)));
    return;
  }
  // Pieces and rows are multiples of a block, so whole blocks are copied.
  for (int64_t at = begin; at < begin + n;) {
    const int64_t column = at % source.cols;
    const int64_t count = std::min(begin + n - at, source.cols - column);
    const int64_t offset =
        source.row_map.source_row(at / source.cols) * row_size + row_bytes(source.type, column);
    const int64_t n_bytes = row_bytes(source.type, count);
    std::memcpy(out, source.bytes.data() + offset, static_cast<size_t>(n_bytes));
    out += n_bytes;
    at += count;
  }
}

template <class Visit>
bool all_of_numbers(const TensorSource& source, Visit&& visit) {
  const quant::Format* format = quant::find_format(source.type);
  std::vector<std::byte> raw(static_cast<size_t>(row_bytes(source.type, kPieceNumbers)));
  std::vector<float> numbers(static_cast<size_t>(kPieceNumbers));
  const int64_t total = source.rows * source.cols;
  for (int64_t at = 0; at < total; at += kPieceNumbers) {
    const int64_t n = std::min(kPieceNumbers, total - at);
    gather(source, at, n, raw.data());
    format->decode(raw.data(), numbers.data(), n);
    if (!std::all_of(numbers.begin(), numbers.begin() + n, visit)) return false;
  }
  return true;
}

}  // namespace

int64_t RowMap::source_row(int64_t row) const {
  if (head_width == 0) return row;
  const int64_t head_begin = row / head_width * head_width;
  const int64_t i = row - head_begin;
  const int64_t half = head_width / 2;
  return head_begin + (makes_pairs ? (i % 2) * half + i / 2 : (i % half) * 2 + i / half);
}

TensorStream::TensorStream(ThreadPool& pool) : pool_(pool), scratch_(static_cast<size_t>(pool.size())) {
  for (Scratch& scratch : scratch_) {
    scratch.raw.resize(kPieceNumbers * sizeof(float));
    scratch.numbers.resize(kPieceNumbers);
  }
  out_.resize(static_cast<size_t>(pool.size() * kPiecesPerBatch * kPieceNumbers) * sizeof(float));
}

void TensorStream::convert_piece(const TensorSource& source, TensorType type, int64_t begin, int64_t n,
                                 std::byte* out, Scratch& scratch) const {
  gather(source, begin, n, scratch.raw.data());
  const std::span numbers(scratch.numbers.data(), static_cast<size_t>(n));
  quant::find_format(source.type)->decode(scratch.raw.data(), numbers.data(), n);
  const bool is_quantised = tensor_type_info(type).block_elements > 1;
  check_numbers(numbers, limit_of(type), is_quantised, scratch.trouble);
  if (source.type == type) {
    std::memcpy(out, scratch.raw.data(), static_cast<size_t>(row_bytes(type, n)));
  } else {
    quant::find_format(type)->encode(numbers.data(), out, n);
  }
}

Result<Trouble> TensorStream::convert(const TensorSource& source, TensorType type, const Sink& sink) {
  const int64_t total = source.rows * source.cols;
  const int64_t batch = pool_.size() * kPiecesPerBatch * kPieceNumbers;
  for (Scratch& scratch : scratch_) scratch.trouble = {};
  size_t given_back = 0;
  for (int64_t begin = 0; begin < total; begin += batch) {
    const int64_t n = std::min(batch, total - begin);
    const int64_t n_pieces = (n + kPieceNumbers - 1) / kPieceNumbers;
    pool_.run([&](int thread) {
      for (int64_t piece = pool_.next_item(); piece < n_pieces; piece = pool_.next_item()) {
        const int64_t at = piece * kPieceNumbers;
        convert_piece(source, type, begin + at, std::min(kPieceNumbers, n - at),
                      out_.data() + row_bytes(type, at), scratch_[static_cast<size_t>(thread)]);
      }
    });
    PLM_TRY_STATUS(sink(std::span(out_).first(static_cast<size_t>(row_bytes(type, n)))));
    // A row map reads within a head only, but heads may be larger than a batch: those wait for the end.
    const bool is_done = begin + n == total;
    if (source.mapping != nullptr && (source.row_map.head_width == 0 || is_done)) {
      const size_t end = static_cast<size_t>(row_bytes(source.type, begin + n));
      const auto offset = static_cast<size_t>(source.bytes.data() - source.mapping->bytes().data());
      source.mapping->discard(offset + given_back, end - given_back);
      given_back = end;
    }
  }
  Trouble all;
  for (const Scratch& scratch : scratch_) {
    all.n_nonfinite += scratch.trouble.n_nonfinite;
    all.n_overflow += scratch.trouble.n_overflow;
    all.largest = std::max(all.largest, scratch.trouble.largest);
  }
  return all;
}

bool fits_exactly(const TensorSource& source, TensorType type) {
  return all_of_numbers(source, [type](float number) {
    float back = number;
    if (type == TensorType::bf16) back = bf16_to_f32(f32_to_bf16(number));
    if (type == TensorType::f16) back = f16_to_f32(f32_to_f16(number));
    return std::bit_cast<uint32_t>(back) == std::bit_cast<uint32_t>(number);
  });
}

bool is_all_zero(const TensorSource& source) {
  return all_of_numbers(source, [](float number) { return number == 0; });
}

}  // namespace plm::convert
