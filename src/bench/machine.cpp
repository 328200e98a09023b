#include "bench/machine.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace plm::bench {
namespace {

// Long enough that starting the threads does not count, short enough to be taken between repetitions.
constexpr double kArithmeticSeconds = 0.008;

// A thread that slept is woken beside the one that wakes it; the system needs a while to give it a CPU of its
// own.
constexpr double kWarmUpSeconds = 0.03;

// Where results go that nobody looks at.
std::atomic<uint64_t> ignored{0};

double operations_per_second(const kernels::PeakLoop& loop, ThreadPool& pool) {
  if (!loop.exists()) return 0;
  // How many rounds fill the time is found on the way, which also brings the clock up.
  int64_t n_rounds = 1000;
  for (;;) {
    const double start = seconds_now();
    pool.run([&](int) { ignored += loop.run(n_rounds); });
    const double seconds = seconds_now() - start;
    if (seconds >= kArithmeticSeconds) {
      return static_cast<double>(loop.operations_per_round * n_rounds * pool.size()) / seconds;
    }
    n_rounds *= seconds < kArithmeticSeconds / 8 ? 8 : 2;
  }
}

}  // namespace

MachineLimits MachineSamples::limits() const {
  return {.read_bytes = summarise(read_bytes_),
          .int8_operations = summarise(int8_operations_),
          .bf16_operations = summarise(bf16_operations_),
          .fp32_operations = summarise(fp32_operations_)};
}

Result<MachineProbe> MachineProbe::create(kernels::Isa isa) {
  constexpr size_t kLeast = size_t{64} << 20, kMost = size_t{512} << 20, kMultiple = size_t{2} << 20;
  MachineProbe probe;
  probe.isa_ = isa;
  probe.peak_ = kernels::machine_peak(isa);
  const size_t wanted = std::clamp(available_memory_bytes() / 32, kLeast, kMost) / kMultiple * kMultiple;
  PLM_TRY(probe.memory_, AlignedBuffer::allocate(wanted));
  std::memset(probe.memory_.data(), 1, wanted);
  return probe;
}

void MachineProbe::sample(ThreadPool& pool, MachineSamples& samples) const {
  for (const double start = seconds_now(); seconds_now() - start < kWarmUpSeconds;) {
    pool.run([&](int) { ignored += peak_.fp32.run(1000); });
  }
  const double start = seconds_now();
  pool.run([&](int thread) {
    const auto [begin, end] = pool.share(thread, static_cast<int64_t>(memory_.size()) / kernels::kReadBytes);
    ignored += peak_.read(memory_.data() + begin * kernels::kReadBytes, (end - begin) * kernels::kReadBytes);
  });
  samples.read_bytes_.push_back(static_cast<double>(memory_.size()) / (seconds_now() - start));
  samples.int8_operations_.push_back(operations_per_second(peak_.int8, pool));
  samples.bf16_operations_.push_back(operations_per_second(peak_.bf16, pool));
  samples.fp32_operations_.push_back(operations_per_second(peak_.fp32, pool));
}

std::vector<int> probed_thread_counts(int n_threads) {
  std::vector<int> counts;
  for (int power = 1; power < n_threads; power *= 2) {
    counts.push_back(power);
    if (power > 1 && power + power / 2 < n_threads) counts.push_back(power + power / 2);
  }
  counts.push_back(n_threads);
  return counts;
}

std::vector<MachineLine> probe_machine(const MachineProbe& probe, int n_threads, int64_t n_samples) {
  const std::vector<int> counts = probed_thread_counts(n_threads);
  std::vector<std::unique_ptr<ThreadPool>> pools;
  for (const int n : counts) pools.push_back(std::make_unique<ThreadPool>(n));
  std::vector<MachineSamples> samples(counts.size());
  MachineSamples warm_up;
  probe.sample(*pools.back(), warm_up);
  // In turns, so that a drift of the machine does not look like a property of a number of threads.
  for (int64_t i = 0; i < n_samples; ++i) {
    for (size_t p = 0; p < pools.size(); ++p) probe.sample(*pools[p], samples[p]);
  }
  std::vector<MachineLine> lines;
  for (size_t p = 0; p < pools.size(); ++p) {
    lines.push_back({.n_threads = counts[p], .limits = samples[p].limits()});
  }
  return lines;
}

std::string render_machine(const MachineName& name, const MachineProbe& probe,
                           const std::vector<MachineLine>& lines) {
  const auto instruction = [](const kernels::PeakLoop& loop) {
    return loop.exists() ? loop.instruction : "none";
  };
  std::string text = fmt::format(
      "{}, {}: medians (least to most)\n\n"
      "| threads | read GB/s | int8 Gop/s ({}) | bf16 GFLOP/s ({}) | fp32 GFLOP/s ({}) |\n"
      "|---|---|---|---|---|\n",
      name.cpu, isa_name(probe.isa()), instruction(probe.peak().int8), instruction(probe.peak().bf16),
      instruction(probe.peak().fp32));
  for (const MachineLine& line : lines) {
    const auto cell = [](const Summary& s, int digits) {
      if (s.most == 0) return std::string("-");
      return fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", s.median / 1e9, digits, s.least / 1e9, digits,
                         s.most / 1e9, digits);
    };
    const MachineLimits& limits = line.limits;
    text += fmt::format("| {} | {} | {} | {} | {} |\n", line.n_threads, cell(limits.read_bytes, 1),
                        cell(limits.int8_operations, 0), cell(limits.bf16_operations, 0),
                        cell(limits.fp32_operations, 0));
  }
  return text;
}

std::string machine_as_json(const MachineName& name, const MachineProbe& probe,
                            const std::vector<MachineLine>& lines) {
  using Json = nlohmann::ordered_json;
  const auto instruction = [](const kernels::PeakLoop& loop) {
    return loop.exists() ? Json(loop.instruction) : Json();
  };
  const auto spread = [](const Summary& s) {
    if (s.most == 0) return Json();
    return Json{{"median", s.median}, {"least", s.least}, {"most", s.most}};
  };
  Json threads = Json::array();
  for (const MachineLine& line : lines) {
    threads.push_back({{"n_threads", line.n_threads},
                       {"read_bytes_per_second", spread(line.limits.read_bytes)},
                       {"int8_operations_per_second", spread(line.limits.int8_operations)},
                       {"bf16_operations_per_second", spread(line.limits.bf16_operations)},
                       {"fp32_operations_per_second", spread(line.limits.fp32_operations)}});
  }
  const Json machine = {{"build_version", name.version},
                        {"test_time", name.time},
                        {"cpu_info", name.cpu},
                        {"isa", isa_name(probe.isa())},
                        {"instructions",
                         {{"int8", instruction(probe.peak().int8)},
                          {"bf16", instruction(probe.peak().bf16)},
                          {"fp32", instruction(probe.peak().fp32)}}},
                        {"read_buffer_bytes", probe.memory_bytes()},
                        {"threads", threads}};
  return machine.dump(2) + "\n";
}

}  // namespace plm::bench
