#include "train/data/prepare.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "train/data/counter_random.h"
#include "train/data/document_text.h"
#include "train/data/ordered_pipeline.h"
#include "train/data/seen_documents.h"
#include "train/data/token_shard.h"

namespace plm::train {

namespace {

constexpr size_t kPartBytes = size_t{1} << 20;  // of text that a worker takes at a time

// What a worker gets.
struct TextPart {
  size_t file = 0;
  std::vector<RawDocument> documents = {};
  bool is_prepared = false;  // by an earlier run: only hashes are needed
  int64_t file_bytes_read = 0;
};

struct TokenizedDocument {
  size_t n_tokens = 0;
  size_t text_bytes = 0;
  Hash128 hash = {};
  bool is_last_part = true;
  std::optional<Error> error = {};
};

struct TokenizedPart {
  std::vector<int32_t> tokens = {};  // of all documents
  std::vector<TokenizedDocument> documents = {};
  bool is_prepared = false;
  int64_t file_bytes_read = 0;
};

// Cuts long texts only where the tokenizer gives the same ids for the parts as for the whole.
size_t part_bytes_for(const tokenizer::Tokenizer& tokenizer) {
  return tokenizer.model() == "gpt2" ? kPartBytes : 0;
}

// The documents of all files of a source, in parts.
class SourceReader {
 public:
  SourceReader(const TextSource& source, const std::vector<TextFile>& files,
               const tokenizer::Tokenizer& tokenizer, int64_t n_prepared)
      : files_(files),
        reader_options_{.format = source.format, .part_bytes = part_bytes_for(tokenizer)},
        max_documents_(source.max_documents),
        n_prepared_(n_prepared) {}

  Result<std::optional<TextPart>> next() {
    TextPart part{.file = file_, .is_prepared = n_documents_ < n_prepared_};
    for (size_t bytes = 0; bytes < kPartBytes;) {
      if (max_documents_ > 0 && n_documents_ == max_documents_) break;
      // A part is of one file, and all prepared or all new.
      if (!part.documents.empty() && part.is_prepared != (n_documents_ < n_prepared_)) break;
      PLM_TRY(auto document, next_document());
      if (!document) {
        if (file_ == files_.size() || !part.documents.empty()) break;
        part.file = file_;
        continue;
      }
      if (document->is_last_part) ++n_documents_;
      bytes += document->bytes.size();
      part.documents.push_back(*std::move(document));
    }
    part.file_bytes_read = file_bytes_before_ + (reader_ ? reader_->file_bytes_read() : 0);
    if (part.documents.empty()) return std::optional<TextPart>();
    return std::optional(std::move(part));
  }

 private:
  // Nothing at the end of a file; file_ is then the next one.
  Result<std::optional<RawDocument>> next_document() {
    if (file_ == files_.size()) return std::optional<RawDocument>();
    if (!reader_) {
      PLM_TRY(reader_, DocumentReader::open(files_[file_], reader_options_));
    }
    PLM_TRY(auto document, reader_->next());
    if (!document) {
      reader_.reset();
      file_bytes_before_ += files_[file_].bytes;
      ++file_;
    }
    return document;
  }

  const std::vector<TextFile>& files_;
  const ReaderOptions reader_options_;
  const int64_t max_documents_, n_prepared_;
  int64_t n_documents_ = 0, file_bytes_before_ = 0;
  size_t file_ = 0;
  std::unique_ptr<DocumentReader> reader_;
};

TokenizedDocument tokenize(RawDocument raw, const TextSource& source, const std::string& path,
                           bool is_prepared, const PrepareOptions& options, std::vector<int32_t>& tokens) {
  TokenizedDocument document{.is_last_part = raw.is_last_part};
  const std::optional<Hash128> whole = raw.whole;
  const Hash128 raw_hash = hash128(raw.bytes);
  const auto text = text_of(std::move(raw), source.format.column, path);
  document.hash = whole ? *whole : text.ok() ? hash128(*text) : raw_hash;
  if (!text.ok()) {
    document.error = text.error();
    return document;
  }
  document.text_bytes = text->size();
  if (is_prepared) return document;
  const size_t before = tokens.size();
  const auto ids = options.tokenizer->encode(*text, {.add_special = false, .parse_special = false});
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  if (document.is_last_part && options.end_of_document && !ids.empty()) {
    tokens.push_back(*options.end_of_document);
  }
  document.n_tokens = tokens.size() - before;
  return document;
}

bool is_validation(Hash128 hash, const PrepareOptions& options) {
  // 53 bits are exact in a double.
  const auto draw = static_cast<double>(scramble(hash.low ^ scramble(options.split_seed)) >> 11);
  return draw < options.validation_share * static_cast<double>(uint64_t{1} << 53);
}

// Takes the documents of a source in order and writes its segments.
class SegmentWriter {
 public:
  SegmentWriter(Dataset& dataset, size_t source, SeenDocuments& seen, const PrepareOptions& options)
      : dataset_(dataset), source_(dataset.sources[source]), seen_(seen), options_(options) {
    catching_up_ = !source_.segments.empty();
    // Counted again while catching up.
    source_.duplicates = source_.bad_documents = 0;
  }

  Status take(const TokenizedPart& part) {
    std::span<const int32_t> tokens(part.tokens);
    for (const auto& document : part.documents) {
      pending_.insert(pending_.end(), tokens.begin(),
                      tokens.begin() + static_cast<std::ptrdiff_t>(document.n_tokens));
      tokens = tokens.subspan(document.n_tokens);
      pending_bytes_ += static_cast<int64_t>(document.text_bytes);
      if (document.error && !pending_error_) pending_error_ = document.error;
      if (document.is_last_part) PLM_TRY_STATUS(take_document(document.hash));
    }
    return {};
  }

  Status finish() {
    if (catching_up_) return changed();
    return segment_.documents_read > 0 ? finish_segment() : Status();
  }

  int64_t documents() const { return n_documents_; }
  int64_t tokens() const { return n_tokens_; }

 private:
  Status take_document(Hash128 hash) {
    ++segment_.documents_read;
    ++n_documents_;
    segment_bytes_ += pending_bytes_;
    digest_.add_number(hash.low);
    digest_.add_number(hash.high);
    if (pending_error_) {
      if (options_.bad_documents == PrepareOptions::BadDocuments::refuse) return *pending_error_;
      ++source_.bad_documents;
    } else if (options_.duplicates == PrepareOptions::Duplicates::drop && !seen_.insert(hash)) {
      ++source_.duplicates;
    } else if (!catching_up_) {
      PLM_TRY_STATUS(write_document(hash));
    }
    pending_.clear();
    pending_bytes_ = 0;
    pending_error_.reset();
    if (catching_up_) return check_segment();
    return segment_bytes_ >= options_.segment_bytes ? finish_segment() : Status();
  }

  Status write_document(Hash128 hash) {
    const bool validation = is_validation(hash, options_);
    auto& writer = validation ? validation_ : training_;
    DatasetPart& part = validation ? segment_.validation : segment_.training;
    if (pending_.empty()) return {};
    if (!writer) {
      part.file = fmt::format("{}/{}-{:05}.tokens", source_.name, validation ? "validation" : "training",
                              source_.segments.size());
      const auto path = std::filesystem::path(options_.folder) / part.file;
      const auto vocabulary_size = static_cast<int64_t>(options_.tokenizer->vocabulary_size());
      PLM_TRY(writer,
              TokenShardWriter::create(path.string(), vocabulary_size, options_.tokenizer_fingerprint));
    }
    ++part.n_documents;
    part.n_tokens += std::ssize(pending_);
    part.text_bytes += pending_bytes_;
    n_tokens_ += std::ssize(pending_);
    return writer->append(pending_);
  }

  Status finish_segment() {
    for (auto* writer : {&training_, &validation_}) {
      if (*writer) PLM_TRY_STATUS((*writer)->finish());
      writer->reset();
    }
    segment_.digest = digest_.hex();
    source_.segments.push_back(std::exchange(segment_, {}));
    segment_bytes_ = 0;
    digest_ = StableHash();
    return write_dataset(dataset_);
  }

  // While catching up: at the end of a segment, is it still what it was?
  Status check_segment() {
    const DatasetSegment& expected = source_.segments[n_checked_];
    if (segment_.documents_read < expected.documents_read) return {};
    if (digest_.hex() != expected.digest) return changed();
    n_tokens_ += expected.training.n_tokens + expected.validation.n_tokens;
    segment_ = {};
    segment_bytes_ = 0;
    digest_ = StableHash();
    catching_up_ = ++n_checked_ < source_.segments.size();
    return {};
  }

  Status changed() const {
    return make_error(ErrorKind::bad_data,
                      "{}: the text of {} changed since its preparation began: choose another folder",
                      options_.folder, source_.name);
  }

  Dataset& dataset_;
  DatasetSource& source_;
  SeenDocuments& seen_;
  const PrepareOptions& options_;
  bool catching_up_ = false;
  size_t n_checked_ = 0;
  DatasetSegment segment_;
  int64_t segment_bytes_ = 0;
  StableHash digest_;
  std::optional<TokenShardWriter> training_, validation_;
  std::vector<int32_t> pending_;  // of a document whose last part has not come yet
  int64_t pending_bytes_ = 0;
  std::optional<Error> pending_error_;
  int64_t n_documents_ = 0, n_tokens_ = 0;
};

Status check_options(const std::vector<TextSource>& sources, const PrepareOptions& options) {
  if (sources.empty()) return make_error(ErrorKind::invalid_argument, "no text to prepare");
  if (!(options.validation_share >= 0 && options.validation_share < 1)) {
    return make_error(ErrorKind::invalid_argument, "validation share: found {}, expected 0 to below 1",
                      options.validation_share);
  }
  std::vector<std::string> names;
  for (const auto& source : sources) {
    const auto is_allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '-' || c == '.';
    };
    if (source.name.empty() || source.name.front() == '.' ||
        !std::all_of(source.name.begin(), source.name.end(), is_allowed)) {
      return make_error(ErrorKind::invalid_argument,
                        "name of a source: found \"{}\", expected letters, digits, _ - .", source.name);
    }
    if (std::find(names.begin(), names.end(), source.name) != names.end()) {
      return make_error(ErrorKind::invalid_argument, "two sources are called {}", source.name);
    }
    names.push_back(source.name);
  }
  return {};
}

std::vector<std::pair<std::string, std::string>> settings_of(const PrepareOptions& options) {
  const bool drop = options.duplicates == PrepareOptions::Duplicates::drop;
  const bool refuse = options.bad_documents == PrepareOptions::BadDocuments::refuse;
  return {{"tokenizer", fmt::format("{:016x}{:016x}", options.tokenizer_fingerprint.high,
                                    options.tokenizer_fingerprint.low)},
          {"vocabulary_size", std::to_string(options.tokenizer->vocabulary_size())},
          {"end_of_document", options.end_of_document ? std::to_string(*options.end_of_document) : "none"},
          {"duplicates", drop ? "drop" : "keep"},
          {"bad_documents", refuse ? "refuse" : "skip"},
          {"validation_share", fmt::format("{}", options.validation_share)},
          {"split_seed", std::to_string(options.split_seed)},
          {"segment_bytes", std::to_string(options.segment_bytes)}};
}

std::string describe(const TextFormat& format) {
  constexpr std::array kUnits = {"file", "line", "paragraph"};
  return fmt::format("{} ending at \"{}\", column {}", kUnits[static_cast<size_t>(format.unit)],
                     format.separator, format.column);
}

// Refuses what `found` has otherwise than `wanted`.
Status check_same(const Dataset& found, const Dataset& wanted) {
  const auto different = [&](std::string_view what, std::string_view a, std::string_view b) {
    return make_error(ErrorKind::invalid_argument,
                      "{}: was prepared with {} {}, not {}: choose another folder, or remove this one",
                      wanted.folder, what, a, b);
  };
  std::string wanted_share;
  for (size_t i = 0; i < wanted.settings.size(); ++i) {
    const auto& [key, value] = wanted.settings[i];
    if (key == "validation_share") wanted_share = value;
    if (i >= found.settings.size() || found.settings[i].first != key) {
      return different("an unknown setting in place of", key, value);
    }
    if (key == "split_seed" && wanted_share == "0")
      continue;  // nothing is split: any seed gives these shards
    if (found.settings[i].second != value) return different(key, found.settings[i].second, value);
  }
  if (found.sources.size() != wanted.sources.size()) {
    return different("sources:", std::to_string(found.sources.size()), std::to_string(wanted.sources.size()));
  }
  for (size_t s = 0; s < wanted.sources.size(); ++s) {
    const DatasetSource &a = found.sources[s], &b = wanted.sources[s];
    if (a.name != b.name) return different("source", a.name, b.name);
    if (a.format != b.format) return different(b.name + " as", a.format, b.format);
    if (a.max_documents != b.max_documents || a.inputs != b.inputs) {
      return different(b.name + " from", "other files", "those of today");
    }
  }
  return {};
}

Status prepare_source(const TextSource& source, const std::vector<TextFile>& files, size_t index,
                      Dataset& dataset, SeenDocuments& seen, const PrepareOptions& options,
                      PrepareProgress& progress) {
  const PrepareProgress before = progress;
  int64_t n_prepared = 0;
  for (const auto& segment : dataset.sources[index].segments) n_prepared += segment.documents_read;
  SourceReader reader(source, files, *options.tokenizer, n_prepared);
  SegmentWriter writer(dataset, index, seen, options);

  const auto work = [&](TextPart part) -> Result<TokenizedPart> {
    TokenizedPart done{.is_prepared = part.is_prepared, .file_bytes_read = part.file_bytes_read};
    for (auto& raw : part.documents) {
      done.documents.push_back(
          tokenize(std::move(raw), source, files[part.file].path, part.is_prepared, options, done.tokens));
    }
    return done;
  };
  const auto take = [&](const TokenizedPart& part) -> Status {
    PLM_TRY_STATUS(writer.take(part));
    progress.documents = before.documents + writer.documents();
    progress.tokens = before.tokens + writer.tokens();
    progress.file_bytes_read = before.file_bytes_read + part.file_bytes_read;
    progress.is_catching_up = part.is_prepared;
    for (const auto& document : part.documents) {
      if (!part.is_prepared) progress.text_bytes += static_cast<int64_t>(document.text_bytes);
    }
    if (options.progress && !options.progress(progress)) {
      return make_error(ErrorKind::cancelled, "interrupted; the same command goes on where it stopped");
    }
    return {};
  };
  PLM_TRY_STATUS(OrderedPipeline<TextPart, TokenizedPart>::run(
      std::max(1, options.n_threads), [&] { return reader.next(); }, work, take));
  return writer.finish();
}

// Files that a killed run had begun: base/atomic_file.h calls them so.
void remove_leftovers(const std::filesystem::path& folder, std::error_code& error) {
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".part") leftovers.push_back(entry.path());
  }
  for (const auto& path : leftovers) std::filesystem::remove(path, error);
}

}  // namespace

Result<Dataset> prepare(const std::vector<TextSource>& sources, const PrepareOptions& options) {
  PLM_TRY_STATUS(check_options(sources, options));
  Dataset dataset{.folder = options.folder, .settings = settings_of(options), .sources = {}};
  std::vector<std::vector<TextFile>> files;
  PrepareProgress progress;
  for (const auto& source : sources) {
    PLM_TRY(auto found, find_text_files(source.paths));
    DatasetSource described{.name = source.name,
                            .format = describe(source.format),
                            .max_documents = source.max_documents,
                            .inputs = {},
                            .segments = {}};
    for (const auto& file : found) {
      described.inputs.push_back({file.path, file.bytes});
      progress.file_bytes_all += file.bytes;
    }
    dataset.sources.push_back(std::move(described));
    files.push_back(std::move(found));
  }

  auto earlier = read_dataset(options.folder);
  if (earlier.ok()) {
    PLM_TRY_STATUS(check_same(*earlier, dataset));
    // A run can be killed between its last two files; a folder that cannot be listed tells so below.
    std::error_code ignored;
    remove_leftovers(options.folder, ignored);
    if (earlier->is_complete) return earlier;
    dataset = *std::move(earlier);
  } else if (earlier.error().kind != ErrorKind::not_found) {
    return earlier.error();
  }
  for (const auto& source : sources) {
    const auto folder = std::filesystem::path(options.folder) / source.name;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (!error) remove_leftovers(options.folder, error);
    if (!error) remove_leftovers(folder, error);
    if (error)
      return make_error(ErrorKind::io, "{}: cannot make the folder: {}", folder.string(), error.message());
  }

  SeenDocuments seen;
  for (size_t s = 0; s < sources.size(); ++s) {
    PLM_TRY_STATUS(prepare_source(sources[s], files[s], s, dataset, seen, options, progress));
    if (dataset.sources[s].total(&DatasetSegment::training).n_tokens == 0) {
      return make_error(ErrorKind::bad_data, "{}: no document for training in {}", sources[s].name,
                        fmt::join(sources[s].paths, ", "));
    }
  }
  dataset.is_complete = true;
  PLM_TRY_STATUS(write_dataset(dataset));
  return dataset;
}

}  // namespace plm::train
