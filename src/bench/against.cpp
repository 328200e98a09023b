#include "bench/against.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace plm::bench {

Result<std::unique_ptr<LlamaCppRunner>> LlamaCppRunner::start(const Options& options) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return errno_error(options.python, "cannot make a pipe", errno);
  if (::pipe2(out, O_CLOEXEC) != 0) {
    const int saved = errno;
    ::close(in[0]);
    ::close(in[1]);
    return errno_error(options.python, "cannot make a pipe", saved);
  }
  const std::string threads = std::to_string(options.n_threads), capacity = std::to_string(options.capacity);
  const char* arguments[] = {options.python.c_str(), options.script.c_str(), options.model_path.c_str(),
                             threads.c_str(),        capacity.c_str(),       nullptr};
  std::unique_ptr<LlamaCppRunner> runner(new LlamaCppRunner());
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::execvp(arguments[0], const_cast<char* const*>(arguments));
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  runner->to_child_ = in[1];
  runner->from_child_ = out[0];
  runner->pid_ = pid;
  if (pid < 0) return errno_error(options.python, "cannot start", errno);
  PLM_TRY(const std::string ready, runner->read_answer("ready"));
  runner->version_ = ready;
  return runner;
}

LlamaCppRunner::~LlamaCppRunner() {
  if (to_child_ >= 0) ::close(to_child_);
  if (from_child_ >= 0) ::close(from_child_);
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

Result<std::string> LlamaCppRunner::read_answer(const std::string& expected_word) {
  for (;;) {
    const size_t end = received_.find('\n');
    if (end != std::string::npos) {
      const std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      if (line.starts_with(expected_word + " ")) return line.substr(expected_word.size() + 1);
      continue;  // something that a library printed
    }
    char buffer[4096];
    const ssize_t n = ::read(from_child_, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return make_error(
          ErrorKind::io,
          "llama.cpp: its process ended before it answered \"{}\" (is llama-cpp-python installed for the "
          "Python named by PLM_PEER_PYTHON?)",
          expected_word);
    }
    received_.append(buffer, static_cast<size_t>(n));
  }
}

Result<std::string> LlamaCppRunner::ask(const std::string& line, const std::string& expected_word) {
  const std::string text = line + "\n";
  if (::write(to_child_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return errno_error("llama.cpp", "cannot write to its process", errno);
  }
  return read_answer(expected_word);
}

Result<double> LlamaCppRunner::run(const SpeedTest& test) {
  PLM_TRY(const std::string answer,
          ask(fmt::format("run {} {} {}", test.n_prompt, test.n_generate, test.depth), "seconds"));
  const double seconds = std::strtod(answer.c_str(), nullptr);
  if (!(seconds > 0)) {
    return make_error(ErrorKind::bad_data, "llama.cpp: seconds: found \"{}\", expected a positive number",
                      answer);
  }
  return seconds;
}

Result<int64_t> LlamaCppRunner::peak_resident_bytes() {
  PLM_TRY(const std::string answer, ask("memory", "bytes"));
  return static_cast<int64_t>(std::strtoll(answer.c_str(), nullptr, 10));
}

double Comparison::ratio() const { return summarise(their_seconds).median / summarise(ours.seconds).median; }

Result<std::vector<Comparison>> compare_speed(EngineRunner& ours, SpeedRunner& theirs,
                                              const std::vector<SpeedTest>& tests, int64_t n_repetitions,
                                              const std::function<void(const SpeedProgress&)>& progress) {
  std::vector<Comparison> comparisons;
  for (const SpeedTest& test : tests) {
    Comparison comparison{.ours = {.test = test, .seconds = {}, .zero_rate_of_layer = {}},
                          .their_seconds = {}};
    const SpeedTest warm_up{.n_prompt = std::min<int64_t>(test.n_prompt, 64),
                            .n_generate = std::min<int64_t>(test.n_generate, 4),
                            .depth = test.depth};
    if (progress) progress({test, -1, n_repetitions});
    PLM_TRY([[maybe_unused]] const double our_warm_up, ours.run(warm_up));
    PLM_TRY([[maybe_unused]] const double their_warm_up, theirs.run(warm_up));
    for (int64_t i = 0; i < n_repetitions; ++i) {
      if (progress) progress({test, i, n_repetitions});
      PLM_TRY(const double our_seconds, ours.run(test));
      comparison.ours.seconds.push_back(our_seconds);
      PLM_TRY(const double their_seconds, theirs.run(test));
      comparison.their_seconds.push_back(their_seconds);
    }
    comparison.ours.zero_rate_of_layer = ours.zero_rate_of_layer();
    comparison.ours.bytes_per_token = ours.bytes_per_token(test);
    comparisons.push_back(std::move(comparison));
  }
  return comparisons;
}

std::string render_comparison(const std::vector<Comparison>& comparisons) {
  std::string text =
      "| test | plm t/s (least-most) | llama.cpp t/s (least-most) | plm / llama.cpp | zeros | GB/s |\n"
      "|---|---|---|---|---|---|\n";
  for (const Comparison& c : comparisons) {
    const auto n = static_cast<double>(c.ours.test.n_tokens());
    const auto rates = [&](const std::vector<double>& seconds) {
      const Summary s = summarise(seconds);
      return fmt::format("{:.1f} ({:.1f}-{:.1f})", n / s.median, n / s.most, n / s.least);
    };
    const double our_rate = n / summarise(c.ours.seconds).median;
    text += fmt::format(
        "| {} | {} | {} | {:.2f} | {:.1f} % | {} |\n", c.ours.test.name(), rates(c.ours.seconds),
        rates(c.their_seconds), c.ratio(), 100 * c.ours.zero_rate(),
        c.ours.bytes_per_token > 0 ? fmt::format("{:.1f}", c.ours.bytes_per_token * our_rate / 1e9) : "-");
  }
  return text;
}

}  // namespace plm::bench
