#include "cli/bench_tests.h"

#include <algorithm>
#include <sstream>

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

}  // namespace

Result<std::vector<int64_t>> read_number_list(std::string_view option, const std::string& text) {
  std::vector<int64_t> numbers;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) PLM_TRY_STATUS(read_range(option, part, numbers));
  if (numbers.empty()) return bad_list(option, text);
  return numbers;
}

void BenchTests::add_to(CLI::App& app) {
  app.add_option("-p,--n-prompt", prompts_, "tokens of prefill")->capture_default_str()->type_name("N[,N..]");
  app.add_option("-n,--n-gen", generates_, "tokens of decode")->capture_default_str()->type_name("N[,N..]");
  app.add_option("--pg", pairs_, "(-pg) prefill then decode in one test, as 512,128")->type_name("P,N");
  app.add_option("-d,--n-depth", depths_, "tokens in the cache before a test begins")
      ->capture_default_str()
      ->type_name("N[,N..]");
  app.add_option("--batch", batches_, "sequences that decode together")
      ->capture_default_str()
      ->type_name("N[,N..]");
}

Result<std::vector<bench::SpeedTest>> BenchTests::read() const {
  constexpr int64_t kMostSequences = 256;
  PLM_TRY(const auto prompts, read_number_list("-p", prompts_));
  PLM_TRY(const auto generates, read_number_list("-n", generates_));
  PLM_TRY(auto depths, read_number_list("-d", depths_));
  PLM_TRY(const auto batches, read_number_list("--batch", batches_));
  if (std::any_of(batches.begin(), batches.end(), [](int64_t n) { return n < 1 || n > kMostSequences; })) {
    return make_error(ErrorKind::invalid_argument, "--batch {}: expected numbers from 1 to {}", batches_,
                      kMostSequences);
  }
  std::vector<int64_t> pair;
  if (!pairs_.empty()) {
    PLM_TRY(pair, read_number_list("-pg", pairs_));
    if (pair.size() != 2) return bad_list("-pg", pairs_);
  }
  std::sort(depths.begin(), depths.end());
  std::vector<bench::SpeedTest> tests;
  for (const int64_t depth : depths) {
    // Prompts are read one after the other, so together they are no faster.
    for (const int64_t n : prompts) {
      if (n > 0) tests.push_back({.n_prompt = n, .depth = depth});
    }
    for (const int64_t n : generates) {
      for (const int64_t batch : batches) {
        if (n > 0) tests.push_back({.n_generate = n, .depth = depth, .n_sequences = batch});
      }
    }
    if (!pair.empty() && pair[0] + pair[1] > 0) {
      tests.push_back({.n_prompt = pair[0], .n_generate = pair[1], .depth = depth});
    }
  }
  if (tests.empty()) return make_error(ErrorKind::invalid_argument, "-p 0 -n 0: nothing to measure");
  return tests;
}

}  // namespace plm::cli
