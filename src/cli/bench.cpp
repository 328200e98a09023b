// plm bench: tokens a second of a model on this machine, in llama-bench's columns.

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/cpu_features.h"
#include "bench/against.h"
#include "bench/speed.h"
#include "bench/table.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/model_summary.h"
#include "cli/output.h"

namespace plm::cli {

namespace {

constexpr int64_t kMostNumbers = 1000;

Error bad_list(std::string_view option, std::string_view found) {
  return make_error(ErrorKind::invalid_argument,
                    "{} {}: expected numbers as 512, lists as 128,512 or ranges as 128-512+128 or 128-1024*2",
                    option, found);
}

// first-last+step or first-last*factor, as llama-bench reads them.
Status read_range(std::string_view option, const std::string& part, std::vector<int64_t>& numbers) {
  int64_t first = 0, last = 0, step = 1;
  char dash = 0, kind = '+';
  std::istringstream in(part);
  in >> first;
  if (!in) return bad_list(option, part);
  if (in >> dash) {
    if (dash != '-' || !(in >> last)) return bad_list(option, part);
    if (in >> kind && (!(in >> step) || (kind != '+' && kind != '*'))) return bad_list(option, part);
  } else {
    last = first;
  }
  const bool grows = kind == '*' ? step > 1 && first > 0 : step > 0;
  std::string rest;
  in.clear();
  if (first < 0 || last < first || last > (int64_t{1} << 32) || !grows || (in >> rest))
    return bad_list(option, part);
  for (int64_t n = first; n <= last; n = kind == '*' ? n * step : n + step) {
    numbers.push_back(n);
    if (static_cast<int64_t>(numbers.size()) > kMostNumbers) return bad_list(option, part);
  }
  return {};
}

Result<std::vector<int64_t>> read_list(std::string_view option, const std::string& text) {
  std::vector<int64_t> numbers;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) PLM_TRY_STATUS(read_range(option, part, numbers));
  if (numbers.empty()) return bad_list(option, text);
  return numbers;
}

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

class BenchCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    model_.add_to(app);
    app.add_option("-p,--n-prompt", prompts_, "tokens of prefill")
        ->capture_default_str()
        ->type_name("N[,N..]");
    app.add_option("-n,--n-gen", generates_, "tokens of decode")->capture_default_str()->type_name("N[,N..]");
    app.add_option("--pg", pairs_, "(-pg) prefill then decode in one test, as 512,128")->type_name("P,N");
    app.add_option("-d,--n-depth", depths_, "tokens in the cache before a test begins")
        ->capture_default_str()
        ->type_name("N[,N..]");
    app.add_option("-r,--repetitions", repetitions_, "runs of each test")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str()
        ->type_name("N");
    app.add_option("--against", against_,
                   "llama.cpp: run it too, in turns, and print both with the ratio (needs llama-cpp-python)")
        ->check(CLI::IsMember({"llama.cpp"}))
        ->type_name("PEER");
    app.add_option("-o,--output", format_, "md, csv, json or jsonl")
        ->capture_default_str()
        ->type_name("FORMAT");
  }

  Status run() override {
    PLM_TRY(const auto format, read_format(format_));
    PLM_TRY(const auto tests, read_tests());
    int64_t capacity = 1;
    for (const auto& test : tests) capacity = std::max(capacity, test.depth + test.n_tokens());
    PLM_TRY(const auto engine, model_.load());
    PLM_TRY(auto runner, bench::EngineRunner::create(*engine, capacity));
    const auto progress = [](const bench::SpeedProgress& p) {
      talk("plm bench: {}: {}", p.test.name(),
           p.repetition < 0 ? std::string("warm-up")
                            : fmt::format("run {} of {}", p.repetition + 1, p.n_repetitions));
    };
    if (!against_.empty()) return compare(*engine, runner, tests, capacity, progress);
    PLM_TRY(const auto results, bench::measure_speed(runner, tests, repetitions_, progress));
    PLM_TRY(const auto setting, describe(*engine));
    return write_output(bench::render(setting, results, format));
  }

 private:
  // The Python of the project's tests, or the one named by PLM_PEER_PYTHON.
  Status compare(const runtime::Engine& engine, bench::EngineRunner& ours,
                 const std::vector<bench::SpeedTest>& tests, int64_t capacity,
                 const std::function<void(const bench::SpeedProgress&)>& progress) const {
    const char* named = std::getenv("PLM_PEER_PYTHON");
    const std::string root = PLM_PROJECT_FOLDER;
    PLM_TRY(const auto theirs,
            bench::LlamaCppRunner::start({.python = named != nullptr ? named : root + "/.venv/bin/python",
                                          .script = root + "/tools/llama_cpp_runner.py",
                                          .model_path = engine.file().path(),
                                          .n_threads = engine.n_threads(),
                                          .capacity = capacity}));
    PLM_TRY(const auto comparisons, bench::compare_speed(ours, *theirs, tests, repetitions_, progress));
    PLM_TRY(const int64_t their_peak, theirs->peak_resident_bytes());
    talk("plm bench: peak memory: plm {:.2f} GiB, llama.cpp {:.2f} GiB ({})",
         static_cast<double>(peak_resident_bytes()) / 0x1p30, static_cast<double>(their_peak) / 0x1p30,
         theirs->version());
    return write_output(bench::render_comparison(comparisons));
  }

  Result<std::vector<bench::SpeedTest>> read_tests() const {
    PLM_TRY(const auto prompts, read_list("-p", prompts_));
    PLM_TRY(const auto generates, read_list("-n", generates_));
    PLM_TRY(const auto depths, read_list("-d", depths_));
    std::vector<int64_t> pair;
    if (!pairs_.empty()) {
      PLM_TRY(pair, read_list("-pg", pairs_));
      if (pair.size() != 2) return bad_list("-pg", pairs_);
    }
    std::vector<bench::SpeedTest> tests;
    for (const int64_t depth : depths) {
      for (const int64_t n : prompts) {
        if (n > 0) tests.push_back({.n_prompt = n, .depth = depth});
      }
      for (const int64_t n : generates) {
        if (n > 0) tests.push_back({.n_generate = n, .depth = depth});
      }
      if (!pair.empty() && pair[0] + pair[1] > 0) {
        tests.push_back({.n_prompt = pair[0], .n_generate = pair[1], .depth = depth});
      }
    }
    if (tests.empty()) return make_error(ErrorKind::invalid_argument, "-p 0 -n 0: nothing to measure");
    return tests;
  }

  static Result<bench::Setting> describe(const runtime::Engine& engine) {
    PLM_TRY(const ModelSummary summary, summarize(engine.file()));
    const auto parameters = static_cast<double>(summary.all.n_parameters);
    // The type of most weights is what people call the model.
    const auto largest = std::max_element(
        summary.by_type.begin(), summary.by_type.end(),
        [](const auto& a, const auto& b) { return a.second.n_parameters < b.second.n_parameters; });
    return bench::Setting{
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
        .version = PLM_VERSION,
        .time = utc_time()};
  }

  ModelOptions model_;
  std::string prompts_ = "512", generates_ = "128", depths_ = "0", pairs_, against_, format_ = "md";
  int64_t repetitions_ = 5;
};

}  // namespace

std::unique_ptr<Command> make_bench_command() { return std::make_unique<BenchCommand>(); }

}  // namespace plm::cli
