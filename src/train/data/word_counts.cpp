#include "train/data/word_counts.h"

#include <algorithm>

#include "tokenizer/normalizer.h"
#include "train/data/document_text.h"
#include "train/data/ordered_pipeline.h"

namespace plm::train {

namespace {

// Words cannot be counted across a cut, so these parts end where prepare's end: between words.
constexpr size_t kPartBytes = size_t{1} << 20;

struct TextPart {
  size_t file = 0;
  std::vector<RawDocument> documents = {};
  int64_t file_bytes_read = 0;
};

struct CountedPart {
  WordCounts counts = {};
  int64_t documents = 0, text_bytes = 0, file_bytes_read = 0;
};

class AllDocuments {
 public:
  AllDocuments(const std::vector<TextFile>& files, const CountOptions& options)
      : files_(files), options_(options) {}

  Result<std::optional<TextPart>> next() {
    for (; file_ < files_.size(); ++file_) {
      if (!reader_) {
        const ReaderOptions reading{.format = options_.format, .part_bytes = kPartBytes};
        PLM_TRY(reader_, DocumentReader::open(files_[file_], reading));
      }
      TextPart part{.file = file_};
      for (size_t bytes = 0; bytes < kPartBytes;) {
        if (options_.max_documents > 0 && n_documents_ == options_.max_documents) break;
        PLM_TRY(auto document, reader_->next());
        if (!document) break;
        if (document->is_last_part) ++n_documents_;
        bytes += document->bytes.size();
        part.documents.push_back(*std::move(document));
      }
      part.file_bytes_read = file_bytes_before_ + reader_->file_bytes_read();
      if (!part.documents.empty()) return std::optional(std::move(part));
      reader_.reset();
      file_bytes_before_ += files_[file_].bytes;
    }
    return std::optional<TextPart>();
  }

 private:
  const std::vector<TextFile>& files_;
  const CountOptions& options_;
  size_t file_ = 0;
  int64_t n_documents_ = 0, file_bytes_before_ = 0;
  std::unique_ptr<DocumentReader> reader_;
};

Result<CountedPart> count_part(TextPart part, const std::string& path, const CountOptions& options) {
  CountedPart counted{.file_bytes_read = part.file_bytes_read};
  for (auto& raw : part.documents) {
    const bool is_last_part = raw.is_last_part;
    auto text = text_of(std::move(raw), options.format.column, path);
    if (!text.ok()) {
      if (options.bad_documents == PrepareOptions::BadDocuments::refuse) return text.error();
      continue;
    }
    if (options.normalize_nfc && tokenizer::may_change_under_nfc(*text)) text = tokenizer::nfc(*text);
    tokenizer::WordSplitter splitter(options.pre_tokenizer, *text);
    for (auto word = splitter.next(); !word.empty(); word = splitter.next()) counted.counts.add(word);
    counted.text_bytes += std::ssize(*text);
    if (is_last_part) ++counted.documents;
  }
  return counted;
}

}  // namespace

void WordCounts::add(std::string_view word, int64_t count) {
  const auto found = counts_.find(word);
  if (found != counts_.end()) {
    found->second += count;
  } else {
    counts_.emplace(word, count);
  }
}

void WordCounts::add(const WordCounts& other) {
  for (const auto& [word, count] : other.counts_) add(word, count);
}

std::vector<WordCounts::Word> WordCounts::words(int64_t least_count) const {
  std::vector<Word> words;
  for (const auto& [word, count] : counts_) {
    if (count >= least_count) words.push_back({word, count});
  }
  std::sort(words.begin(), words.end(), [](const Word& a, const Word& b) { return a.text < b.text; });
  return words;
}

Result<WordCounts> count_words(const std::vector<std::string>& paths, const CountOptions& options) {
  PLM_TRY(const auto files, find_text_files(paths));
  PrepareProgress progress;
  for (const auto& file : files) progress.file_bytes_all += file.bytes;
  AllDocuments documents(files, options);
  WordCounts counts;
  const auto take = [&](const CountedPart& part) -> Status {
    counts.add(part.counts);
    progress.documents += part.documents;
    progress.text_bytes += part.text_bytes;
    progress.file_bytes_read = part.file_bytes_read;
    if (options.progress && !options.progress(progress)) {
      return make_error(ErrorKind::cancelled, "interrupted while counting words");
    }
    return {};
  };
  PLM_TRY_STATUS(OrderedPipeline<TextPart, CountedPart>::run(
      std::max(1, options.n_threads), [&] { return documents.next(); },
      [&](TextPart part) {
        const std::string& path = files[part.file].path;
        return count_part(std::move(part), path, options);
      },
      take));
  return counts;
}

}  // namespace plm::train
