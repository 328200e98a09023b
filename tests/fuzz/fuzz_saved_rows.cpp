// Any bytes as a saved slot and as a store of earlier prompts: refused, or what they hold fits a model's slot
// and a store. Identity and checksum keep random bytes out, so the bytes are taken twice: as they are, and
// with both made right.
#include <cstring>
#include <vector>

#include "saved_rows_shape.h"
#include "scheduler/prefix_file.h"
#include "scheduler/stream_hash.h"

namespace {

using namespace plm::scheduler;

constexpr int64_t kBudget = 1 << 16;

void check_refusal(const plm::Error& error) {
  PLM_CHECK(error.kind == plm::ErrorKind::bad_data);
  PLM_CHECK(error.message.starts_with("fuzz.bin: ") && error.message.find('\n') == std::string::npos);
}

void read(std::span<const std::byte> bytes) {
  const auto slot = parse_slot_file(bytes, "fuzz.bin", kFuzzShape);
  if (slot.ok()) {
    const auto n_tokens = std::ssize(slot->rows.tokens);
    PLM_CHECK(n_tokens <= kFuzzShape.capacity && slot->rows.n_exact <= n_tokens);
    PLM_CHECK(std::ssize(slot->rows.rows) == n_tokens * kFuzzShape.bytes_per_token);
  } else {
    check_refusal(slot.error());
  }
  const auto pages = parse_prefix_file(bytes, "fuzz.bin", kFuzzShape, kBudget);
  if (!pages.ok()) return check_refusal(pages.error());
  PrefixStore store(kBudget);
  store.restore(*pages);
  PLM_CHECK(store.n_pages() == std::ssize(*pages) && store.bytes() <= kBudget);
  for (const auto& page : *pages) {
    PLM_CHECK(std::ssize(*page.rows) == std::ssize(page.ids) * kFuzzShape.bytes_per_token);
    for (const TokenId id : page.ids) PLM_CHECK(id >= 0 && id < kFuzzShape.vocabulary_size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  read(bytes);
  if (size < 24) return 0;
  std::memcpy(bytes.data() + 8, &kFuzzShape.identity, sizeof(kFuzzShape.identity));
  StreamHash hash;
  hash.add(std::span(bytes).first(size - sizeof(uint64_t)));
  const uint64_t sum = hash.value();
  std::memcpy(bytes.data() + size - sizeof(sum), &sum, sizeof(sum));
  read(bytes);
  return 0;
}
