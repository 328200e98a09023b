#include "model/cache.h"

#include "kernels/cache_row.h"
#include "model/rope.h"

namespace plm::model {

int64_t CacheLayout::row_bytes(TensorType type) const { return kernels::cache_row_bytes(type, row_width); }

Result<Cache> Cache::create(CacheLayout layout, TensorType type, int64_t capacity) {
  if (!kernels::is_cache_type(type)) {
    return make_error(ErrorKind::invalid_argument, "cache type: found {}, expected f32, f16, bf16 or q8_0",
                      tensor_type_name(type));
  }
  constexpr int64_t kLargestCapacity = int64_t{1} << 32;
  if (capacity < 1 || capacity > kLargestCapacity) {
    return make_error(ErrorKind::invalid_argument, "context length: found {}, expected 1 to {}", capacity,
                      kLargestCapacity);
  }
  Cache cache;
  cache.layout_ = std::move(layout);
  cache.type_ = type;
  cache.capacity_ = capacity;
  cache.row_bytes_ = cache.layout_.row_bytes(type);
  size_t bytes = 0;
  const bool overflow = __builtin_mul_overflow(static_cast<size_t>(cache.bytes_per_token()),
                                               static_cast<size_t>(capacity), &bytes);
  const size_t available = available_memory_bytes();
  if (overflow || (available > 0 && bytes > available)) {
    return make_error(
        ErrorKind::out_of_memory,
        "a context of {} tokens needs {:.1f} GiB for its cache ({} bytes a token at {}), {:.1f} GiB of "
        "memory are free; ask for a smaller context length, fewer slots or a smaller cache type, such as "
        "q8_0",
        capacity, static_cast<double>(capacity) * static_cast<double>(cache.bytes_per_token()) / 0x1p30,
        cache.bytes_per_token(), tensor_type_name(type), static_cast<double>(available) / 0x1p30);
  }
  // Vector reads may pass the end of the last row.
  PLM_TRY(cache.buffer_, AlignedBuffer::allocate(bytes + 128));
  return cache;
}

void Cache::advance(int64_t n) {
  PLM_CHECK(n >= 0 && n_tokens_ + n <= capacity_);
  n_tokens_ += n;
}

void Cache::truncate(int64_t n) {
  PLM_CHECK(n >= 0 && n <= n_tokens_);
  n_tokens_ = n;
}

void Cache::shift(int64_t keep, int64_t discard) {
  PLM_CHECK(keep >= 0 && discard >= 0 && keep + discard <= n_tokens_);
  const size_t n_pairs = layout_.rope_frequencies.size();
  std::vector<float> turn(2 * n_pairs);
  fill_rope_table(-discard, layout_.rope_frequencies, turn.data());
  std::vector<float> numbers(static_cast<size_t>(layout_.row_width));
  for (int64_t stream = 0; stream < layout_.n_streams; ++stream) {
    for (int64_t position = keep + discard; position < n_tokens_; ++position) {
      kernels::decode_cache_row(type_, row(stream, position), layout_.row_width, numbers.data());
      float* rope = numbers.data() + layout_.rope_begin;
      for (size_t i = 0; i < 2 * n_pairs; i += 2) {
        const float a = rope[i], b = rope[i + 1];
        rope[i] = a * turn[i] - b * turn[i + 1];
        rope[i + 1] = a * turn[i + 1] + b * turn[i];
      }
      kernels::encode_cache_row(type_, numbers.data(), layout_.row_width, row(stream, position - discard));
    }
  }
  n_tokens_ -= discard;
}

}  // namespace plm::model
