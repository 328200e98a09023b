// Any bytes as a token shard: refused, or everything it offers can be read. Checksums keep random bytes out,
// so the bytes are taken twice: as they are, and with the two checksums of header and borders made right.
#include <cstring>
#include <vector>

#include "train/data/token_shard.h"
#include "train/data/token_shard_format.h"

namespace {

using plm::train::TokenShard;
using plm::train::shard_format::Header;

void read(std::span<const std::byte> bytes) {
  const auto shard = TokenShard::parse(bytes, "fuzz.tokens");
  if (!shard.ok()) {
    PLM_CHECK(shard.error().message.starts_with("fuzz.tokens: "));
    PLM_CHECK(shard.error().message.find('\n') == std::string::npos);
    return;
  }
  const auto& header = shard->header();
  int64_t last = -1;
  for (int64_t i = 0; i < header.n_documents; ++i) {
    PLM_CHECK(shard->document_start(i) > last);
    last = shard->document_start(i);
  }
  PLM_CHECK(last < header.n_tokens);
  std::vector<int64_t> tokens(static_cast<size_t>(header.n_tokens));
  if (!shard->read(0, tokens).ok()) return;
  for (const int64_t token : tokens) PLM_CHECK(token >= 0 && token < header.vocabulary_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  read(bytes);
  Header header;
  if (size < sizeof(header)) return 0;
  std::memcpy(&header, data, sizeof(header));
  const uint64_t tokens_end =
      sizeof(header) + header.n_tokens * header.token_bytes;  // may wrap: then it is no end
  if (tokens_end >= sizeof(header) && tokens_end <= size) {
    header.tail_checksum = plm::train::hash64(std::span<const std::byte>(bytes).subspan(tokens_end));
  }
  header.header_checksum =
      plm::train::hash64(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, header_checksum)));
  std::memcpy(bytes.data(), &header, sizeof(header));
  read(bytes);
  return 0;
}
