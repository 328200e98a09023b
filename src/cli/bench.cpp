// plm bench: tokens a second of a model on this machine, in llama-bench's columns, and what the machine
// could do at best.

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/atomic_file.h"
#include "base/clock.h"
#include "base/cpu_features.h"
#include "bench/against.h"
#include "bench/curve.h"
#include "bench/machine.h"
#include "bench/speed.h"
#include "bench/table.h"
#include "cli/bench_tests.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/text_input.h"
#include "inspect/model_summary.h"

namespace plm::cli {

namespace {

Result<bench::TableFormat> read_format(const std::string& name) {
  if (name == "md") return bench::TableFormat::markdown;
  if (name == "csv") return bench::TableFormat::csv;
  if (name == "json") return bench::TableFormat::json;
  if (name == "jsonl") return bench::TableFormat::jsonl;
  return make_error(ErrorKind::invalid_argument, "-o {}: expected md, csv, json or jsonl", name);
}

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// A loaded engine and how long it took until its first token, the file being in the page cache.
struct StartedEngine {
  std::unique_ptr<runtime::Engine> engine;
  double seconds_to_first_token = 0;
};

class BenchCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    model_.add_to(app);
    threads_ = app.get_option("--threads");
    tests_.add_to(app);
    app.add_option("-r,--repetitions", repetitions_, "runs of each test")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str()
        ->type_name("N");
    app.add_option(
           "-f,--file", text_,
           "read this text, not numbers drawn from the whole vocabulary: for the zeros of a trained model")
        ->type_name("FILE");
    app.add_option("--against", against_,
                   "llama.cpp: run it too, in turns, and print both with the ratio (needs llama-cpp-python)")
        ->check(CLI::IsMember({"llama.cpp"}))
        ->type_name("PEER");
    app.add_flag("--machine", machine_,
                 "no model: how fast this machine reads memory and multiplies, by number of threads");
    app.add_option("--plot", plot_, "also draw the results over what --plot-x names (SVG; never over a file)")
        ->type_name("OUT.svg");
    app.add_option("--plot-x", plot_axis_, "depth, zeros or batch")
        ->check(CLI::IsMember({"depth", "zeros", "batch"}))
        ->capture_default_str()
        ->type_name("AXIS");
    app.add_option("--from", rows_, "no model: draw the rows of earlier runs (-o jsonl, put together)")
        ->type_name("FILE");
    app.add_option("-o,--output", format_, "md, csv, json or jsonl")
        ->capture_default_str()
        ->type_name("FORMAT");
    app.add_flag("--json", json_, "the same as -o json");
  }

  Status run() override {
    PLM_TRY(const auto format, read_format(json_ ? "json" : format_));
    if (machine_) return show_machine(format);
    std::error_code error;
    if (!plot_.empty() && std::filesystem::exists(plot_, error)) {
      return make_error(ErrorKind::io, "{} is there already", plot_);
    }
    if (!rows_.empty()) {
      if (plot_.empty()) return make_error(ErrorKind::invalid_argument, "--from {}: needs --plot", rows_);
      PLM_TRY(const std::string rows, read_input(rows_));
      return draw(rows, rows_);
    }
    PLM_TRY(const auto tests, tests_.read());
    if (!text_.empty() && !against_.empty()) {
      return make_error(ErrorKind::invalid_argument, "-f {}: {} is not given texts; leave out --against",
                        text_, against_);
    }
    if (!model_.lora().empty() && !against_.empty()) {
      return make_error(ErrorKind::invalid_argument, "--lora: {} is not given adapters; leave out --against",
                        against_);
    }
    // Before the model, so that the memory it reads is there throughout and can be taken off the peak.
    PLM_TRY(const kernels::Kernels kernels, kernels::select_kernels());
    PLM_TRY(const auto probe, bench::MachineProbe::create(kernels.isa));
    PLM_TRY(const StartedEngine started, start());
    runtime::Engine& engine = *started.engine;
    PLM_TRY(auto ours, bench::EngineRunner::create(engine, tests));
    if (!text_.empty()) PLM_TRY_STATUS(read_text(engine, ours));
    std::unique_ptr<bench::LlamaCppRunner> theirs;
    if (!against_.empty()) {
      PLM_TRY(theirs, start_peer(engine, tests));
    }
    PLM_TRY(const auto results, bench::measure_speed({.ours = ours,
                                                      .theirs = theirs.get(),
                                                      .probe = probe,
                                                      .n_repetitions = repetitions_,
                                                      .progress = show_progress},
                                                     tests));
    bench::Contestants contestants;
    PLM_TRY(contestants.ours, describe(engine));
    contestants.ours.seconds_to_first_token = started.seconds_to_first_token;
    contestants.ours.peak_resident_bytes = static_cast<int64_t>(peak_resident_bytes() - probe.memory_bytes());
    if (theirs != nullptr) {
      PLM_TRY(contestants.theirs, describe_peer(contestants.ours, engine, *theirs));
    }
    PLM_TRY_STATUS(write_output(bench::render(contestants, results, format)));
    if (plot_.empty()) return {};
    return draw(bench::render(contestants, results, bench::TableFormat::jsonl), "results");
  }

 private:
  static void show_progress(const bench::SpeedProgress& p) {
    const std::string fills = p.test.depth > 0 ? fmt::format(", filling the cache to {}", p.test.depth) : "";
    talk("plm bench: {}: {}", p.test.name(),
         p.repetition < 0 ? "warm-up" + fills
                          : fmt::format("run {} of {}", p.repetition + 1, p.n_repetitions));
  }

  // The plot to its file; what its lines say in numbers to stderr.
  Status draw(const std::string& rows, const std::string& source) const {
    const auto axis = plot_axis_ == "depth"   ? bench::CurveAxis::depth
                      : plot_axis_ == "zeros" ? bench::CurveAxis::zero_rate
                                              : bench::CurveAxis::sequences;
    PLM_TRY(plot::LinePlot plot, bench::read_curve(rows, source, axis));
    for (plot::PlotSeries& series : plot.series) {
      if (axis != bench::CurveAxis::depth) continue;
      const bench::StraightLine line = bench::fit_line(series);
      series.name +=
          fmt::format(": {:.2f} ms + {:.2f} ms for each 1,000 tokens", line.intercept, 1000 * line.slope);
      talk("plm bench: {} (within {:.1f} %)", series.name, 100 * line.largest_residual);
    }
    PLM_TRY(AtomicFile file, AtomicFile::create(plot_));
    PLM_TRY_STATUS(file.write(plot.to_svg()));
    return file.commit();
  }

  Status read_text(const runtime::Engine& engine, bench::EngineRunner& ours) const {
    PLM_TRY(const std::string text, read_input(text_));
    std::vector<int32_t> ids = engine.tokenizer().encode(text, {.add_special = false});
    if (ids.empty()) return make_error(ErrorKind::bad_data, "{}: found no text", text_);
    talk("plm bench: {}: {} tokens", text_, ids.size());
    ours.set_text(std::move(ids));
    return {};
  }

  Status show_machine(bench::TableFormat format) const {
    if (format != bench::TableFormat::markdown && format != bench::TableFormat::json) {
      return make_error(ErrorKind::invalid_argument, "-o {}: --machine has md and json", format_);
    }
    PLM_TRY(const kernels::Kernels kernels, kernels::select_kernels());
    PLM_TRY(const auto probe, bench::MachineProbe::create(kernels.isa));
    const int asked = threads_->count() > 0 ? threads_->as<int>() : 0;
    const int n_threads = asked > 0 ? std::min(asked, available_cpus()) : available_cpus();
    const auto lines = bench::probe_machine(probe, n_threads, kMachineSamples);
    const bench::MachineName name{.cpu = cpu_name(), .version = PLM_VERSION, .time = utc_time()};
    return write_output(format == bench::TableFormat::json ? bench::machine_as_json(name, probe, lines)
                                                           : bench::render_machine(name, probe, lines));
  }

  Result<StartedEngine> start() const {
    // The first load brings the file into the page cache, the second is timed.
    runtime::EngineOptions options;
    {
      PLM_TRY(const auto first, model_.load());
      options = {.model_path = first->file().path(),
                 .n_threads = first->n_threads(),
                 .context_length = first->context_length(),
                 .batch_size = model_.batch_size(),
                 .cache_type = first->cache_type()};
      PLM_TRY(options.adapters, model_.lora().load(options.model_path));
    }
    StartedEngine started;
    const double start = seconds_now();
    PLM_TRY(started.engine, runtime::Engine::load(options));
    PLM_TRY(started.seconds_to_first_token,
            bench::seconds_to_first_token(*started.engine, seconds_now() - start));
    return started;
  }

  // The Python of the project's tests, or the one named by PLM_PEER_PYTHON.
  static Result<std::unique_ptr<bench::LlamaCppRunner>> start_peer(
      const runtime::Engine& engine, const std::vector<bench::SpeedTest>& tests) {
    const char* named = std::getenv("PLM_PEER_PYTHON");
    const std::string root = PLM_PROJECT_FOLDER;
    return bench::LlamaCppRunner::start({.python = named != nullptr ? named : root + "/.venv/bin/python",
                                         .script = root + "/tools/llama_cpp_runner.py",
                                         .model_path = engine.file().path(),
                                         .n_threads = engine.n_threads(),
                                         .tests = tests});
  }

  static Result<bench::Setting> describe_peer(const bench::Setting& ours, const runtime::Engine& engine,
                                              bench::LlamaCppRunner& peer) {
    PLM_TRY(const inspect::ModelSummary summary, inspect::summarize(engine.file()));
    bench::Setting theirs = ours;
    theirs.engine = "llama.cpp";
    theirs.version = peer.version();
    theirs.isa = "";
    theirs.cache_type = "f16";
    theirs.cache_bytes_per_token = summary.cache ? summary.cache->expanded_f16 : 0;
    theirs.seconds_to_first_token = peer.seconds_to_first_token();
    PLM_TRY(theirs.peak_resident_bytes, peer.peak_resident_bytes());
    return theirs;
  }

  static Result<bench::Setting> describe(const runtime::Engine& engine) {
    PLM_TRY(const inspect::ModelSummary summary, inspect::summarize(engine.file()));
    const auto parameters = static_cast<double>(summary.all.n_parameters);
    // The type of most weights is what people call the model.
    const auto largest = std::max_element(
        summary.by_type.begin(), summary.by_type.end(),
        [](const auto& a, const auto& b) { return a.second.n_parameters < b.second.n_parameters; });
    return bench::Setting{
        .engine = "plm",
        .version = PLM_VERSION,
        .model = std::filesystem::path(engine.file().path()).filename().string(),
        .type = fmt::format("{} {} {}", engine.config().architecture,
                            parameters >= 1e8 ? fmt::format("{:.1f}B", parameters / 1e9)
                                              : fmt::format("{:.1f}M", parameters / 1e6),
                            largest->first),
        .model_bytes = static_cast<int64_t>(engine.file().file_bytes()),
        .n_parameters = summary.all.n_parameters,
        .isa = std::string(kernels::isa_name(engine.kernels().isa)),
        .cpu = cpu_name(),
        .n_threads = engine.n_threads(),
        .cache_type = std::string(tensor_type_name(engine.cache_type())),
        .cache_bytes_per_token = engine.model().cache_layout().bytes_per_token(engine.cache_type()),
        .time = utc_time()};
  }

  static constexpr int64_t kMachineSamples = 9;

  ModelOptions model_;
  BenchTests tests_;
  const CLI::Option* threads_ = nullptr;
  std::string against_, format_ = "md", plot_, plot_axis_ = "depth", rows_, text_;
  int64_t repetitions_ = 5;
  bool machine_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_bench_command() { return std::make_unique<BenchCommand>(); }

}  // namespace plm::cli
