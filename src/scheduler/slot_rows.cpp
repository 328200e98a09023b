#include "scheduler/slot_rows.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "scheduler/stream_hash.h"

namespace plm::scheduler {

namespace {

constexpr std::array<char, 8> kMagic = {'P', 'L', 'M', 'S', 'L', 'O', 'T', '1'};

struct Head {
  std::array<char, 8> magic = kMagic;
  uint64_t identity = 0, n_tokens = 0, n_exact = 0, bytes_per_token = 0;
};
static_assert(sizeof(Head) == 40);

// Of the whole file. The counts are small: a context of tokens.
size_t file_bytes(size_t n_tokens, size_t bytes_per_token) {
  return sizeof(Head) + n_tokens * (sizeof(TokenId) + bytes_per_token) + sizeof(uint64_t);
}

Error bad(const std::string& path, std::string_view what) {
  return make_error(ErrorKind::bad_data, "{}: {}", path, what);
}

}  // namespace

uint64_t hash_of(const gguf::File& file) {
  constexpr size_t kAtOnce = size_t{16} << 20;
  StreamHash hash;
  for (int shard = 0; shard < static_cast<int>(file.shard_paths().size()); ++shard) {
    const MappedFile* mapping = file.mapping(shard);
    PLM_CHECK(mapping != nullptr);
    const auto bytes = mapping->bytes();
    for (size_t at = 0; at < bytes.size(); at += kAtOnce) {
      const size_t n = std::min(kAtOnce, bytes.size() - at);
      hash.add(bytes.subspan(at, n));
      mapping->discard(at, n);  // the weights were packed: of the file little is read again
    }
  }
  return hash.value();
}

uint64_t quick_hash_of(const gguf::File& file) {
  constexpr size_t kParts = 16, kPartBytes = size_t{64} << 10;
  StreamHash hash;
  for (int shard = 0; shard < static_cast<int>(file.shard_paths().size()); ++shard) {
    const MappedFile* mapping = file.mapping(shard);
    PLM_CHECK(mapping != nullptr);
    const auto bytes = mapping->bytes();
    const size_t n = bytes.size();
    hash.add(std::as_bytes(std::span(&n, 1)));
    for (size_t part = 0; part < kParts; ++part) {
      const size_t at = n / kParts * part;
      hash.add(bytes.subspan(at, std::min(kPartBytes, n - at)));
    }
  }
  return hash.value();
}

Result<SlotShape> slot_shape(runtime::Engine& engine, uint64_t file_hash) {
  const int64_t W = engine.config().vocabulary_size;
  StreamHash hash;
  hash.add(std::as_bytes(std::span(&file_hash, 1)));
  // As many as a step of prefill needs to show its rounding, and one by itself.
  constexpr int64_t kProbe = 16;
  std::vector<TokenId> probe;
  for (int64_t i = 0; i <= kProbe; ++i) probe.push_back(static_cast<TokenId>(i * (W - 1) / kProbe));
  PLM_TRY(auto session, engine.new_session(kProbe + 1));
  PLM_TRY_STATUS(session.decode(std::span(probe).first(kProbe)));
  hash.add_all(session.logits());
  PLM_TRY_STATUS(session.decode(std::span(probe).last(1)));
  hash.add_all(session.logits());
  const model::Cache& cache = session.cache();
  for (int64_t stream = 0; stream < cache.layout().n_streams; ++stream) {
    hash.add({cache.row(stream, 0), static_cast<size_t>(cache.n_tokens() * cache.row_bytes())});
  }
  return SlotShape{.identity = hash.value(),
                   .bytes_per_token = cache.bytes_per_token(),
                   .capacity = engine.context_length(),
                   .vocabulary_size = W};
}

Result<int64_t> write_slot_file(const std::string& path, const SlotShape& shape, const SlotRows& rows) {
  const Head head{.identity = shape.identity,
                  .n_tokens = rows.tokens.size(),
                  .n_exact = static_cast<uint64_t>(rows.n_exact),
                  .bytes_per_token = static_cast<uint64_t>(shape.bytes_per_token)};
  PLM_CHECK(rows.rows.size() == rows.tokens.size() * head.bytes_per_token);
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  StreamHash hash;
  for (const auto part : {std::as_bytes(std::span(&head, 1)), std::as_bytes(std::span(rows.tokens)),
                          std::span<const std::byte>(rows.rows)}) {
    hash.add(part);
    PLM_TRY_STATUS(file.write(part));
  }
  const uint64_t sum = hash.value();
  PLM_TRY_STATUS(file.write(std::as_bytes(std::span(&sum, 1))));
  const auto n_bytes = static_cast<int64_t>(file.size());
  PLM_TRY_STATUS(file.commit());
  return n_bytes;
}

Result<SlotFile> read_slot_file(const std::string& path, const SlotShape& shape) {
  PLM_TRY(const MappedFile file, MappedFile::open(path));
  return parse_slot_file(file.bytes(), path, shape);
}

Result<SlotFile> parse_slot_file(std::span<const std::byte> bytes, const std::string& path,
                                 const SlotShape& shape) {
  Head head;
  if (bytes.size() < sizeof(head)) return bad(path, "too short for a saved slot");
  std::memcpy(&head, bytes.data(), sizeof(head));
  if (head.magic != kMagic) return bad(path, "no saved slot");
  if (head.bytes_per_token != static_cast<uint64_t>(shape.bytes_per_token)) {
    return bad(path, fmt::format("bytes of a token: found {}, expected {}: saved by another model",
                                 head.bytes_per_token, shape.bytes_per_token));
  }
  if (head.n_tokens > static_cast<uint64_t>(shape.capacity)) {
    return bad(path, fmt::format("found {} tokens, expected at most {}, which the context holds",
                                 head.n_tokens, shape.capacity));
  }
  const size_t n_tokens = head.n_tokens, n_expected = file_bytes(n_tokens, head.bytes_per_token);
  if (bytes.size() != n_expected) {
    return bad(path, fmt::format("found {} bytes, expected {}", bytes.size(), n_expected));
  }
  uint64_t sum = 0;
  std::memcpy(&sum, bytes.last(sizeof(sum)).data(), sizeof(sum));
  StreamHash hash;
  hash.add(bytes.first(bytes.size() - sizeof(sum)));
  if (hash.value() != sum) return bad(path, "its checksum is not that of its contents: damaged");
  if (head.identity != shape.identity) return bad(path, "saved by another model or another build of plm");
  SlotFile read{.rows = {.tokens = std::vector<TokenId>(n_tokens),
                         .n_exact = static_cast<int64_t>(std::min(head.n_exact, head.n_tokens)),
                         .rows = {}},
                .n_bytes = static_cast<int64_t>(bytes.size())};
  const auto ids = bytes.subspan(sizeof(head), n_tokens * sizeof(TokenId));
  std::ranges::copy(ids, std::as_writable_bytes(std::span(read.rows.tokens)).begin());
  for (const TokenId id : read.rows.tokens) {
    if (id < 0 || id >= shape.vocabulary_size) {
      return bad(path, fmt::format("token id: found {}, expected 0 to {}", id, shape.vocabulary_size - 1));
    }
  }
  const auto rows = bytes.subspan(sizeof(head) + ids.size(), n_tokens * head.bytes_per_token);
  read.rows.rows.assign(rows.begin(), rows.end());
  return read;
}

}  // namespace plm::scheduler
