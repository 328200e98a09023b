#include "bench/against.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

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
  int64_t positions = 1, sequences = 1;
  for (const SpeedTest& test : options.tests) {
    positions = std::max(positions, test.positions());
    sequences = std::max(sequences, test.n_sequences);
  }
  const std::string threads = std::to_string(options.n_threads), capacity = std::to_string(positions),
                    n_sequences = std::to_string(sequences);
  const char* arguments[] = {options.python.c_str(),
                             options.script.c_str(),
                             options.model_path.c_str(),
                             threads.c_str(),
                             capacity.c_str(),
                             n_sequences.c_str(),
                             nullptr};
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
  PLM_TRY_STATUS(runner->read_ready());
  return runner;
}

Status LlamaCppRunner::read_ready() {
  PLM_TRY(const std::string text, read_answer("ready"));
  const auto ready = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto version = ready.find("version"), start = ready.find("seconds_to_first_token");
  if (!ready.is_object() || version == ready.end() || !version->is_string() || start == ready.end() ||
      !start->is_number()) {
    return make_error(ErrorKind::bad_data,
                      "llama.cpp: found \"{}\" from its process, expected its version and start time", text);
  }
  version_ = version->get<std::string>();
  seconds_to_first_token_ = start->get<double>();
  return {};
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
          ask(fmt::format("run {} {} {} {}", test.n_prompt, test.n_generate, test.depth, test.n_sequences),
              "seconds"));
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

}  // namespace plm::bench
