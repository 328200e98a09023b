#include "train/data/byte_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

namespace plm::train {

namespace {

constexpr size_t kBufferBytes = 256 * 1024;

class FileBytes : public ByteStream {
 public:
  static Result<std::unique_ptr<FileBytes>> open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno_error(path, "cannot open", errno);
    std::unique_ptr<FileBytes> file(new FileBytes(path, fd));
    struct stat status{};
    if (::fstat(fd, &status) != 0) return errno_error(path, "cannot look at", errno);
    if (S_ISDIR(status.st_mode)) return make_error(ErrorKind::invalid_argument, "{}: is a folder", path);
    return file;
  }
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;
  ~FileBytes() override { ::close(fd_); }

  Result<size_t> read(std::span<char> out) override {
    if (peeked_ < first_bytes_.size() && !out.empty()) {
      const size_t n = std::min(out.size(), first_bytes_.size() - peeked_);
      std::copy_n(first_bytes_.begin() + static_cast<std::ptrdiff_t>(peeked_), n, out.begin());
      peeked_ += n;
      return n;
    }
    return read_file(out);
  }
  int64_t file_bytes_read() const override { return bytes_read_; }

  // The first bytes of the file, read again by read().
  Result<std::string_view> peek() {
    first_bytes_.resize(4);
    size_t n = 0;
    while (n < first_bytes_.size()) {
      PLM_TRY(const size_t got, read_file(std::span(first_bytes_).subspan(n)));
      if (got == 0) break;
      n += got;
    }
    first_bytes_.resize(n);
    return std::string_view(first_bytes_);
  }

 private:
  FileBytes(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  Result<size_t> read_file(std::span<char> out) {
    for (;;) {
      const ssize_t n = ::read(fd_, out.data(), out.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error(path_, "cannot read", errno);
      bytes_read_ += n;
      return static_cast<size_t>(n);
    }
  }

  std::string path_;
  int fd_;
  int64_t bytes_read_ = 0;
  std::string first_bytes_;
  size_t peeked_ = 0;
};

// What gzip and zstd share: a buffer of packed bytes before the unpacker.
class PackedBytes : public ByteStream {
 public:
  PackedBytes(std::unique_ptr<ByteStream> packed, std::string path)
      : path_(std::move(path)), packed_(std::move(packed)), buffer_(kBufferBytes) {}
  int64_t file_bytes_read() const override { return packed_->file_bytes_read(); }

 protected:
  // True when there are packed bytes to work on, false at the end of the file.
  Result<bool> fill() {
    if (begin_ < end_) return true;
    PLM_TRY(end_, packed_->read(buffer_));
    begin_ = 0;
    return end_ > 0;
  }
  std::span<char> waiting() { return std::span(buffer_).subspan(begin_, end_ - begin_); }
  void consume_to(size_t n_left) { begin_ = end_ - n_left; }

  Error damaged(std::string_view why) const {
    return make_error(ErrorKind::bad_data, "{}: damaged compressed data: {}", path_, why);
  }
  Error cut_short() const {
    return make_error(ErrorKind::bad_data, "{}: ends in the middle of its compressed data", path_);
  }

 private:
  std::string path_;
  std::unique_ptr<ByteStream> packed_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
};

class GzipBytes : public PackedBytes {
 public:
  using PackedBytes::PackedBytes;
  GzipBytes(const GzipBytes&) = delete;
  GzipBytes& operator=(const GzipBytes&) = delete;
  ~GzipBytes() override {
    if (is_ready_) inflateEnd(&stream_);
  }

  Result<size_t> read(std::span<char> out) override {
    constexpr int kGzipOnly = 16;  // added to the window bits, zlib.h
    if (!is_ready_ && inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK) {
      return make_error(ErrorKind::out_of_memory, "zlib: no memory for unpacking");
    }
    is_ready_ = true;
    for (;;) {
      PLM_TRY(const bool has_input, fill());
      if (!has_input) {
        if (inside_member_) return cut_short();
        return size_t{0};
      }
      const auto input = waiting();
      if (!inside_member_) inflateReset(&stream_);
      inside_member_ = true;
      stream_.next_in = reinterpret_cast<Bytef*>(input.data());
      stream_.avail_in = static_cast<uInt>(input.size());
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = static_cast<uInt>(std::min<size_t>(out.size(), 1u << 30));
      const uInt room = stream_.avail_out;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      consume_to(stream_.avail_in);
      if (code == Z_STREAM_END) {
        inside_member_ = false;
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        return damaged(stream_.msg != nullptr ? stream_.msg : "gzip");
      }
      if (const size_t n = room - stream_.avail_out; n > 0) return n;
    }
  }

 private:
  z_stream stream_{};
  bool is_ready_ = false, inside_member_ = false;
};

class ZstdBytes : public PackedBytes {
 public:
  using PackedBytes::PackedBytes;

  Result<size_t> read(std::span<char> out) override {
    if (!stream_) stream_.reset(ZSTD_createDStream());
    if (!stream_) return make_error(ErrorKind::out_of_memory, "zstd: no memory for unpacking");
    for (;;) {
      PLM_TRY(const bool has_input, fill());
      // Without input it may still hold unpacked bytes.
      if (!has_input && !inside_frame_) return size_t{0};
      const auto input = waiting();
      ZSTD_inBuffer from{input.data(), has_input ? input.size() : 0, 0};
      ZSTD_outBuffer to{out.data(), out.size(), 0};
      const size_t code = ZSTD_decompressStream(stream_.get(), &to, &from);
      if (ZSTD_isError(code) != 0) return damaged(ZSTD_getErrorName(code));
      if (has_input) consume_to(from.size - from.pos);
      inside_frame_ = code != 0;
      if (to.pos > 0) return to.pos;
      if (!has_input) return cut_short();
    }
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_;
  bool inside_frame_ = false;
};

}  // namespace

Result<std::unique_ptr<ByteStream>> open_bytes(const std::string& path) {
  PLM_TRY(std::unique_ptr<FileBytes> file, FileBytes::open(path));
  PLM_TRY(const std::string_view first, file->peek());
  if (first.starts_with("\x1f\x8b")) {
    return std::unique_ptr<ByteStream>(new GzipBytes(std::move(file), path));
  }
  if (first == "\x28\xb5\x2f\xfd") {
    return std::unique_ptr<ByteStream>(new ZstdBytes(std::move(file), path));
  }
  return std::unique_ptr<ByteStream>(std::move(file));
}

}  // namespace plm::train
