// plm inspect: what a GGUF file holds, for people and as JSON. Works on any architecture and on files of a
// vocabulary alone. With a text also what the model uses of itself; with --diff how two files differ.

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "cli/commands.h"
#include "cli/inspect_activations.h"
#include "cli/inspect_difference.h"
#include "cli/inspect_report.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/text_input.h"
#include "gguf/gguf_file.h"

namespace plm::cli {

namespace {

constexpr int64_t kDefaultContext = 512;
constexpr int kFilesDiffer = 1;
constexpr const char* kDefaultKeep = "90,80,70,60,50,40,30,20,15,10,5";

class InspectCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    model_.set_default_context(kDefaultContext);
    model_.add_to(app, "-m,--model,file");
    app.add_flag("--json", json_, "print JSON");
    app.add_flag("--all", report_.all_items, "print long arrays and texts in full");
    app.add_flag("--no-tensors", report_.no_tensors, "leave the list of tensors out");
    zero_share_ =
        app.add_option("--zero-share", report_.zero_share,
                       "share of zeros in the squared ReLUs, for the activated parameters; measured "
                       "with --text")
            ->check(within(0.0, 1.0))
            ->capture_default_str();
    app.add_option("--text", text_, "run the model over this text and say which neurons fire; - is stdin")
        ->type_name("FILE");
    app.add_option("--chunks", max_chunks_, "with --text: only the first N chunks; -1: all")
        ->capture_default_str()
        ->type_name("N");
    app.add_flag("--sweep", sweep_,
                 "with --text: perplexity when small squared ReLUs are dropped too; the same as --keep " +
                     std::string(kDefaultKeep));
    app.add_option(
           "--keep", keep_,
           "with --text: perplexity when the largest P percent of what is not zero are kept, by layer")
        ->type_name("P[,P..]");
    app.add_option("--thresholds", thresholds_,
                   "with --text: perplexity when only squared ReLUs above X are kept, in all layers")
        ->type_name("X[,X..]");
    app.add_option("--plot", plot_, "draw perplexity over activated parameters (SVG; never over a file)")
        ->type_name("OUT.svg");
    app.add_option("--diff", difference_, "compare two files: metadata, tensors, numbers")
        ->expected(2)
        ->type_name("A B");
  }

  Status run() override {
    if (!difference_.empty()) return run_difference();
    if (!text_.empty()) return run_text();
    if (sweep_ || !keep_.empty() || !thresholds_.empty() || !plot_.empty()) {
      return make_error(ErrorKind::invalid_argument,
                        "--sweep, --keep, --thresholds and --plot need a text: give --text FILE");
    }
    PLM_TRY(const std::string path, model_.find());
    PLM_TRY(const auto file, gguf::File::open(path));
    PLM_TRY(const inspect::ModelSummary summary, inspect::summarize(file));
    return write_output(json_ ? dump(file_json(file, summary, report_)) : file_text(file, summary, report_));
  }

  int exit_code() const override { return differ_ ? kFilesDiffer : 0; }

 private:
  Status run_difference();
  Status run_text();
  Result<std::vector<DropRule>> rules() const;

  ModelOptions model_;
  ReportOptions report_;
  CLI::Option* zero_share_ = nullptr;
  std::string text_, keep_, thresholds_, plot_;
  std::vector<std::string> difference_;
  int64_t max_chunks_ = -1;
  bool json_ = false, sweep_ = false, differ_ = false;
};

// What goes wrong here is trouble, as diff calls it: the kind that exits with 2, since 1 is an answer.
Error trouble(Error error) {
  if (error.kind != ErrorKind::cancelled) error.kind = ErrorKind::invalid_argument;
  return error;
}

Status InspectCommand::run_difference() {
  if (difference_.size() != 2) {
    return make_error(ErrorKind::invalid_argument, "--diff: found {} files, expected two: --diff A B",
                      difference_.size());
  }
  const auto a = gguf::File::open(difference_[0]), b = gguf::File::open(difference_[1]);
  if (!a.ok()) return trouble(a.error());
  if (!b.ok()) return trouble(b.error());
  const auto difference = inspect::compare_files(*a, *b, interrupt_flag());
  if (!difference.ok()) return trouble(difference.error());
  differ_ = !difference->is_equal();
  const Status written =
      write_output(json_ ? dump(difference_json(*a, *b, *difference)) : difference_text(*a, *b, *difference));
  if (!written.ok()) return trouble(written.error());
  return {};
}

Result<std::vector<DropRule>> InspectCommand::rules() const {
  std::vector<DropRule> rules;
  const bool wants_default = keep_.empty() && (sweep_ || (!plot_.empty() && thresholds_.empty()));
  if (const std::string keep = wants_default ? kDefaultKeep : keep_; !keep.empty()) {
    PLM_TRY(const auto values, read_numbers("--keep", keep, 100));
    for (const double value : values) rules.push_back({.kind = DropRule::Kind::keep, .value = value});
  }
  if (!thresholds_.empty()) {
    PLM_TRY(const auto values,
            read_numbers("--thresholds", thresholds_, double{std::numeric_limits<float>::max()}));
    for (const double value : values) rules.push_back({.kind = DropRule::Kind::threshold, .value = value});
  }
  return rules;
}

Status InspectCommand::run_text() {
  PLM_TRY(const auto drop_rules, rules());
  std::error_code error;
  if (!plot_.empty() && std::filesystem::exists(plot_, error)) {
    return make_error(ErrorKind::io, "{} is there already", plot_);
  }
  PLM_TRY(const std::string text, read_input(text_));
  PLM_TRY(const auto engine, model_.load());
  PLM_TRY(const inspect::ModelSummary summary, inspect::summarize(engine->file()));
  PLM_TRY(const ActivationReport activations, measure_activations(*engine, text,
                                                                  {.text_name = text_,
                                                                   .max_chunks = max_chunks_,
                                                                   .batch_size = model_.batch_size(),
                                                                   .rules = drop_rules}));
  if (zero_share_->count() == 0) report_.zero_share = activations.zero_rate();
  if (!plot_.empty()) {
    PLM_TRY(AtomicFile file, AtomicFile::create(plot_));
    PLM_TRY_STATUS(file.write(sweep_plot(activations, summary).to_svg()));
    PLM_TRY_STATUS(file.commit());
  }
  if (json_) {
    Json json = file_json(engine->file(), summary, report_);
    json["activations"] = activations_json(activations, summary);
    return write_output(dump(json));
  }
  return write_output(title_text(engine->file()) + "\n" + sizes_text(summary, report_.zero_share) +
                      activations_text(activations, summary));
}

}  // namespace

std::unique_ptr<Command> make_inspect_command() { return std::make_unique<InspectCommand>(); }

}  // namespace plm::cli
