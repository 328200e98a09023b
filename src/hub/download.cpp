#include "hub/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>
#include <vector>

#include "hub/digest.h"
#include "hub/hub_api.h"

namespace plm::hub {
namespace {

// What has come of a blob, with the hash of it so far. The file stays when this is destroyed.
class PartialFile {
 public:
  static Result<PartialFile> open(const BlobRequest& request) {
    PartialFile file(request);
    file.fd_ = ::open(file.path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file.fd_ < 0) return errno_error(file.path_, "cannot open", errno);
    PLM_TRY_STATUS(file.restart_digest());
    struct stat info = {};
    if (::fstat(file.fd_, &info) != 0) return errno_error(file.path_, "cannot read its length", errno);
    const auto size = static_cast<uint64_t>(info.st_size);
    if (size > request.bytes) {  // of another file: the name is the hash, so somebody wrote nonsense
      PLM_TRY_STATUS(file.clear());
    } else {
      PLM_TRY_STATUS(file.read_back(size));
    }
    return file;
  }

  PartialFile(PartialFile&& other) noexcept
      : request_(other.request_),
        path_(std::move(other.path_)),
        fd_(std::exchange(other.fd_, -1)),
        size_(other.size_),
        digest_(std::move(other.digest_)) {}
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  uint64_t size() const { return size_; }

  Status append(std::span<const std::byte> bytes) {
    if (bytes.size() > request_->bytes - size_) {
      return make_error(ErrorKind::bad_data, "{}: the server sends more than the {} bytes it told",
                        request_->where, request_->bytes);
    }
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return errno_error(path_, "cannot write", n < 0 ? errno : ENOSPC);
      digest_->add(bytes.first(static_cast<size_t>(n)));
      bytes = bytes.subspan(static_cast<size_t>(n));
      size_ += static_cast<uint64_t>(n);
    }
    return {};
  }

  Status clear() {
    if (::ftruncate(fd_, 0) != 0) return errno_error(path_, "cannot truncate", errno);
    size_ = 0;
    return restart_digest();
  }

  std::string hash() { return digest_->finish(); }

  Status commit() {
    if (::fsync(fd_) != 0) return errno_error(path_, "cannot sync to disk", errno);
    if (::rename(path_.c_str(), request_->path.c_str()) != 0) {
      return errno_error(request_->path, "cannot rename into place", errno);
    }
    return {};
  }

  void remove() const { ::unlink(path_.c_str()); }

 private:
  explicit PartialFile(const BlobRequest& request)
      : request_(&request), path_(request.path + ".incomplete") {}

  Status restart_digest() {
    PLM_TRY(digest_, Digest::for_hash(request_->hash, request_->bytes));
    return {};
  }

  Status read_back(uint64_t size) {
    std::vector<std::byte> buffer(size_t{1} << 20);
    while (size_ < size) {
      const ssize_t n = ::pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(size_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error(path_, "cannot read", errno);
      if (n == 0) break;
      digest_->add(std::span(buffer).first(static_cast<size_t>(n)));
      size_ += static_cast<uint64_t>(n);
    }
    return {};
  }

  const BlobRequest* request_;
  std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
  std::optional<Digest> digest_;
};

Status check_room(const BlobRequest& request, uint64_t n_missing) {
  const std::string folder = std::filesystem::path(request.path).parent_path().string();
  struct statvfs info = {};
  if (::statvfs(folder.c_str(), &info) != 0) return {};  // writing will tell
  const uint64_t free_bytes = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  if (n_missing <= free_bytes) return {};
  return make_error(ErrorKind::io, "{}: {} bytes are to come, {} are free in {}", request.where, n_missing,
                    free_bytes, folder);
}

// "bytes 100-199/200": whether it begins at `begin` and ends where the file does.
bool is_range(std::string_view text, uint64_t begin, uint64_t bytes) {
  return text == fmt::format("bytes {}-{}/{}", begin, bytes - 1, bytes);
}

// Before the body: is it what was asked for?
Status begin_body(const BlobRequest& request, const HttpResponse& response, PartialFile& file) {
  if (response.status == 206) {
    if (is_range(response.header("content-range"), file.size(), request.bytes)) return {};
    return make_error(ErrorKind::bad_data, "{}: asked for bytes from {} of {}, the server sends \"{}\"",
                      request.where, file.size(), request.bytes,
                      response.header("content-range").substr(0, 80));
  }
  if (const auto length = response.number("content-length"); length && *length != request.bytes) {
    return make_error(ErrorKind::bad_data, "{}: length: found {} bytes, expected {}", request.where, *length,
                      request.bytes);
  }
  return file.size() > 0 ? file.clear() : Status();  // a server that knows no ranges
}

// Brings the file to its full length.
Status fill(HttpClient& client, const BlobRequest& request, Retries& retries, PartialFile& file,
            const std::function<void(uint64_t)>& on_progress) {
  while (file.size() < request.bytes) {
    const uint64_t before = file.size();
    HttpRequest transfer{.url = request.url, .range_begin = before};
    transfer.on_start = [&](const HttpResponse& response) { return begin_body(request, response, file); };
    transfer.on_body = [&](std::span<const std::byte> bytes) -> Status {
      PLM_TRY_STATUS(file.append(bytes));
      if (on_progress) on_progress(file.size());
      return {};
    };
    PLM_TRY(const HttpAnswer answer, client.send_following(transfer));
    if (file.size() > before) retries.progressed();
    if (answer.trouble) {
      PLM_TRY_STATUS(retries.wait(*answer.trouble, request.where));
    } else if (answer.response.status == 416 && before > 0) {  // what is here is none of the server's
      PLM_TRY_STATUS(file.clear());
    } else if (!answer.response.is_success()) {
      return refusal(answer.response, request.where, "file", request.has_token);
    } else if (file.size() < request.bytes) {
      PLM_TRY_STATUS(retries.wait(
          {.problem = fmt::format("the server ends after {} of {} bytes", file.size(), request.bytes),
           .wait_seconds = {}},
          request.where));
    }
  }
  return {};
}

}  // namespace

Status download_blob(HttpClient& client, const BlobRequest& request, const Retries::Options& retry_options,
                     const std::function<void(uint64_t)>& on_progress) {
  PLM_TRY(PartialFile file, PartialFile::open(request));
  Retries retries(retry_options);
  for (bool is_continued = file.size() > 0;; is_continued = false) {
    PLM_TRY_STATUS(check_room(request, request.bytes - file.size()));
    if (auto filled = fill(client, request, retries, file, on_progress); !filled.ok()) {
      if (filled.error().kind == ErrorKind::bad_data || file.size() == 0) file.remove();
      return filled;
    }
    const std::string found = file.hash();
    if (found == request.hash) return file.commit();
    if (is_continued) {  // the part from before may be what is wrong
      if (retry_options.on_note) retry_options.on_note(request.where + ": wrong hash; fetching it anew");
      PLM_TRY_STATUS(file.clear());
      continue;
    }
    file.remove();
    return make_error(ErrorKind::bad_data, "{}: hash: found {}, expected {}; the file is thrown away",
                      request.where, found, request.hash);
  }
}

}  // namespace plm::hub
