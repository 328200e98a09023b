// A benchmark's results as text: llama-bench's columns and formats, and what is special to PLM.
#pragma once

#include <string>
#include <vector>

#include "bench/speed.h"

namespace plm::bench {

// What all lines of one engine share.
struct Setting {
  std::string engine;       // "plm", "llama.cpp"
  std::string version;      // of it
  std::string model;        // file name without folders
  std::string type;         // "plm 1.8B Q4_0"
  int64_t model_bytes = 0;  // of the file
  int64_t n_parameters = 0;
  std::string isa;  // instruction set of the kernels; empty: not known
  std::string cpu;
  int n_threads = 0;
  std::string cache_type;
  int64_t cache_bytes_per_token = 0;  // 0: not known
  int64_t peak_resident_bytes = 0;
  double seconds_to_first_token = 0;
  std::string time;  // ISO 8601, UTC
};

// The peer's setting is looked at where a result has a peer's half.
struct Contestants {
  Setting ours, theirs;
};

enum class TableFormat { markdown, csv, json, jsonl };

// With a peer, Markdown is the table of ratios, and the other formats have a line for each engine.
std::string render(const Contestants& contestants, const std::vector<ContestResult>& results,
                   TableFormat format);

}  // namespace plm::bench
