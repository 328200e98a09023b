#include "scheduler/prefix_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "../gguf/temporary_folder.h"
#include "scheduler/stream_hash.h"

namespace plm::scheduler {
namespace {

constexpr int64_t kPage = PrefixStore::kPageTokens;
constexpr int64_t kBudget = 1 << 30;

class PrefixFileTest : public TemporaryFolder {
 protected:
  static constexpr SlotShape kShape = {
      .identity = 0x1234567890abcdef, .bytes_per_token = 8, .capacity = 1000, .vocabulary_size = 500};

  static PrefixStore::KeptPage page(int64_t parent, TokenId first, int64_t n, bool exact) {
    PrefixStore::KeptPage made{.parent = parent,
                               .ids = std::vector<TokenId>(static_cast<size_t>(n)),
                               .exact = exact,
                               .rows = nullptr};
    std::iota(made.ids.begin(), made.ids.end(), first);
    std::vector<std::byte> rows(static_cast<size_t>(n * kShape.bytes_per_token),
                                static_cast<std::byte>(first));
    made.rows = std::make_shared<const std::vector<std::byte>>(std::move(rows));
    return made;
  }
  static std::vector<PrefixStore::KeptPage> pages() {
    return {page(-1, 1, kPage, true), page(0, 100, kPage, false), page(0, 200, 7, false),
            page(-1, 300, 1, false)};
  }
  std::string written(std::span<const PrefixStore::KeptPage> given) const {
    const auto n_bytes = write_prefix_file(path("store"), kShape, given);
    EXPECT_TRUE(n_bytes.ok()) << n_bytes.error().message;
    const std::string bytes = read(path("store"));
    EXPECT_EQ(*n_bytes, std::ssize(bytes));
    return bytes;
  }
  static Result<std::vector<PrefixStore::KeptPage>> parse(std::string_view bytes, int64_t budget = kBudget,
                                                          const SlotShape& shape = kShape) {
    return parse_prefix_file(std::as_bytes(std::span(bytes.data(), bytes.size())), "store", shape, budget);
  }
  static std::string refusal(std::string_view bytes, const SlotShape& shape = kShape) {
    const auto read = parse(bytes, kBudget, shape);
    if (read.ok()) return {};
    EXPECT_EQ(read.error().kind, ErrorKind::bad_data);
    EXPECT_TRUE(read.error().message.starts_with("store: "));
    return read.error().message;
  }
  // With a checksum that fits.
  static std::string summed(std::string bytes) {
    StreamHash hash;
    hash.add(std::as_bytes(std::span(bytes.data(), bytes.size() - sizeof(uint64_t))));
    const uint64_t sum = hash.value();
    std::memcpy(bytes.data() + bytes.size() - sizeof(sum), &sum, sizeof(sum));
    return bytes;
  }
  template <typename Value>
  static std::string patched(std::string bytes, size_t at, Value value) {
    std::memcpy(bytes.data() + at, &value, sizeof(value));
    return summed(std::move(bytes));
  }
};

constexpr size_t kHeadBytes = 32, kPageHeadBytes = 16;

TEST_F(PrefixFileTest, ComesBackAsItWas) {
  const auto given = pages();
  const auto back = parse(written(given));
  ASSERT_TRUE(back.ok()) << back.error().message;
  ASSERT_EQ(back->size(), given.size());
  for (size_t i = 0; i < given.size(); ++i) {
    EXPECT_EQ((*back)[i].parent, given[i].parent);
    EXPECT_EQ((*back)[i].ids, given[i].ids);
    EXPECT_EQ((*back)[i].exact, given[i].exact);
    EXPECT_EQ(*(*back)[i].rows, *given[i].rows);
  }
  EXPECT_EQ(parse(written({}))->size(), 0U);
}

TEST_F(PrefixFileTest, IsReadAsFarAsTheBudgetGoes) {
  const std::string bytes = written(pages());
  const int64_t full = kPage * kShape.bytes_per_token;
  EXPECT_EQ(parse(bytes, 0)->size(), 0U);
  EXPECT_EQ(parse(bytes, full)->size(), 1U);
  EXPECT_EQ(parse(bytes, 2 * full + 7 * kShape.bytes_per_token - 1)->size(), 2U);
  EXPECT_EQ(parse(bytes, kBudget)->size(), 4U);
}

TEST_F(PrefixFileTest, IsRefusedWhereverItIsCutOrChanged) {
  const std::string whole = written(pages());
  for (size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(refusal(std::string_view(whole).substr(0, n)).empty()) << n;
  }
  EXPECT_FALSE(refusal(whole + '\0').empty());
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    EXPECT_FALSE(refusal(bytes).empty()) << at;
  }
}

TEST_F(PrefixFileTest, OfAnotherModelIsRefused) {
  const std::string bytes = written(pages());
  SlotShape other = kShape;
  other.identity ^= 1;
  EXPECT_NE(refusal(bytes, other).find("another model"), std::string::npos);
  other = kShape;
  other.bytes_per_token = 16;
  EXPECT_NE(refusal(bytes, other).find("another model"), std::string::npos);
}

// A checksum is no proof of good will.
TEST_F(PrefixFileTest, IsNotBelievedForItsChecksum) {
  const std::string whole = written(pages());
  const size_t page = kHeadBytes;  // of the first
  EXPECT_EQ(refusal(summed(whole)), "");
  EXPECT_FALSE(refusal(patched<uint64_t>(whole, 24, UINT64_MAX)).empty()) << "pages";
  EXPECT_FALSE(refusal(patched<uint64_t>(whole, 24, 3)).empty()) << "bytes left";
  for (const int64_t parent : {int64_t{0}, int64_t{1}, int64_t{-2}, INT64_MIN, INT64_MAX}) {
    EXPECT_FALSE(refusal(patched(whole, page, parent)).empty()) << parent;
  }
  for (const uint32_t n_tokens : {0U, 63U, 65U, UINT32_MAX}) {
    EXPECT_FALSE(refusal(patched(whole, page + 8, n_tokens)).empty()) << n_tokens;
  }
  EXPECT_FALSE(refusal(patched<uint32_t>(whole, page + 12, 2)).empty()) << "exact";
  for (const TokenId id : {-1, 500, INT32_MIN, INT32_MAX}) {
    EXPECT_FALSE(refusal(patched(whole, page + kPageHeadBytes, id)).empty()) << id;
  }
  // The last page, of one token: exact, or behind one that is not full.
  const size_t last =
      whole.size() - sizeof(uint64_t) - kShape.bytes_per_token - sizeof(TokenId) - kPageHeadBytes;
  EXPECT_EQ(refusal(patched<int64_t>(whole, last, 1)), "");
  EXPECT_NE(refusal(patched<int64_t>(whole, last, 2)).find("not full"), std::string::npos);
  EXPECT_NE(refusal(patched<uint32_t>(whole, last + 12, 1)).find("not full"), std::string::npos);
}

TEST_F(PrefixFileTest, IsNotWrittenOverWhatIsNoneOfIts) {
  EXPECT_TRUE(may_become_prefix_file(path("absent")));
  written(pages());
  EXPECT_TRUE(may_become_prefix_file(path("store")));
  EXPECT_TRUE(may_become_prefix_file(write("damaged", "PLMPREF1...")));
  EXPECT_FALSE(may_become_prefix_file(write("letter", "Dear PLM")));
  EXPECT_FALSE(may_become_prefix_file(write("empty", "")));
  EXPECT_FALSE(may_become_prefix_file(path("")));
  EXPECT_FALSE(may_become_prefix_file("/dev/zero"));
}

}  // namespace
}  // namespace plm::scheduler
