// The numbers of the GGUF format, and the limits this project sets on it. docs/formats/gguf.md.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plm::gguf {

inline constexpr uint32_t kMagic = 0x46554747;  // "GGUF" in little-endian order
inline constexpr uint32_t kMinVersion = 2;
inline constexpr uint32_t kMaxVersion = 3;

inline constexpr char kAlignmentKey[] = "general.alignment";
inline constexpr uint64_t kDefaultAlignment = 32;
inline constexpr uint64_t kMinAlignment = 8;
inline constexpr uint64_t kMaxAlignment = 1 << 20;

inline constexpr uint64_t kMaxKeyBytes = 65535;      // the specification's
inline constexpr uint64_t kMaxTensorNameBytes = 64;  // the specification's
inline constexpr uint64_t kMaxKeyValues = 65536;
inline constexpr uint32_t kMaxDims = 4;
inline constexpr int kMaxArrayDepth = 4;

inline constexpr char kSplitNumberKey[] = "split.no";
inline constexpr char kSplitCountKey[] = "split.count";
inline constexpr char kSplitTensorsKey[] = "split.tensors.count";
inline constexpr uint64_t kMaxShards = 65535;  // split.count is a uint16

// The fewest bytes one entry can take: a count that the rest of the file cannot hold is refused
// before anything is allocated.
inline constexpr uint64_t kMinStringBytes = 8;                      // length
inline constexpr uint64_t kMinArrayBytes = 4 + 8;                   // type, count
inline constexpr uint64_t kMinKeyValueBytes = 8 + 1 + 4 + 1;        // key, type, value
inline constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // name, n_dims, one dim, type, offset

// The specification's rule for general.alignment, made stricter by the two limits.
constexpr bool is_valid_alignment(uint64_t alignment) {
  return alignment >= kMinAlignment && alignment <= kMaxAlignment && (alignment & (alignment - 1)) == 0;
}

}  // namespace plm::gguf
