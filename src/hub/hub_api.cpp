#include "hub/hub_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hub/names.h"

namespace plm::hub {
namespace {

constexpr size_t kMaxListing = size_t{64} << 20;
constexpr size_t kMaxFiles = 1000000;

// What a server says goes to a terminal: printable, and not a novel.
std::string printable(std::string_view text) {
  std::string clean(text.substr(0, 200));
  std::replace_if(clean.begin(), clean.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return clean;
}

// Quotes and the mark of a weak tag say nothing about the bytes.
std::string plain_etag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

Result<Revision> parse_listing(const std::string& body, std::string_view where) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  const auto bad = [&](std::string_view problem) {
    return make_error(ErrorKind::bad_data, "{}: the hub's list of files: {}", where, problem);
  };
  if (!json.is_object()) return bad("found no JSON object");
  Revision revision;
  const auto sha = json.find("sha");
  if (sha == json.end() || !sha->is_string() || !is_commit(sha->get_ref<const std::string&>())) {
    return bad("field sha: expected a commit of 40 hexadecimal digits");
  }
  revision.commit = sha->get<std::string>();
  const auto siblings = json.find("siblings");
  if (siblings == json.end() || !siblings->is_array()) return bad("field siblings: expected an array");
  if (siblings->size() > kMaxFiles) return bad(fmt::format("more than {} files", kMaxFiles));
  for (const auto& sibling : *siblings) {
    const auto name = sibling.is_object() ? sibling.find("rfilename") : sibling.end();
    if (name == sibling.end() || !name->is_string()) return bad("field rfilename: expected a string");
    PLM_TRY_STATUS(check_file_name(name->get_ref<const std::string&>()));
    revision.files.push_back(name->get<std::string>());
  }
  std::sort(revision.files.begin(), revision.files.end());
  return revision;
}

}  // namespace

Error refusal(const HttpResponse& response, std::string_view where, std::string_view what, bool has_token) {
  std::string said = printable(response.header("x-error-message"));
  if (!said.empty()) said = ": " + said;
  if (response.status == 401 || response.status == 403) {
    return make_error(ErrorKind::unsupported, "{}: access refused ({}){}; {}", where, response.status, said,
                      has_token
                          ? "is the token right, and was access to this repository granted?"
                          : "a private or gated repository needs a token in HF_TOKEN, and one that does not "
                            "exist is refused too");
  }
  if (response.status == 404)
    return make_error(ErrorKind::not_found, "{}: no such {} (404){}", where, what, said);
  return make_error(ErrorKind::bad_data, "{}: the server answers {}, expected 200{}", where, response.status,
                    said);
}

std::string HubApi::file_url(const std::string& repository, const std::string& commit,
                             const std::string& file) const {
  return fmt::format("{}/{}/resolve/{}/{}", settings_.endpoint, repository, commit, escape_path(file));
}

Result<Revision> HubApi::revision(const std::string& repository, const std::string& revision) {
  std::string escaped = escape_path(revision);
  for (size_t at = 0; (at = escaped.find('/', at)) != std::string::npos; at += 3)
    escaped.replace(at, 1, "%2F");
  std::string body;
  HttpRequest request{
      .url = fmt::format("{}/api/models/{}/revision/{}", settings_.endpoint, repository, escaped)};
  request.on_start = [&](const HttpResponse&) {
    body.clear();
    return Status();
  };
  request.on_body = [&](std::span<const std::byte> bytes) -> Status {
    if (body.size() + bytes.size() > kMaxListing) {
      return make_error(ErrorKind::bad_data, "{}: the hub's list of files is longer than {} bytes",
                        repository, kMaxListing);
    }
    body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  };
  Retries retries(retries_);
  for (;;) {
    PLM_TRY(const HttpAnswer answer, client_.send_following(request));
    if (answer.trouble) {
      PLM_TRY_STATUS(retries.wait(*answer.trouble, settings_.endpoint));
      continue;
    }
    if (!answer.response.is_success()) {
      return refusal(answer.response, repository, fmt::format("repository or revision {}", revision),
                     !settings_.token.empty());
    }
    return parse_listing(body, repository);
  }
}

Result<FileFacts> HubApi::facts(const std::string& repository, const std::string& commit,
                                const std::string& file) {
  constexpr int kMaxRenames = 5;
  const std::string where = repository + "/" + file;
  HttpRequest request{.url = file_url(repository, commit, file), .head_only = true};
  Retries retries(retries_);
  for (int n_renames = 0; n_renames <= kMaxRenames;) {
    PLM_TRY(const HttpAnswer answer, client_.send(request));
    const HttpResponse& response = answer.response;
    if (answer.trouble) {
      PLM_TRY_STATUS(retries.wait(*answer.trouble, where));
      continue;
    }
    const std::string_view location = response.header("location");
    const bool is_redirect = response.status >= 300 && response.status < 400 && !location.empty();
    std::string hash = plain_etag(response.header("x-linked-etag"));
    if (is_redirect && hash.empty()) {  // a repository under a new name, not yet the file
      PLM_TRY(request.url, redirect_target(request.url, location));
      ++n_renames;
      continue;
    }
    if (!is_redirect && !response.is_success()) {
      return refusal(response, where, "file", !settings_.token.empty());
    }
    if (hash.empty()) hash = plain_etag(response.header("etag"));
    auto bytes = response.number("x-linked-size");
    if (!bytes && !is_redirect) bytes = response.number("content-length");
    if (!bytes || !(is_hexadecimal(hash, 64) || is_hexadecimal(hash, 40))) {
      return make_error(ErrorKind::bad_data,
                        "{}: the server tells no {}: it does not seem to be a hub (HF_ENDPOINT is {})", where,
                        bytes ? "hash" : "length", settings_.endpoint);
    }
    return FileFacts{.hash = hash, .bytes = *bytes};
  }
  return make_error(ErrorKind::bad_data, "{}: more than {} redirects", where, kMaxRenames);
}

}  // namespace plm::hub
