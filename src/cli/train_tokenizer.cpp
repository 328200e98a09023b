// plm train-tokenizer: a byte-level BPE vocabulary of one's own, as Hugging Face files.

#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/text_options.h"
#include "cli/text_progress.h"
#include "convert/tokenizer_folder.h"
#include "tokenizer/pre_tokenizer.h"
#include "train/data/bpe_trainer.h"

namespace plm::cli {

namespace {

class TrainTokenizerCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    text_.add_to(app);
    app.add_option("-o,--output", folder_, "folder for tokenizer.json and its companions")
        ->type_name("FOLDER")
        ->required();
    app.add_option("--vocab-size", bpe_.vocabulary_size, "tokens: 256 bytes, merges and special tokens")
        ->type_name("N")
        ->required();
    app.add_option("--special-tokens", bpe_.special_tokens,
                   "tokens for the model alone, with commas between them; the first ends documents")
        ->delimiter(',')
        ->type_name("TOKENS")
        ->capture_default_str();
    app.add_option("--min-frequency", bpe_.least_count, "pairs seen less often are not merged")
        ->check(within<int64_t>(1, INT64_MAX))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--pre-tokenizer", bpe_.pre_tokenizer,
                   "how text is cut into words: " + tokenizer::known_pre_tokenizers())
        ->type_name("NAME")
        ->capture_default_str();
    app.add_flag("--nfc", nfc_, "bring text into Unicode's composed form first, as Qwen2 does");
  }

  Status run() override {
    const auto pre_tokenizer = tokenizer::find_pre_tokenizer(bpe_.pre_tokenizer);
    if (!pre_tokenizer) {
      return make_error(ErrorKind::invalid_argument, "--pre-tokenizer: found \"{}\", expected one of {}",
                        bpe_.pre_tokenizer, tokenizer::known_pre_tokenizers());
    }
    PLM_TRY(const auto sources, text_.sources());
    if (nfc_) bpe_.normalizer = "NFC";
    TextProgress progress;
    train::WordCounts counts;
    int64_t text_bytes = 0;
    for (const auto& source : sources) {
      train::CountOptions options{.pre_tokenizer = *pre_tokenizer,
                                  .normalize_nfc = nfc_,
                                  .format = source.format,
                                  .bad_documents = text_.bad_documents(),
                                  .max_documents = source.max_documents,
                                  .n_threads = text_.n_threads()};
      int64_t source_bytes = 0;
      options.progress = [&](const train::PrepareProgress& now) {
        source_bytes = now.text_bytes;
        return progress.show(now);
      };
      auto counted = train::count_words(source.paths, options);
      if (!counted.ok()) return ended(counted.error(), progress);
      counts.add(*counted);
      text_bytes += source_bytes;
    }
    progress.end();
    const double count_seconds = progress.seconds();
    talk("plm: {} different words in {} ({:.1f} s)", counts.size(),
         bytes_text(static_cast<double>(text_bytes)), count_seconds);

    bpe_.progress = [](int64_t) { return !interrupted(); };
    auto data = train::train_bpe(counts, bpe_);
    if (!data.ok()) return ended(data.error(), progress);
    if (std::ssize(data->tokens) < bpe_.vocabulary_size) {
      talk("plm: only {} tokens: no other pair occurs {} times", data->tokens.size(), bpe_.least_count);
    }
    PLM_TRY_STATUS(convert::write_tokenizer_folder(folder_, *data));
    talk("plm: {} merges in {:.1f} s", data->merges.size(), progress.seconds() - count_seconds);
    return write_output(fmt::format("{}: {} tokens\n", folder_, data->tokens.size()));
  }

 private:
  static Error ended(const Error& error, TextProgress& progress) {
    progress.end();
    return error.kind == ErrorKind::cancelled ? interrupted_error() : error;
  }

  TextOptions text_;
  train::BpeOptions bpe_;
  std::string folder_;
  bool nfc_ = false;
};

}  // namespace

std::unique_ptr<Command> make_train_tokenizer_command() { return std::make_unique<TrainTokenizerCommand>(); }

}  // namespace plm::cli
