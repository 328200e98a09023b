#include "train/data/stable_hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "base/error.h"

namespace plm::train {

uint64_t hash64(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Hash128 hash128(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {hash.low64, hash.high64};
}

struct StableHash::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { XXH3_freeState(xxh); }
};

StableHash::StableHash() : state_(std::make_unique<State>()) {
  PLM_CHECK(state_->xxh != nullptr && XXH3_128bits_reset(state_->xxh) == XXH_OK);
}
StableHash::~StableHash() = default;
StableHash::StableHash(StableHash&&) noexcept = default;
StableHash& StableHash::operator=(StableHash&&) noexcept = default;

void StableHash::add(std::span<const std::byte> bytes) {
  const uint64_t size = bytes.size();
  XXH3_128bits_update(state_->xxh, &size, sizeof(size));
  XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
}

std::string StableHash::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace plm::train
