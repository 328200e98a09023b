// A benchmark's results as text: llama-bench's columns and formats, and what is special to PLM.
#pragma once

#include <string>
#include <vector>

#include "bench/speed.h"

namespace plm::bench {

// What all lines of a table share.
struct Setting {
  std::string model;        // file name without folders
  std::string type;         // "plm 1.8B Q4_0"
  int64_t model_bytes = 0;  // of the file
  int64_t n_parameters = 0;
  std::string isa;
  std::string cpu;
  int n_threads = 0;
  std::string cache_type;
  int64_t cache_bytes_per_token = 0;
  std::string version;
  std::string time;  // ISO 8601, UTC
};

enum class TableFormat { markdown, csv, json, jsonl };

std::string render(const Setting& setting, const std::vector<SpeedResult>& results, TableFormat format);

}  // namespace plm::bench
