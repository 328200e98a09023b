#include "server/page.h"

#include <algorithm>

#include "server/json.h"
#include "server/page_archive.h"

namespace plm::server {

namespace {

// Nothing from elsewhere, nothing written into the page itself, no frame around it.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr std::string_view kNoPage =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>plm</title>\n"
    "<h1>plm is running</h1>\n"
    "<p>The API is under <code>/v1</code>. This program was built without its chat page. To have it, type\n"
    "<code>make page</code> and then <code>make build</code> in the source folder (it needs node and npm), "
    "and "
    "start <code>plm serve</code> again.</p></html>\n";

// Whether "gzip" is among "deflate, gzip;q=0.5" and not refused there.
bool accepts_gzip(std::string_view accepted) {
  const size_t at = accepted.find("gzip");
  if (at == std::string_view::npos) return false;
  const std::string_view after = accepted.substr(at + 4);
  return !after.substr(0, after.find(',')).ends_with("q=0");
}

Error wrong_archive(std::string_view expected) {
  return make_error(ErrorKind::bad_data, "the page's archive: expected {}", expected);
}

}  // namespace

Result<Page> Page::parse(std::string_view archive) {
  Page page;
  if (archive.empty()) return page;
  const size_t line_end = archive.find('\n');
  PLM_TRY(const Json header, parse_json_object(archive.substr(0, line_end)));
  const auto files = header.find("files");
  if (line_end == std::string_view::npos || files == header.end() || !files->is_array()) {
    return wrong_archive("a line of JSON with a list of files");
  }
  std::string_view rest = archive.substr(line_end + 1);
  for (const Json& json : *files) {
    if (!json.is_object()) return wrong_archive("objects in its list of files");
    const Fields fields(json, "files.");
    File file;
    PLM_TRY(file.path, fields.text("path", ""));
    PLM_TRY(file.content_type, fields.text("type", ""));
    PLM_TRY(file.is_gzip, fields.boolean("is_gzip", false));
    PLM_TRY(file.is_immutable, fields.boolean("is_immutable", false));
    PLM_TRY(const int64_t size, fields.integer("size", -1, 0, static_cast<int64_t>(rest.size())));
    if (size < 0 || !file.path.starts_with('/')) return wrong_archive("a path and a size for each file");
    file.bytes = rest.substr(0, static_cast<size_t>(size));
    rest.remove_prefix(static_cast<size_t>(size));
    page.files_.push_back(std::move(file));
  }
  if (!rest.empty()) return wrong_archive("nothing behind the last file");
  return page;
}

const Page& Page::built_in() {
  static const Page page = [] {
    auto parsed = parse(page_archive());
    PLM_CHECK(parsed.ok());
    return *std::move(parsed);
  }();
  return page;
}

const Page::File* Page::find(std::string_view path) const {
  const auto found = std::ranges::find(files_, path, &File::path);
  return found == files_.end() ? nullptr : &*found;
}

void Page::answer(const HttpHead& head, HttpReply& reply) const {
  reply.add_header("Content-Security-Policy", std::string(kContentSecurityPolicy));
  reply.add_header("Referrer-Policy", "no-referrer");
  const File* file = find(head.path);
  if (file == nullptr) {
    reply.add_header("Cache-Control", "no-store");
    return reply.send(200, "text/html; charset=utf-8", kNoPage);
  }
  reply.add_header("Cache-Control", file->is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
  if (file->is_gzip) {
    reply.add_header("Vary", "Accept-Encoding");
    if (!accepts_gzip(head.header("accept-encoding"))) {
      return reply.send(406, "text/plain; charset=utf-8", "The page is there for browsers that take gzip.\n");
    }
    reply.add_header("Content-Encoding", "gzip");
  }
  reply.send(200, file->content_type, file->bytes);
}

}  // namespace plm::server
