#include "train/data/document_reader.h"

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>
#include <string_view>

namespace plm::train {

namespace {

constexpr std::string_view kSpace = " \t\r\n\f\v";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

Error too_long(const std::string& path, int64_t line) {
  return make_error(
      ErrorKind::unsupported,
      "{}:{}: a document of more than {} MiB: separate its parts with lines of <|endoftext|>, or "
      "read it by line or paragraph",
      path, line, kMaxDocumentBytes >> 20);
}

// Lines of a stream, with their ends.
class Lines {
 public:
  Lines(std::unique_ptr<ByteStream> stream, std::string path)
      : path_(std::move(path)), stream_(std::move(stream)) {}

  // Nothing at the end. Valid until the next call.
  Result<std::optional<std::string_view>> next() {
    ++number_;
    size_t searched = begin_;
    for (;;) {
      const size_t at = buffer_.find('\n', searched);
      if (at != std::string::npos) return take(at + 1);
      if (is_at_end_) {
        if (begin_ == buffer_.size()) return std::optional<std::string_view>();
        return take(buffer_.size());
      }
      searched = buffer_.size() - begin_;
      if (searched > kMaxDocumentBytes) return too_long(path_, number_);
      PLM_TRY_STATUS(fill());
    }
  }
  int64_t number() const { return number_; }  // of the line next() gave, from 1
  const std::string& path() const { return path_; }
  int64_t file_bytes_read() const { return stream_->file_bytes_read(); }

 private:
  static constexpr size_t kReadBytes = size_t{1} << 20;

  std::optional<std::string_view> take(size_t end) {
    const std::string_view line(buffer_.data() + begin_, end - begin_);
    begin_ = end;
    return line;
  }

  Status fill() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    const size_t size = buffer_.size();
    buffer_.resize(size + kReadBytes);
    PLM_TRY(const size_t n, stream_->read(std::span(buffer_).subspan(size)));
    buffer_.resize(size + n);
    is_at_end_ = n == 0;
    if (is_first_ && buffer_.size() >= kByteOrderMark.size()) {
      if (buffer_.starts_with(kByteOrderMark)) buffer_.erase(0, kByteOrderMark.size());
      is_first_ = false;
    }
    return {};
  }

  std::string path_;
  std::unique_ptr<ByteStream> stream_;
  std::string buffer_;
  size_t begin_ = 0;
  int64_t number_ = 0;
  bool is_at_end_ = false, is_first_ = true;
};

class TextReader : public DocumentReader {
 public:
  TextReader(Lines lines, ReaderOptions options) : lines_(std::move(lines)), options_(std::move(options)) {}
  int64_t file_bytes_read() const override { return lines_.file_bytes_read(); }

  Result<std::optional<RawDocument>> next() override {
    if (parts_.empty()) PLM_TRY_STATUS(read_document());
    if (parts_.empty()) return std::optional<RawDocument>();
    RawDocument part = std::move(parts_.front());
    parts_.pop_front();
    return std::optional(std::move(part));
  }

 private:
  bool ends_document(std::string_view line) const {
    switch (options_.format.unit) {
      case TextUnit::file:
        return !options_.format.separator.empty() && trimmed(line) == options_.format.separator;
      case TextUnit::line:
        return true;
      case TextUnit::paragraph:
        return trimmed(line).empty();
    }
    return false;
  }

  // Puts the next document that is not empty into parts_; none at the end.
  Status read_document() {
    for (;;) {
      std::string text;
      int64_t first_line = 0;
      bool is_at_end = false;
      for (;;) {
        PLM_TRY(const auto line, lines_.next());
        is_at_end = !line.has_value();
        if (is_at_end) break;
        const bool is_end = ends_document(*line);
        if (!is_end || options_.format.unit == TextUnit::line) {
          if (first_line == 0 && !trimmed(*line).empty()) first_line = lines_.number();
          text += *line;
          if (text.size() > kMaxDocumentBytes) return too_long(lines_.path(), first_line);
        }
        if (is_end) break;
      }
      if (const auto document = trimmed(text); !document.empty()) {
        cut(document, first_line);
        return {};
      }
      if (is_at_end) return {};
    }
  }

  void cut(std::string_view text, int64_t line) {
    if (options_.part_bytes == 0 || text.size() <= options_.part_bytes) {
      parts_.push_back({.bytes = std::string(text), .line = line});
      return;
    }
    const Hash128 whole = hash128(text);
    while (!text.empty()) {
      const size_t size = part_size(text);
      const std::string_view part = text.substr(0, size);
      text.remove_prefix(size);
      parts_.push_back(
          {.bytes = std::string(part), .line = line, .is_last_part = text.empty(), .whole = whole});
      line += std::count(part.begin(), part.end(), '\n');
    }
  }

  size_t part_size(std::string_view text) const {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    for (size_t at = options_.part_bytes; at + 1 < text.size(); ++at) {
      if (text[at] == ' ' && is_letter(text[at - 1]) && is_letter(text[at + 1])) return at;
    }
    return text.size();
  }

  Lines lines_;
  ReaderOptions options_;
  std::deque<RawDocument> parts_;
};

class JsonLinesReader : public DocumentReader {
 public:
  explicit JsonLinesReader(Lines lines) : lines_(std::move(lines)) {}
  int64_t file_bytes_read() const override { return lines_.file_bytes_read(); }

  Result<std::optional<RawDocument>> next() override {
    for (;;) {
      PLM_TRY(const auto line, lines_.next());
      if (!line) return std::optional<RawDocument>();
      const auto object = trimmed(*line);
      if (object.empty()) continue;
      return std::optional(
          RawDocument{.bytes = std::string(object), .is_json = true, .line = lines_.number()});
    }
  }

 private:
  Lines lines_;
};

// An array is read as a whole: this form is for small files.
class JsonArrayReader : public DocumentReader {
 public:
  JsonArrayReader(nlohmann::json array, int64_t file_bytes)
      : array_(std::move(array)), file_bytes_(file_bytes) {}
  int64_t file_bytes_read() const override { return file_bytes_; }

  Result<std::optional<RawDocument>> next() override {
    if (next_ == array_.size()) return std::optional<RawDocument>();
    const nlohmann::json& element = array_[next_++];
    return std::optional(
        RawDocument{.bytes = element.dump(), .is_json = true, .line = static_cast<int64_t>(next_)});
  }

 private:
  nlohmann::json array_;
  size_t next_ = 0;
  int64_t file_bytes_;
};

Result<std::string> read_all(ByteStream& stream, const std::string& path) {
  std::string text;
  for (;;) {
    const size_t size = text.size();
    if (size > kMaxDocumentBytes) {
      return make_error(ErrorKind::unsupported, "{}: a JSON array of more than {} MiB: write it as .jsonl",
                        path, kMaxDocumentBytes >> 20);
    }
    text.resize(size + (size_t{1} << 20));
    PLM_TRY(const size_t n, stream.read(std::span(text).subspan(size)));
    text.resize(size + n);
    if (n == 0) return text;
  }
}

Result<std::unique_ptr<DocumentReader>> open_array(const std::string& path) {
  PLM_TRY(const auto stream, open_bytes(path));
  PLM_TRY(const std::string text, read_all(*stream, path));
  try {
    auto array = nlohmann::json::parse(text);
    if (!array.is_array()) {
      return make_error(ErrorKind::bad_data, "{}: expected an array of objects", path);
    }
    return std::unique_ptr<DocumentReader>(new JsonArrayReader(std::move(array), stream->file_bytes_read()));
  } catch (const nlohmann::json::exception& error) {
    return make_error(ErrorKind::bad_data, "{}: {}", path, error.what());
  }
}

// The first byte that is no white space, 0 in an empty file.
Result<char> first_character(const std::string& path) {
  PLM_TRY(const auto stream, open_bytes(path));
  char c = 0;
  for (;;) {
    PLM_TRY(const size_t n, stream->read(std::span(&c, 1)));
    if (n == 0) return char{0};
    if (kSpace.find(c) == std::string_view::npos && kByteOrderMark.find(c) == std::string_view::npos)
      return c;
  }
}

}  // namespace

Result<std::unique_ptr<DocumentReader>> DocumentReader::open(const TextFile& file, ReaderOptions options) {
  if (file.form == FileForm::json) {
    PLM_TRY(const char first, first_character(file.path));
    if (first == '[') return open_array(file.path);
  }
  PLM_TRY(auto stream, open_bytes(file.path));
  Lines lines(std::move(stream), file.path);
  if (file.form == FileForm::text) {
    return std::unique_ptr<DocumentReader>(new TextReader(std::move(lines), std::move(options)));
  }
  return std::unique_ptr<DocumentReader>(new JsonLinesReader(std::move(lines)));
}

}  // namespace plm::train
