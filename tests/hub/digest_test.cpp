#include "hub/digest.h"

#include <gtest/gtest.h>

namespace plm::hub {
namespace {

std::string digest_of(std::string_view hash_kind, std::string_view text) {
  auto digest = Digest::for_hash(hash_kind, text.size());
  if (!digest.ok()) return digest.error().message;
  for (const char& c : text) digest->add(std::as_bytes(std::span(&c, 1)));
  return digest->finish();
}

TEST(HubDigest, IsSha256ForLongHashes) {
  // FIPS 180-2, example B.1
  EXPECT_EQ(digest_of(std::string(64, '0'), "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(HubDigest, IsGitsHashOfABlobForShortOnes) {
  // `printf 'hello\n' | git hash-object --stdin`, and the empty blob every repository knows
  EXPECT_EQ(digest_of(std::string(40, '0'), "hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(digest_of(std::string(40, '0'), ""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

TEST(HubDigest, RefusesWhatIsNoHash) {
  for (const std::string hash : {"", "abc", "../../etc", "A123456789abcdef0123456789abcdef01234567"})
    EXPECT_FALSE(Digest::for_hash(hash, 1).ok()) << hash;
}

}  // namespace
}  // namespace plm::hub
