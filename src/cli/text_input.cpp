#include "cli/text_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "cli/interrupt.h"

namespace plm::cli {

namespace {
constexpr size_t kMaxBytes = size_t{2} << 30;
}

Result<std::string> read_input(const std::string& path) {
  const std::string name = path == "-" ? "standard input" : path;
  const int fd = path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && interrupted()) return interrupted_error();
  if (fd < 0) return errno_error(name, "cannot open", errno);
  std::string text;
  std::array<char, 65536> buffer;
  ssize_t n = 0;
  while ((n = ::read(fd, buffer.data(), buffer.size())) > 0 && text.size() <= kMaxBytes) {
    text.append(buffer.data(), static_cast<size_t>(n));
  }
  const int read_errno = errno;
  ::close(fd);
  if (n < 0 && interrupted()) return interrupted_error();
  if (n < 0) return errno_error(name, "cannot read", read_errno);
  if (text.size() > kMaxBytes) {
    return make_error(ErrorKind::unsupported, "{}: longer than {} bytes of text", name, kMaxBytes);
  }
  return text;
}

void TextOption::add_to(CLI::App& app, const std::string& text_flags, const std::string& description) {
  text_flags_ = text_flags;
  text_option_ = app.add_option(text_flags, text_, description)->type_name("TEXT");
  file_option_ =
      app.add_option("-f,--file", file_, "the same from a file, byte for byte; - is standard input")
          ->type_name("FILE");
}

bool TextOption::is_given() const { return text_option_->count() > 0 || file_option_->count() > 0; }

Result<std::string> TextOption::read() const {
  if (text_option_->count() > 0 && file_option_->count() > 0) {
    return make_error(ErrorKind::invalid_argument, "{} and -f,--file exclude each other", text_flags_);
  }
  if (text_option_->count() > 0) return text_;
  if (file_option_->count() > 0) return read_input(file_);
  return make_error(ErrorKind::invalid_argument, "no text: give {} TEXT or -f FILE", text_flags_);
}

}  // namespace plm::cli
