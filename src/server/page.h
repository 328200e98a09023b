// The page for browsers: files of web/, out of one archive within the program (decision 0089).
//
// An archive is a line of JSON, {"files": [{"path", "type", "size", "is_gzip", "is_immutable"}]}, and behind
// it the bytes of the files in that order. tools/build_page.sh makes it; a program built without it has none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "server/http_server.h"

namespace plm::server {

class Page {
 public:
  // The bytes must outlive the page. An empty archive is a page that says how to build it.
  static Result<Page> parse(std::string_view archive);
  static const Page& built_in();

  bool has(std::string_view path) const { return path == "/" || find(path) != nullptr; }
  // A path that it has, by GET or HEAD.
  void answer(const HttpHead& head, HttpReply& reply) const;

 private:
  struct File {
    std::string path, content_type;
    std::string_view bytes;
    bool is_gzip = false;       // only as such
    bool is_immutable = false;  // another content has another path
  };
  const File* find(std::string_view path) const;

  std::vector<File> files_;
};

}  // namespace plm::server
