// plm prepare: text to the token shards that plm-train reads.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/text_options.h"
#include "cli/text_progress.h"
#include "cli/tokenizer_source.h"
#include "train/data/prepare.h"
#include "train/data/tokenizer_fingerprint.h"

namespace plm::cli {

namespace {

using Json = nlohmann::ordered_json;
using train::Dataset;
using train::DatasetPart;
using train::DatasetSegment;

Json to_json(const DatasetPart& part) {
  return {{"documents", part.n_documents}, {"tokens", part.n_tokens}, {"text_bytes", part.text_bytes}};
}

std::string to_text(const DatasetPart& part) {
  const double bytes = static_cast<double>(part.text_bytes);
  return fmt::format("{} documents, {} tokens, {} ({:.2f} bytes a token)", part.n_documents, part.n_tokens,
                     bytes_text(bytes), bytes / static_cast<double>(std::max<int64_t>(1, part.n_tokens)));
}

class PrepareCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    text_.add_to(app);
    app.add_option("-o,--output", options_.folder, "folder for the shards and dataset.json")
        ->type_name("FOLDER")
        ->required();
    app.add_option("--tokenizer,-m,--model", tokenizer_,
                   "folder with tokenizer.json, or GGUF file (default: the bundled model's)")
        ->type_name("PATH");
    app.add_option("--val-size", options_.validation_share,
                   "share of the documents kept for validation, 0 to below 1; the same ones in every run")
        ->type_name("SHARE");
    app.add_option("--seed", options_.split_seed, "another seed keeps other documents")->type_name("N");
    app.add_flag("--keep-duplicates", keep_duplicates_,
                 "keep documents of equal text; otherwise the first one");
    app.add_option("--shard-mib", shard_mib_, "text in a shard, and what an interruption can cost")
        ->check(within<int64_t>(1, 1 << 20))
        ->type_name("MIB")
        ->capture_default_str();
    app.add_flag("--verify", verify_, "check every token of the shards in the end");
    app.add_flag("--json", json_, "print the counts as a line of JSON");
  }

  Status run() override {
    PLM_TRY(const auto sources, text_.sources());
    PLM_TRY(auto vocabulary, read_tokenizer(tokenizer_));
    options_.tokenizer_fingerprint = train::tokenizer_fingerprint(vocabulary);
    PLM_TRY(const auto tokenizer, tokenizer::Tokenizer::create(std::move(vocabulary)));
    options_.tokenizer = &tokenizer;
    options_.end_of_document = tokenizer.eos();
    if (keep_duplicates_) options_.duplicates = train::PrepareOptions::Duplicates::keep;
    options_.bad_documents = text_.bad_documents();
    options_.n_threads = text_.n_threads();
    options_.segment_bytes = shard_mib_ << 20;
    int64_t text_bytes = 0;
    TextProgress progress;
    options_.progress = [&](const train::PrepareProgress& now) {
      text_bytes = now.text_bytes;
      return progress.show(now);
    };
    auto dataset = train::prepare(sources, options_);
    progress.end();
    if (!dataset.ok()) {
      if (dataset.error().kind != ErrorKind::cancelled) return dataset.error();
      talk("plm: {}", dataset.error().message);
      return interrupted_error();
    }
    if (verify_) PLM_TRY_STATUS(train::verify_shards(*dataset));
    if (text_bytes > 0) {
      talk("plm: {} in {:.1f} s, {}/s on {} threads", bytes_text(static_cast<double>(text_bytes)),
           progress.seconds(), bytes_text(static_cast<double>(text_bytes) / progress.seconds()),
           options_.n_threads);
    } else {
      talk("plm: prepared by an earlier run");
    }
    return json_ ? write_json(*dataset) : write_text(*dataset);
  }

 private:
  static Status write_json(const Dataset& dataset) {
    Json json{{"folder", dataset.folder}, {"sources", Json::array()}};
    for (const auto& source : dataset.sources) {
      json["sources"].push_back({{"name", source.name},
                                 {"training", to_json(source.total(&DatasetSegment::training))},
                                 {"validation", to_json(source.total(&DatasetSegment::validation))},
                                 {"duplicates", source.duplicates},
                                 {"bad_documents", source.bad_documents}});
    }
    return write_output(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }

  static Status write_text(const Dataset& dataset) {
    std::string text;
    for (const auto& source : dataset.sources) {
      text +=
          fmt::format("{}: training: {}\n", source.name, to_text(source.total(&DatasetSegment::training)));
      const auto validation = source.total(&DatasetSegment::validation);
      if (validation.n_documents > 0) {
        text += fmt::format("{}: validation: {}\n", source.name, to_text(validation));
      }
      if (source.duplicates + source.bad_documents > 0) {
        text += fmt::format("{}: left out: {} duplicates, {} bad documents\n", source.name, source.duplicates,
                            source.bad_documents);
      }
    }
    return write_output(text);
  }

  TextOptions text_;
  train::PrepareOptions options_;
  std::string tokenizer_;
  int64_t shard_mib_ = 1024;
  bool keep_duplicates_ = false, verify_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_prepare_command() { return std::make_unique<PrepareCommand>(); }

}  // namespace plm::cli
