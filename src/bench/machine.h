// The limits of a machine, measured: how fast a gang of threads reads memory and multiplies numbers when
// it does nothing else. What a model reaches is a share of these. Bandwidth and clock of a machine that
// others use drift within minutes, so a sample is taken between the repetitions of a test, and not once.
#pragma once

#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "bench/summary.h"
#include "kernels/machine_peak.h"

namespace plm::bench {

// A second, by all threads together. Multiplications and additions count one each.
struct MachineLimits {
  Summary read_bytes, int8_operations, bf16_operations, fp32_operations;
};

// Samples of one gang of threads, gathered over time.
class MachineSamples {
 public:
  MachineLimits limits() const;

 private:
  friend class MachineProbe;
  std::vector<double> read_bytes_, int8_operations_, bf16_operations_, fp32_operations_;
};

class MachineProbe {
 public:
  // Takes and touches the memory it will read; as much as leaves no doubt that no cache holds it, but no
  // more than a small part of what is free.
  static Result<MachineProbe> create(kernels::Isa isa);

  kernels::Isa isa() const { return isa_; }
  const kernels::MachinePeak& peak() const { return peak_; }
  // Resident as long as the probe lives: not what a model needs.
  size_t memory_bytes() const { return memory_.size(); }

  // One measurement of each limit (0 where there is no such arithmetic), some hundredths of a second.
  void sample(ThreadPool& pool, MachineSamples& samples) const;

 private:
  kernels::Isa isa_ = kernels::Isa::reference;
  kernels::MachinePeak peak_;
  AlignedBuffer memory_;
};

struct MachineLine {
  int n_threads = 0;
  MachineLimits limits;
};

// With 1, 2, 3, 4, 6, 8, 12 .. threads up to n_threads.
std::vector<int> probed_thread_counts(int n_threads);
std::vector<MachineLine> probe_machine(const MachineProbe& probe, int n_threads, int64_t n_samples);

struct MachineName {
  std::string cpu, version, time;
};
std::string render_machine(const MachineName& name, const MachineProbe& probe,
                           const std::vector<MachineLine>& lines);
std::string machine_as_json(const MachineName& name, const MachineProbe& probe,
                            const std::vector<MachineLine>& lines);

}  // namespace plm::bench
