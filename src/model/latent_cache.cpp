#include "model/latent_cache.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/cache_row.h"

namespace plm::model {

Result<LatentCache> LatentCache::create(const Config& config, TensorType type, int64_t capacity) {
  if (!kernels::is_cache_type(type)) {
    return make_error(ErrorKind::invalid_argument, "cache type: found {}, expected f32, f16, bf16 or q8_0",
                      tensor_type_name(type));
  }
  constexpr int64_t kLargestCapacity = int64_t{1} << 32;
  if (capacity < 1 || capacity > kLargestCapacity) {
    return make_error(ErrorKind::invalid_argument, "context length: found {}, expected 1 to {}", capacity,
                      kLargestCapacity);
  }
  LatentCache cache;
  cache.type_ = type;
  cache.n_layers_ = config.n_layers;
  cache.capacity_ = capacity;
  cache.latent_width_ = config.kv_lora_rank;
  cache.rope_width_ = config.rope_width;
  cache.rope_base_ = config.rope_base;
  cache.row_bytes_ = kernels::cache_row_bytes(type, config.cache_row_width());
  size_t bytes = 0;
  const bool overflow = __builtin_mul_overflow(static_cast<size_t>(cache.bytes_per_token()),
                                               static_cast<size_t>(capacity), &bytes);
  const size_t available = available_memory_bytes();
  if (overflow || (available > 0 && bytes > available)) {
    return make_error(
        ErrorKind::out_of_memory,
        "a context of {} tokens needs {:.1f} GiB for its cache ({} bytes a token at {}), {:.1f} GiB of "
        "memory are free; ask for a shorter one (-c) or a smaller type (-ctk q8_0)",
        capacity, static_cast<double>(capacity) * static_cast<double>(cache.bytes_per_token()) / 0x1p30,
        cache.bytes_per_token(), tensor_type_name(type), static_cast<double>(available) / 0x1p30);
  }
  // Vector reads may pass the end of the last row.
  PLM_TRY(cache.buffer_, AlignedBuffer::allocate(bytes + 128));
  return cache;
}

void LatentCache::advance(int64_t n) {
  PLM_CHECK(n >= 0 && n_tokens_ + n <= capacity_);
  n_tokens_ += n;
}

void LatentCache::truncate(int64_t n) {
  PLM_CHECK(n >= 0 && n <= n_tokens_);
  n_tokens_ = n;
}

void LatentCache::shift(int64_t keep, int64_t discard) {
  PLM_CHECK(keep >= 0 && discard >= 0 && keep + discard <= n_tokens_);
  const int64_t E = latent_width_ + rope_width_;
  std::vector<float> turn(static_cast<size_t>(rope_width_));
  fill_rope_table(-discard, rope_width_, rope_base_, turn.data());
  std::vector<float> numbers(static_cast<size_t>(E));
  for (int64_t layer = 0; layer < n_layers_; ++layer) {
    for (int64_t position = keep + discard; position < n_tokens_; ++position) {
      kernels::decode_cache_row(type_, row(layer, position), E, numbers.data());
      float* rope = numbers.data() + latent_width_;
      for (int64_t i = 0; i < rope_width_; i += 2) {
        const float a = rope[i], b = rope[i + 1];
        const float cosine = turn[static_cast<size_t>(i)], sine = turn[static_cast<size_t>(i + 1)];
        rope[i] = a * cosine - b * sine;
        rope[i + 1] = a * sine + b * cosine;
      }
      kernels::encode_cache_row(type_, numbers.data(), E, row(layer, position - discard));
    }
  }
  n_tokens_ -= discard;
}

void fill_rope_table(int64_t position, int64_t width, float base, float* cos_sin) {
  for (int64_t i = 0; i < width; i += 2) {
    const double angle =
        static_cast<double>(position) *
        std::pow(static_cast<double>(base), -static_cast<double>(i) / static_cast<double>(width));
    cos_sin[i] = static_cast<float>(std::cos(angle));
    cos_sin[i + 1] = static_cast<float>(std::sin(angle));
  }
}

}  // namespace plm::model
