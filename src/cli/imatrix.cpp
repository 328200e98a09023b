// plm imatrix: which inputs of each matrix are large, from running the model over a text. Options are
// llama-imatrix's.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/chunk_scores.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/text_input.h"
#include "quantize/collector.h"
#include "runtime/log_probability.h"

namespace plm::cli {

namespace {

using Json = nlohmann::ordered_json;
using runtime::LogitsWanted;
using tokenizer::TokenId;

constexpr int64_t kDefaultContext = 512;

class ImatrixCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    model_.set_default_context(kDefaultContext);
    model_.add_to(app);
    text_.add_to(app, "-p,--text,--prompt", "the text");
    app.add_option("-o,--output,--output-file", out_, "file to write")
        ->capture_default_str()
        ->type_name("FILE");
    app.add_option("--output-format", format_, "gguf, or dat as older programs read it")
        ->check(CLI::IsMember({"gguf", "dat"}))
        ->capture_default_str();
    app.add_option("--in-file", in_files_, "add what earlier runs saw; may be repeated; needs no text")
        ->type_name("FILE");
    app.add_option("--chunks", max_chunks_, "run only the first N chunks; -1: all")
        ->capture_default_str()
        ->type_name("N");
    app.add_flag("--process-output", collect_.output_matrix, "also the inputs of the output matrix");
    app.add_flag("--correlations", collect_.correlations,
                 "also how inputs go together: a larger file, better codes");
    app.add_flag("--neuron-order,!--no-neuron-order", collect_.neuron_order,
                 "also which neurons fire together (default on)");
    app.add_flag("--force", force_, "write over a file that is there");
    app.add_flag("--json", json_, "print JSON");
  }

  Status run() override;

 private:
  Status collect(quantize::Importance& importance);
  Status run_chunks(runtime::Session& session, const std::vector<TokenId>& tokens, int64_t n_chunks);
  std::string report(const quantize::Importance& importance) const;

  ModelOptions model_;
  TextOption text_;
  std::string out_ = "imatrix.gguf", format_ = "gguf";
  std::vector<std::string> in_files_;
  quantize::CollectOptions collect_{.correlations = false, .neuron_order = true, .output_matrix = false};
  int64_t max_chunks_ = -1;
  bool force_ = false, json_ = false;
};

Status ImatrixCommand::run_chunks(runtime::Session& session, const std::vector<TokenId>& tokens,
                                  int64_t n_chunks) {
  const int64_t n_context = session.capacity();
  for (int64_t chunk = 0; chunk < n_chunks; ++chunk) {
    session.truncate(0);
    const std::span<const TokenId> part(tokens.data() + chunk * n_context, static_cast<size_t>(n_context));
    for (int64_t begin = 0; begin < n_context; begin += model_.batch_size()) {
      if (interrupted()) return interrupted_error();
      const int64_t n = std::min(model_.batch_size(), n_context - begin);
      // The last token's logits are asked for so that the output matrix has an input to show.
      PLM_TRY_STATUS(session.decode(part.subspan(static_cast<size_t>(begin), static_cast<size_t>(n)),
                                    LogitsWanted::last, interrupt_flag()));
    }
    talk("[{}/{}]", chunk + 1, n_chunks);
  }
  return {};
}

Status ImatrixCommand::collect(quantize::Importance& importance) {
  PLM_TRY(const std::string text, text_.read());
  PLM_TRY(const auto engine, model_.load());
  PLM_TRY(auto session, engine->new_session());
  const int64_t n_context = session.capacity();
  std::vector<TokenId> tokens = engine->tokenizer().encode(text);
  const int64_t n_all = static_cast<int64_t>(tokens.size()) / n_context;
  const int64_t n_chunks = max_chunks_ < 0 ? n_all : std::min(max_chunks_, n_all);
  if (n_chunks < 1) {
    return make_error(ErrorKind::invalid_argument,
                      "the text has {} tokens, expected at least the {} of one chunk", tokens.size(),
                      n_context);
  }
  quantize::Collector collector(engine->file(), collect_);
  session.set_trace(&collector.trace());
  PLM_TRY_STATUS(run_chunks(session, tokens, n_chunks));
  PLM_TRY(quantize::Importance seen, collector.finish());
  seen.n_chunks = static_cast<uint32_t>(n_chunks);
  seen.chunk_tokens = static_cast<uint32_t>(n_context);
  seen.datasets = {text_.name()};
  if (importance.chunk_tokens == 0) importance.chunk_tokens = seen.chunk_tokens;
  return importance.merge(seen);
}

std::string ImatrixCommand::report(const quantize::Importance& importance) const {
  if (json_) {
    return Json{{"out", out_},
                {"tensors", importance.tensors.size()},
                {"chunks", importance.n_chunks},
                {"chunk_tokens", importance.chunk_tokens},
                {"layers_with_neuron_order", importance.neuron_order.size()}}
               .dump() +
           "\n";
  }
  return fmt::format("{}: {} tensors from {} chunks of {} tokens\n", out_, importance.tensors.size(),
                     importance.n_chunks, importance.chunk_tokens);
}

Status ImatrixCommand::run() {
  std::error_code error;
  if (!force_ && std::filesystem::exists(out_, error)) {
    return make_error(ErrorKind::io, "{} is there already; --force writes over it", out_);
  }
  if (in_files_.empty() && !text_.is_given()) {
    return make_error(ErrorKind::invalid_argument, "no text: give -f FILE");
  }
  quantize::Importance importance;
  for (const std::string& path : in_files_) {
    PLM_TRY(const quantize::Importance earlier, quantize::read_importance(path));
    if (importance.chunk_tokens == 0) importance.chunk_tokens = earlier.chunk_tokens;
    const Status merged = importance.merge(earlier);
    if (!merged) return merged.error().with_context(path);
  }
  if (text_.is_given()) PLM_TRY_STATUS(collect(importance));
  const auto format =
      format_ == "dat" ? quantize::ImportanceFormat::legacy : quantize::ImportanceFormat::gguf;
  PLM_TRY_STATUS(quantize::write_importance(out_, importance, format));
  return write_output(report(importance));
}

}  // namespace

std::unique_ptr<Command> make_imatrix_command() { return std::make_unique<ImatrixCommand>(); }

}  // namespace plm::cli
