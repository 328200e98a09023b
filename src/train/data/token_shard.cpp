#include "train/data/token_shard.h"

#include <algorithm>
#include <cstring>

#include "train/data/token_shard_format.h"

namespace plm::train {

namespace {

using shard_format::Header;
using shard_format::kBlockBytes;

// Enough for any disk, and small enough that no product below overflows.
constexpr uint64_t kMaxCount = uint64_t{1} << 48;

template <class T>
T load(std::span<const std::byte> bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

Error damaged(const std::string& name, std::string_view what) {
  return make_error(ErrorKind::bad_data, "{}: {} does not meet its checksum: the file is damaged", name,
                    what);
}

Status check_header(const Header& header, const std::string& name) {
  const auto bytes = std::as_bytes(std::span(&header, 1));
  if (hash64(bytes.first(offsetof(Header, header_checksum))) != header.header_checksum) {
    return damaged(name, "the header");
  }
  if (header.token_bytes != 2 && header.token_bytes != 4) {
    return make_error(ErrorKind::bad_data, "{}: token_bytes: found {}, expected 2 or 4", name,
                      header.token_bytes);
  }
  const uint64_t most_tokens = uint64_t{1} << (8 * header.token_bytes - (header.token_bytes == 4 ? 1 : 0));
  if (header.vocabulary_size < 1 || header.vocabulary_size > most_tokens) {
    return make_error(ErrorKind::bad_data, "{}: vocabulary_size: found {}, expected 1 to {}", name,
                      header.vocabulary_size, most_tokens);
  }
  if (header.n_tokens > kMaxCount || header.n_documents > header.n_tokens ||
      (header.n_documents == 0) != (header.n_tokens == 0)) {
    return make_error(ErrorKind::bad_data, "{}: {} tokens in {} documents cannot be", name, header.n_tokens,
                      header.n_documents);
  }
  return {};
}

}  // namespace

Result<TokenShard> TokenShard::open(const std::string& path) {
  PLM_TRY(MappedFile file, MappedFile::open(path));
  PLM_TRY(TokenShard shard, parse(file.bytes(), path));
  shard.file_ = std::move(file);
  return shard;
}

Result<TokenShard> TokenShard::parse(std::span<const std::byte> bytes, const std::string& name) {
  Header header;
  if (bytes.size() < sizeof(header)) {
    return make_error(ErrorKind::bad_data, "{}: {} bytes, a token shard has at least {}", name, bytes.size(),
                      sizeof(header));
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::string_view(header.magic.data(), header.magic.size()) != shard_format::kMagic) {
    return make_error(ErrorKind::bad_data, "{}: not a token shard (it does not begin with {})", name,
                      shard_format::kMagic);
  }
  if (header.version != shard_format::kVersion) {
    return make_error(ErrorKind::unsupported, "{}: token shard of version {}, this build reads version {}",
                      name, header.version, shard_format::kVersion);
  }
  PLM_TRY_STATUS(check_header(header, name));

  const uint64_t token_area = header.n_tokens * header.token_bytes;
  const uint64_t n_blocks = (token_area + kBlockBytes - 1) / kBlockBytes;
  const uint64_t documents_at = sizeof(header) + shard_format::round_up(token_area, 8);
  const uint64_t checksums_at = documents_at + 8 * header.n_documents;
  const uint64_t file_bytes = checksums_at + 8 * n_blocks;
  if (bytes.size() != file_bytes) {
    return make_error(ErrorKind::bad_data, "{}: {} bytes, expected {} for its {} tokens and {} documents",
                      name, bytes.size(), file_bytes, header.n_tokens, header.n_documents);
  }
  if (hash64(bytes.subspan(sizeof(header) + token_area)) != header.tail_checksum) {
    return damaged(name, "the list of documents");
  }

  TokenShard shard;
  shard.name_ = name;
  shard.header_ = {.n_tokens = static_cast<int64_t>(header.n_tokens),
                   .n_documents = static_cast<int64_t>(header.n_documents),
                   .vocabulary_size = static_cast<int64_t>(header.vocabulary_size),
                   .token_bytes = static_cast<int>(header.token_bytes),
                   .tokenizer = {header.tokenizer_low, header.tokenizer_high}};
  shard.checksum_ = header.header_checksum;
  shard.tokens_ = bytes.subspan(sizeof(header), token_area);
  shard.documents_ = bytes.subspan(documents_at, 8 * header.n_documents);
  shard.checksums_ = bytes.subspan(checksums_at);
  shard.block_is_good_ = std::make_unique<std::atomic<bool>[]>(n_blocks);
  for (uint64_t i = 0, least = 0; i < header.n_documents; ++i) {
    const auto start = load<uint64_t>(shard.documents_, i);
    if (start < least || start >= header.n_tokens || (i == 0 && start != 0)) {
      return make_error(ErrorKind::bad_data, "{}: document {} begins at token {}, out of order", name, i,
                        start);
    }
    least = start + 1;
  }
  return shard;
}

Status TokenShard::check_block(int64_t block) const {
  auto& is_good = block_is_good_[static_cast<size_t>(block)];
  if (is_good.load(std::memory_order_relaxed)) return {};
  const auto index = static_cast<size_t>(block);
  const size_t begin = index * kBlockBytes;
  const auto bytes = tokens_.subspan(begin, std::min(kBlockBytes, tokens_.size() - begin));
  if (hash64(bytes) != load<uint64_t>(checksums_, index)) {
    return damaged(name_, fmt::format("block {} (bytes {} to {})", block, sizeof(Header) + begin,
                                      sizeof(Header) + begin + bytes.size() - 1));
  }
  is_good.store(true, std::memory_order_relaxed);
  return {};
}

int64_t TokenShard::token_at(int64_t index) const {
  const auto i = static_cast<size_t>(index);
  return header_.token_bytes == 2 ? load<uint16_t>(tokens_, i) : load<uint32_t>(tokens_, i);
}

Status TokenShard::read(int64_t begin, std::span<int64_t> out) const {
  PLM_CHECK(begin >= 0 && std::ssize(out) <= header_.n_tokens - begin);
  if (out.empty()) return {};
  const auto block_tokens = static_cast<int64_t>(kBlockBytes) / header_.token_bytes;
  const int64_t last = begin + std::ssize(out) - 1;
  for (int64_t block = begin / block_tokens; block <= last / block_tokens; ++block) {
    PLM_TRY_STATUS(check_block(block));
  }
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = token_at(begin + static_cast<int64_t>(i));
    if (out[i] >= header_.vocabulary_size) {
      return make_error(ErrorKind::bad_data, "{}: token {} is {}, the vocabulary has {}", name_,
                        begin + static_cast<int64_t>(i), out[i], header_.vocabulary_size);
    }
  }
  return {};
}

int64_t TokenShard::document_start(int64_t i) const {
  return static_cast<int64_t>(load<uint64_t>(documents_, static_cast<size_t>(i)));
}

Status TokenShard::verify() const {
  std::vector<int64_t> some(kBlockBytes);
  for (int64_t begin = 0; begin < header_.n_tokens; begin += std::ssize(some)) {
    const auto n = std::min(std::ssize(some), header_.n_tokens - begin);
    PLM_TRY_STATUS(read(begin, std::span(some).first(static_cast<size_t>(n))));
  }
  return {};
}

Result<TokenShardWriter> TokenShardWriter::create(const std::string& path, int64_t vocabulary_size,
                                                  Hash128 tokenizer) {
  PLM_CHECK(vocabulary_size >= 1 && vocabulary_size <= int64_t{1} << 31);
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  TokenShardWriter writer(std::move(file));
  writer.header_.vocabulary_size = vocabulary_size;
  writer.header_.token_bytes = vocabulary_size <= 65'536 ? 2 : 4;
  writer.header_.tokenizer = tokenizer;
  const std::array<std::byte, sizeof(Header)> room{};
  PLM_TRY_STATUS(writer.file_.write(room));
  return writer;
}

Status TokenShardWriter::flush_block() {
  checksums_.push_back(hash64(block_));
  PLM_TRY_STATUS(file_.write(block_));
  block_.clear();
  return {};
}

Status TokenShardWriter::append(std::span<const int32_t> document) {
  if (document.empty()) return {};
  starts_.push_back(static_cast<uint64_t>(header_.n_tokens));
  ++header_.n_documents;
  header_.n_tokens += std::ssize(document);
  for (const int32_t token : document) {
    PLM_CHECK(token >= 0 && token < header_.vocabulary_size);
    const auto bytes = std::as_bytes(std::span(&token, 1)).first(static_cast<size_t>(header_.token_bytes));
    block_.insert(block_.end(), bytes.begin(), bytes.end());
    if (block_.size() == kBlockBytes) PLM_TRY_STATUS(flush_block());
  }
  return {};
}

Status TokenShardWriter::finish() {
  if (!block_.empty()) PLM_TRY_STATUS(flush_block());
  const uint64_t token_area = static_cast<uint64_t>(header_.n_tokens * header_.token_bytes);
  std::vector<std::byte> tail(shard_format::round_up(token_area, 8) - token_area);
  for (const auto* numbers : {&starts_, &checksums_}) {
    const auto bytes = std::as_bytes(std::span(*numbers));
    tail.insert(tail.end(), bytes.begin(), bytes.end());
  }
  PLM_TRY_STATUS(file_.write(tail));
  Header header{};
  std::copy(shard_format::kMagic.begin(), shard_format::kMagic.end(), header.magic.begin());
  header.version = shard_format::kVersion;
  header.token_bytes = static_cast<uint32_t>(header_.token_bytes);
  header.n_tokens = static_cast<uint64_t>(header_.n_tokens);
  header.n_documents = static_cast<uint64_t>(header_.n_documents);
  header.vocabulary_size = static_cast<uint64_t>(header_.vocabulary_size);
  header.tokenizer_low = header_.tokenizer.low;
  header.tokenizer_high = header_.tokenizer.high;
  header.tail_checksum = hash64(tail);
  const auto bytes = std::as_bytes(std::span(&header, 1));
  header.header_checksum = hash64(bytes.first(offsetof(Header, header_checksum)));
  PLM_TRY_STATUS(file_.write_at(0, bytes));
  return file_.commit();
}

}  // namespace plm::train
