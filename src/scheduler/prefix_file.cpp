#include "scheduler/prefix_file.h"

#include <array>
#include <cstring>
#include <fstream>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "scheduler/stream_hash.h"

namespace plm::scheduler {

namespace {

using KeptPage = PrefixStore::KeptPage;

constexpr std::array<char, 8> kMagic = {'P', 'L', 'M', 'P', 'R', 'E', 'F', '1'};

struct Head {
  std::array<char, 8> magic = kMagic;
  uint64_t identity = 0, bytes_per_token = 0, n_pages = 0;
};
static_assert(sizeof(Head) == 32);

struct PageHead {
  int64_t parent = -1;
  uint32_t n_tokens = 0, exact = 0;
};
static_assert(sizeof(PageHead) == 16);

template <typename Value>
std::span<const std::byte> bytes_of(const Value& value) {
  return std::as_bytes(std::span(&value, 1));
}

// Takes a file's bytes from the front.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  size_t left() const { return bytes_.size(); }
  std::span<const std::byte> take(size_t n) {
    const auto taken = bytes_.first(n);
    bytes_ = bytes_.subspan(n);
    return taken;
  }
  template <typename Value>
  void take_into(Value& value) {
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
  }
  Error bad(std::string_view what) const { return make_error(ErrorKind::bad_data, "{}: {}", path_, what); }

 private:
  std::span<const std::byte> bytes_;
  const std::string& path_;
};

// One page; `before`: those that may be its parent.
Result<KeptPage> read_page(Reader& reader, std::span<const KeptPage> before, const SlotShape& shape) {
  PageHead head;
  const auto index = before.size();
  const auto wrong = [&](std::string_view what) {
    return reader.bad(fmt::format("page {}: {}", index, what));
  };
  if (reader.left() < sizeof(head)) return wrong("the file ends before it");
  reader.take_into(head);
  if (head.n_tokens < 1 || head.n_tokens > PrefixStore::kPageTokens || head.exact > 1) {
    return wrong(fmt::format("found {} tokens and {} for exact, expected 1 to {} and 0 or 1", head.n_tokens,
                             head.exact, PrefixStore::kPageTokens));
  }
  const bool is_full = head.n_tokens == PrefixStore::kPageTokens;
  if (head.exact == 1 && !is_full) return wrong("exact, but not full");
  if (head.parent < -1 || head.parent >= static_cast<int64_t>(index)) {
    return wrong(fmt::format("parent: found {}, expected -1 to {}", head.parent, index - 1));
  }
  if (head.parent >= 0 &&
      std::ssize(before[static_cast<size_t>(head.parent)].ids) != PrefixStore::kPageTokens) {
    return wrong(fmt::format("its parent {} is not full", head.parent));
  }
  const size_t ids_bytes = head.n_tokens * sizeof(TokenId);
  const size_t rows_bytes =
      head.n_tokens * static_cast<size_t>(shape.bytes_per_token);  // a file's width was checked
  if (reader.left() < ids_bytes + rows_bytes) return wrong("the file ends in it");
  KeptPage page{.parent = head.parent,
                .ids = std::vector<TokenId>(head.n_tokens),
                .exact = head.exact == 1,
                .rows = nullptr};
  std::memcpy(page.ids.data(), reader.take(ids_bytes).data(), ids_bytes);
  for (const TokenId id : page.ids) {
    if (id < 0 || id >= shape.vocabulary_size) {
      return wrong(fmt::format("token id: found {}, expected 0 to {}", id, shape.vocabulary_size - 1));
    }
  }
  const auto rows = reader.take(rows_bytes);
  page.rows = std::make_shared<const std::vector<std::byte>>(rows.begin(), rows.end());
  return page;
}

}  // namespace

Result<int64_t> write_prefix_file(const std::string& path, const SlotShape& shape,
                                  std::span<const KeptPage> pages) {
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  StreamHash hash;
  const auto write = [&](std::span<const std::byte> bytes) {
    hash.add(bytes);
    return file.write(bytes);
  };
  PLM_TRY_STATUS(write(bytes_of(Head{.identity = shape.identity,
                                     .bytes_per_token = static_cast<uint64_t>(shape.bytes_per_token),
                                     .n_pages = pages.size()})));
  for (const KeptPage& page : pages) {
    PLM_TRY_STATUS(write(bytes_of(PageHead{.parent = page.parent,
                                           .n_tokens = static_cast<uint32_t>(page.ids.size()),
                                           .exact = page.exact ? 1U : 0U})));
    PLM_TRY_STATUS(write(std::as_bytes(std::span(page.ids))));
    PLM_TRY_STATUS(write(*page.rows));
  }
  PLM_TRY_STATUS(file.write(bytes_of(hash.value())));
  const auto n_bytes = static_cast<int64_t>(file.size());
  PLM_TRY_STATUS(file.commit());
  return n_bytes;
}

Result<std::vector<KeptPage>> parse_prefix_file(std::span<const std::byte> bytes, const std::string& path,
                                                const SlotShape& shape, int64_t budget_bytes) {
  Reader reader(bytes, path);
  Head head;
  uint64_t sum = 0;
  if (bytes.size() < sizeof(head) + sizeof(sum)) return reader.bad("too short for a store of prompts");
  reader.take_into(head);
  if (head.magic != kMagic) return reader.bad("no store of prompts");
  std::memcpy(&sum, bytes.last(sizeof(sum)).data(), sizeof(sum));
  StreamHash hash;
  hash.add(bytes.first(bytes.size() - sizeof(sum)));
  if (hash.value() != sum) return reader.bad("its checksum is not that of its contents: damaged");
  if (head.identity != shape.identity ||
      head.bytes_per_token != static_cast<uint64_t>(shape.bytes_per_token)) {
    return reader.bad("written by another model or another build of plm");
  }
  Reader body(bytes.subspan(sizeof(head), bytes.size() - sizeof(head) - sizeof(sum)), path);
  std::vector<KeptPage> pages;
  int64_t n_bytes = 0;
  for (uint64_t i = 0; i < head.n_pages; ++i) {
    PLM_TRY(KeptPage page, read_page(body, pages, shape));
    n_bytes += std::ssize(*page.rows);
    if (n_bytes > budget_bytes) return pages;
    pages.push_back(std::move(page));
  }
  if (body.left() != 0) return body.bad(fmt::format("found {} bytes behind the last page", body.left()));
  return pages;
}

Result<std::vector<KeptPage>> read_prefix_file(const std::string& path, const SlotShape& shape,
                                               int64_t budget_bytes) {
  PLM_TRY(const MappedFile file, MappedFile::open(path));
  return parse_prefix_file(file.bytes(), path, shape, budget_bytes);
}

bool may_become_prefix_file(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!file.ok()) return file.error().kind == ErrorKind::not_found;
  const auto bytes = file->bytes();
  return bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

}  // namespace plm::scheduler
