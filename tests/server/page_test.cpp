#include "server/page.h"

#include <gmock/gmock.h>

namespace plm::server {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kArchive =
    R"({"files":[{"path":"/","type":"text/html","size":5,"is_gzip":true,"is_immutable":false},)"
    R"({"path":"/f.woff2","type":"font/woff2","size":3,"is_gzip":false,"is_immutable":true}]})"
    "\nzippyabc";

class Written final : public ByteStream {
 public:
  Read read(std::string&, size_t, Clock::time_point) override { return Read::end; }
  bool write(std::string_view bytes, Clock::time_point) override {
    text += bytes;
    return true;
  }
  void end_writing() override {}
  bool is_gone() override { return false; }

  std::string text;
};

std::string get(std::string_view archive, std::string path, std::string accepted = "gzip, deflate, br") {
  const auto page = Page::parse(archive);
  EXPECT_TRUE(page.ok());
  HttpHead head;
  head.method = "GET";
  head.path = std::move(path);
  if (!accepted.empty()) head.headers.emplace_back("accept-encoding", std::move(accepted));
  Written written;
  HttpReply reply(written, head, std::chrono::seconds(1));
  EXPECT_TRUE(page->has(head.path));
  page->answer(head, reply);
  return written.text;
}

std::string refusal(std::string_view archive) {
  const auto page = Page::parse(archive);
  return page.ok() ? std::string() : page.error().message;
}

TEST(Page, SendsItsFilesWithTheirTypesAndAPolicy) {
  EXPECT_THAT(get(kArchive, "/"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: text/html\r\n"),
                    HasSubstr("Content-Encoding: gzip\r\n"), HasSubstr("Cache-Control: no-cache\r\n"),
                    HasSubstr("default-src 'none'"), HasSubstr("\r\n\r\nzippy")));
  EXPECT_THAT(get(kArchive, "/f.woff2", ""),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("immutable"), Not(HasSubstr("Content-Encoding")),
                    HasSubstr("\r\n\r\nabc")));
}

TEST(Page, TellsWhoTakesNoGzip) {
  for (const std::string accepted : {"", "br", "deflate, gzip;q=0", "gzip;q=0, br"}) {
    EXPECT_THAT(get(kArchive, "/", accepted), StartsWith("HTTP/1.1 406 ")) << accepted;
  }
  EXPECT_THAT(get(kArchive, "/", "br, gzip;q=0.5"), StartsWith("HTTP/1.1 200 "));
}

TEST(Page, WithoutAnArchiveSaysHowToBuildIt) {
  EXPECT_THAT(get("", "/", ""),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("make page"), HasSubstr("no-store")));
  EXPECT_FALSE(Page::parse("")->has("/f.woff2"));
}

TEST(Page, HasNoOtherPaths) {
  const auto page = Page::parse(kArchive);
  for (const std::string_view path : {"", "/f", "/f.woff2/", "//", "/v1/models"})
    EXPECT_FALSE(page->has(path)) << path;
}

TEST(Page, RefusesAnArchiveThatIsCutOrTooLong) {
  EXPECT_THAT(refusal(kArchive.substr(0, kArchive.size() - 1)), HasSubstr("files.size"));
  EXPECT_THAT(refusal(std::string(kArchive) + "x"), HasSubstr("nothing behind the last file"));
  EXPECT_THAT(refusal(R"({"files":[]})"), HasSubstr("a line of JSON"));
  EXPECT_THAT(refusal("{}\n"), HasSubstr("a line of JSON"));
  EXPECT_THAT(refusal("{\"files\":[3]}\n"), HasSubstr("objects"));
  EXPECT_THAT(refusal("{\"files\":[{\"path\":\"f\",\"size\":0}]}\n"), HasSubstr("a path and a size"));
  EXPECT_THAT(refusal("{\"files\":[{\"path\":\"/f\"}]}\n"), HasSubstr("a path and a size"));
}

TEST(Page, IsBuiltInOrSaysHowToBuildIt) { EXPECT_TRUE(Page::built_in().has("/")); }

}  // namespace
}  // namespace plm::server
