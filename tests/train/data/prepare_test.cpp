// From text files to shards: nothing lost, nothing twice, the same however it is done, and bad input named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <set>

#include "../../gguf/temporary_folder.h"
#include "../../tokenizer/small_vocabularies.h"
#include "train/data/prepare.h"
#include "train/data/tokenizer_fingerprint.h"

namespace plm::train {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using tokenizer::Tokenizer;

constexpr int32_t kEnd = 258;

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string zstd(std::string_view text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

class Prepare : public TemporaryFolder {
 protected:
  void SetUp() override {
    TemporaryFolder::SetUp();
    auto data = tokenizer::byte_level_vocabulary({"t h", "th e"});
    EXPECT_EQ(add_token(data, "<|endoftext|>", tokenizer::kControl), kEnd);
    fingerprint_ = tokenizer_fingerprint(data);
    tokenizer_.emplace(*Tokenizer::create(std::move(data)));
  }

  PrepareOptions options(std::string_view folder = "out") const {
    PrepareOptions options;
    options.folder = path(folder);
    options.tokenizer = &*tokenizer_;
    options.tokenizer_fingerprint = fingerprint_;
    options.end_of_document = kEnd;
    return options;
  }
  static TextSource source(std::vector<std::string> paths, TextFormat format = {}) {
    return {.name = "text", .paths = std::move(paths), .format = std::move(format)};
  }

  // The texts of all documents of a part of a dataset.
  std::vector<std::string> texts(const Dataset& dataset, DatasetSplit split = DatasetSplit::training) const {
    std::vector<std::string> texts;
    const auto streams = open_streams(dataset, split);
    EXPECT_TRUE(streams.ok()) << (streams.ok() ? "" : streams.error().message);
    for (const auto& [name, stream] : *streams) {
      if (stream->n_tokens() == 0) continue;
      std::vector<int64_t> wide(static_cast<size_t>(stream->n_tokens()));
      EXPECT_TRUE(stream->read(0, wide).ok());
      const std::vector<int32_t> tokens(wide.begin(), wide.end());
      auto starts = stream->document_starts(0, stream->n_tokens());
      starts.insert(starts.begin(), 0);
      starts.push_back(stream->n_tokens());
      for (size_t i = 0; i + 1 < starts.size(); ++i) {
        const auto begin = static_cast<size_t>(starts[i]), end = static_cast<size_t>(starts[i + 1]);
        EXPECT_EQ(tokens[end - 1], kEnd);
        texts.push_back(tokenizer_->decode(std::span(tokens).subspan(begin, end - begin - 1)));
      }
    }
    return texts;
  }
  Dataset prepared(const TextSource& source, const PrepareOptions& options) const {
    auto dataset = prepare({source}, options);
    EXPECT_TRUE(dataset.ok()) << (dataset.ok() ? "" : dataset.error().message);
    return dataset.ok() ? *std::move(dataset) : Dataset{};
  }
  std::vector<std::string> texts_of(const TextSource& source) {
    std::filesystem::remove_all(path("out"));
    return texts(prepared(source, options()));
  }
  std::string error_of(const TextSource& source) {
    std::filesystem::remove_all(path("out"));
    const auto dataset = prepare({source}, options());
    EXPECT_FALSE(std::filesystem::exists(path("out/dataset.json")));
    return dataset.ok() ? "no error" : dataset.error().message;
  }
  // All files of a prepared folder by name.
  std::map<std::string, std::string> files(std::string_view folder) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path(folder))) {
      if (entry.is_regular_file()) files[entry.path().filename().string()] = read(entry.path().string());
    }
    return files;
  }
  // A corpus of some documents, a few of them equal.
  TextSource many_documents(int n = 400) const {
    std::string lines, text;
    for (int i = 0; i < n; ++i) {
      const int line = i % (n - 20);
      lines += fmt::format("{{\"text\": \"{}the line {}\"}}\n",
                           std::string(static_cast<size_t>(line % 50), 'x'), line);
      text += fmt::format("the story {}\n\nends\n<|endoftext|>\n", i);
    }
    write("a.jsonl", lines);
    write("b.txt", text);
    return source({path("a.jsonl"), path("b.txt")});
  }

  std::optional<Tokenizer> tokenizer_;
  Hash128 fingerprint_;
};

TEST_F(Prepare, TakesAFileAsOneDocumentOrCutsItAtTheSeparator) {
  EXPECT_THAT(texts_of(source({write("a.txt", "\n the\n\nend \n")})), ElementsAre("the\n\nend"));
  EXPECT_THAT(
      texts_of(source({write("a.txt", "\xef\xbb\xbfone\n<|endoftext|>\n\n<|endoftext|>\r\ntwo\nlines")})),
      ElementsAre("one", "two\nlines"));
  EXPECT_THAT(texts_of(source({path("a.txt")}, {.separator = "two"})),
              ElementsAre("one\n<|endoftext|>\n\n<|endoftext|>", "lines"));
}

TEST_F(Prepare, ReadsLinesAndParagraphs) {
  const auto file = write("a.txt", "one\r\n\ntwo\n  \nthree\nfour");
  EXPECT_THAT(texts_of(source({file}, {.unit = TextUnit::line})), ElementsAre("one", "two", "three", "four"));
  EXPECT_THAT(texts_of(source({file}, {.unit = TextUnit::paragraph})),
              ElementsAre("one", "two", "three\nfour"));
}

TEST_F(Prepare, ReadsJsonLinesAndArrays) {
  write("a.jsonl", "{\"text\": \"one\", \"n\": 1}\n\n  {\"text\":\"tw\\u00f6\"}");
  write("b.json", " [{\"text\": \"three\"}, {\"text\": \"four\"}]");
  write("c.json", "{\"text\": \"five\"}\n");
  EXPECT_THAT(texts_of(source({folder_.string()})), ElementsAre("one", "tw\u00f6", "three", "four", "five"));
  write("d.jsonl", "{\"content\": \"six\"}");
  EXPECT_THAT(texts_of(source({path("d.jsonl")}, {.column = "content"})), ElementsAre("six"));
}

TEST_F(Prepare, UnpacksGzipAndZstdInSeveralMembers) {
  const std::string long_text(300'000, 'y');
  write("a.txt.gz", gzip("one<") + gzip(">two " + long_text));
  write("b.jsonl.zst", zstd("{\"text\":\"three\"}\n{\"te") + zstd("xt\":\"four\"}\n"));
  EXPECT_THAT(texts_of(source({folder_.string()})), ElementsAre("one<>two " + long_text, "three", "four"));
}

TEST_F(Prepare, TakesFoldersByNameWithoutHiddenFiles) {
  std::filesystem::create_directories(folder_ / "in" / "sub");
  std::filesystem::create_directories(folder_ / "in" / ".git");
  write("in/b.txt", "two");
  write("in/a.md", "one");
  write("in/sub/c.txt", "three");
  write("in/.hidden.txt", "hidden");
  write("in/.git/d.txt", "hidden");
  write("in/picture.png", "hidden");
  EXPECT_THAT(texts_of(source({path("in")})), ElementsAre("one", "two", "three"));
}

TEST_F(Prepare, GivesTheSameFilesForAnyNumberOfThreads) {
  const auto many = many_documents();
  auto one = options("one"), four = options("four");
  one.validation_share = four.validation_share = 0.2;
  four.n_threads = 4;
  const Dataset dataset = prepared(many, one);
  prepared(many, four);
  EXPECT_EQ(files("one"), files("four"));
  EXPECT_EQ(texts(dataset).size() + texts(dataset, DatasetSplit::validation).size(), 780u);
  EXPECT_EQ(dataset.sources[0].duplicates, 20);
}

TEST_F(Prepare, CutsLongTextsWithoutChangingTheirTokens) {
  std::string text;
  while (text.size() < 3'500'000)
    text += "the quick thing 12 aa, bb!\n\n  Then there  was\tthe other; it's\n";
  const auto file = write("long.txt", text);
  auto parallel = options();
  parallel.n_threads = 3;
  const Dataset dataset = prepared(source({file}), parallel);
  ASSERT_EQ(dataset.sources[0].segments[0].training.n_documents, 1);
  const auto streams = open_streams(dataset, DatasetSplit::training);
  ASSERT_TRUE(streams.ok());
  std::vector<int64_t> tokens(static_cast<size_t>((*streams)[0].tokens->n_tokens()));
  ASSERT_TRUE((*streams)[0].tokens->read(0, tokens).ok());
  text.pop_back();
  auto expected = tokenizer_->encode(text, {.add_special = false});
  expected.push_back(kEnd);
  EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), expected.begin(), expected.end()));
}

TEST_F(Prepare, LeavesOutDuplicatesUnlessAsked) {
  const auto file = write("a.txt", "one\none\ntwo\n one \n");
  const TextSource lines = source({file}, {.unit = TextUnit::line});
  EXPECT_THAT(texts_of(lines), ElementsAre("one", "two"));
  auto keep = options("keep");
  keep.duplicates = PrepareOptions::Duplicates::keep;
  EXPECT_THAT(texts(prepared(lines, keep)), ElementsAre("one", "one", "two", "one"));
  // Over sources too: the first has it.
  const auto both =
      prepare({{.name = "a", .paths = {file}, .format = {.unit = TextUnit::line}},
               {.name = "b", .paths = {write("b.txt", "two\nthree")}, .format = {.unit = TextUnit::line}}},
              options("both"));
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(both->sources[1].duplicates, 1);
}

TEST_F(Prepare, DividesByTextSoThatADocumentNeverChangesSides) {
  auto split = options();
  split.validation_share = 0.3;
  const Dataset dataset = prepared(many_documents(1000), split);
  const auto training = texts(dataset), validation = texts(dataset, DatasetSplit::validation);
  const double share =
      static_cast<double>(validation.size()) / static_cast<double>(training.size() + validation.size());
  EXPECT_NEAR(share, 0.3, 0.05);
  // The same text in another order, among others, and from another kind of file.
  std::string lines;
  for (const auto& text : validation) {
    if (text.find('\n') == std::string::npos) lines.insert(0, text).insert(text.size(), "\n");
  }
  auto again = options("again");
  again.validation_share = 0.3;
  const Dataset other =
      prepared(source({write("c.txt", lines + "something new\n")}, {.unit = TextUnit::line}), again);
  EXPECT_THAT(texts(other), ElementsAre("something new"));
}

TEST_F(Prepare, GoesOnWhereItWasInterrupted) {
  const auto many = many_documents();
  auto whole = options("whole"), broken = options("broken");
  whole.segment_bytes = broken.segment_bytes = 5000;
  whole.validation_share = broken.validation_share = 0.2;
  prepared(many, whole);
  for (size_t segments = 1;; ++segments) {
    // Ends each time after one more segment, and after a few parts in any case.
    broken.progress = [&](const PrepareProgress&) {
      const auto so_far = read_dataset(broken.folder);
      return !so_far.ok() || so_far->sources[0].segments.size() < segments;
    };
    const auto dataset = prepare({many}, broken);
    if (dataset.ok()) break;
    ASSERT_EQ(dataset.error().kind, ErrorKind::cancelled) << dataset.error().message;
    ASSERT_FALSE(open_streams(*read_dataset(broken.folder), DatasetSplit::training).ok());
    write("broken/text/training-00001.tokens.1.part", "left by a killed run");
    ASSERT_LT(segments, 100u);
  }
  EXPECT_EQ(files("whole"), files("broken"));
  // Killed after the last word was written once more.
  write("broken/dataset.json.1.part", "left by a killed run");
  broken.progress = {};
  prepared(many, broken);
  EXPECT_EQ(files("whole"), files("broken"));
}

TEST_F(Prepare, UsesWhatIsThereAndRefusesWhatDiffers) {
  const auto file = write("a.txt", "one");
  prepared(source({file}), options());
  auto untouched = options();
  untouched.progress = [](const PrepareProgress&) {
    ADD_FAILURE() << "worked again";
    return true;
  };
  prepared(source({file}), untouched);
  untouched.split_seed = 5;  // nothing is split, so nothing depends on it
  prepared(source({file}), untouched);
  const auto refusal = [&](const TextSource& text, const PrepareOptions& changed) {
    const auto dataset = prepare({text}, changed);
    return dataset.ok() ? "no error" : dataset.error().message;
  };
  auto changed = options();
  changed.validation_share = 0.5;
  EXPECT_THAT(refusal(source({file}), changed), HasSubstr("was prepared with validation_share 0, not 0.5"));
  changed = options();
  changed.tokenizer_fingerprint = {7, 7};
  EXPECT_THAT(refusal(source({file}), changed), HasSubstr("was prepared with tokenizer "));
  EXPECT_THAT(refusal(source({file}, {.unit = TextUnit::line}), options()), HasSubstr("text as file ending"));
  write("a.txt", "other");
  EXPECT_THAT(refusal(source({file}), options()), HasSubstr("text from other files"));
}

TEST_F(Prepare, NoticesTextThatChangedWhileItWasInterrupted) {
  const auto many = many_documents();
  auto broken = options();
  broken.segment_bytes = 3000;
  broken.progress = [&](const PrepareProgress&) { return !read_dataset(broken.folder).ok(); };
  ASSERT_FALSE(prepare({many}, broken).ok());
  std::string text = read(path("a.jsonl"));
  text[text.find("line 0") + 5] = '7';
  write("a.jsonl", text);
  broken.progress = nullptr;
  const auto dataset = prepare({many}, broken);
  ASSERT_FALSE(dataset.ok());
  EXPECT_THAT(dataset.error().message, HasSubstr("the text of text changed since its preparation began"));
}

TEST_F(Prepare, NamesFileAndLineOfBadInput) {
  const auto is = [&](std::string_view name, std::string_view bytes) {
    return error_of(source({write(name, bytes)}));
  };
  EXPECT_THAT(is("a.jsonl", "{\"text\":\"x\"}\n\n{\"text\": oops}\n"), HasSubstr("a.jsonl:3: bad JSON: "));
  EXPECT_THAT(is("a.jsonl", "{\"text\":\"x\"}\n{\"txt\":\"x\"}\n"), EndsWith("a.jsonl:2: no field \"text\""));
  EXPECT_THAT(is("a.jsonl", "{\"text\":[]}"),
              EndsWith("a.jsonl:1: field \"text\": found array, expected a string"));
  EXPECT_THAT(is("a.jsonl", "17\n"), EndsWith("a.jsonl:1: found number, expected a JSON object"));
  EXPECT_THAT(is("a.jsonl", "{\"text\":\"\xff\"}"), HasSubstr("a.jsonl:1: bad JSON: "));
  EXPECT_THAT(is("a.txt", "one\n\ntwo \xc3\x28"), EndsWith("a.txt:3: not UTF-8 (byte 0xC3)"));
  EXPECT_THAT(is("b.json", "[{\"text\":\"x\"}, 3"), HasSubstr("b.json: "));
  EXPECT_THAT(is("a.txt.gz", gzip(std::string(100'000, 'x') + "abc").substr(0, 60)),
              EndsWith("a.txt.gz: ends in the middle of its compressed data"));
  EXPECT_THAT(is("a.txt.zst", zstd("some text that is cut").substr(0, 20)),
              EndsWith("a.txt.zst: ends in the middle of its compressed data"));
  std::string damaged = gzip("some text to be damaged");
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);
  EXPECT_THAT(is("a.txt.gz", damaged), HasSubstr("a.txt.gz: damaged compressed data: "));
  EXPECT_THAT(is("a.txt", ""), HasSubstr("no document for training"));
  EXPECT_THAT(error_of(source({path("missing.txt")})), EndsWith("missing.txt: no such file or folder"));
  std::filesystem::create_directories(folder_ / "empty");
  EXPECT_THAT(error_of(source({path("empty")})), HasSubstr("empty: no .txt"));
}

TEST_F(Prepare, LeavesBadDocumentsOutWhenAsked) {
  write("a.jsonl", "{\"text\":\"one\"}\noops\n{\"text\":\"two\"}\n");
  write("b.txt", "three\n<|endoftext|>\n\xff\n<|endoftext|>\nfour");
  auto skip = options();
  skip.bad_documents = PrepareOptions::BadDocuments::skip;
  const Dataset dataset = prepared(source({path("a.jsonl"), path("b.txt")}), skip);
  EXPECT_THAT(texts(dataset), ElementsAre("one", "two", "three", "four"));
  EXPECT_EQ(dataset.sources[0].bad_documents, 2);
}

TEST_F(Prepare, RefusesNamesThatWouldLeaveTheFolder) {
  const auto file = write("a.txt", "one");
  for (const char* name : {"", "..", "a/b", ".x"}) {
    EXPECT_FALSE(prepare({{.name = name, .paths = {file}}}, options()).ok()) << name;
  }
  EXPECT_FALSE(prepare({source({file}), source({file})}, options()).ok());
}

TEST_F(Prepare, TakesSpecialTokensInTextAsPlainText) {
  EXPECT_THAT(texts_of(source({write("a.txt", "a <|endoftext|> b")})), ElementsAre("a <|endoftext|> b"));
}

TEST_F(Prepare, NamesAShardThatIsMissingOrDamaged) {
  const Dataset dataset = prepared(source({write("a.txt", "some text")}), options());
  const std::string shard = path("out/text/training-00000.tokens");
  std::string bytes = read(shard);
  ASSERT_TRUE(verify_shards(dataset).ok());
  bytes[130] = static_cast<char>(bytes[130] ^ 1);
  write("out/text/training-00000.tokens", bytes);
  const auto status = verify_shards(dataset);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("training-00000.tokens: block 0"));
  std::filesystem::remove(shard);
  EXPECT_THAT(open_streams(dataset, DatasetSplit::training).error().message,
              HasSubstr("training-00000.tokens"));
}

}  // namespace
}  // namespace plm::train
