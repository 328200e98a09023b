// A GGUF file's contents as text and as JSON, for plm inspect.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "gguf/gguf_file.h"
#include "inspect/model_summary.h"

namespace plm::cli {

using Json = nlohmann::ordered_json;

struct ReportOptions {
  double zero_share = 0.9;  // of the squared ReLUs, for what is activated
  bool all_items = false;   // long arrays and texts in full
  bool no_tensors = false;  // without the list of tensors
};

// Arrays of more than max_items are cut to {"elements": N, "type": .., "first": [..]}.
Json value_json(const gguf::Value& value, size_t max_items);

// "256 x 4096": the contiguous dimension first.
std::string shape_text(const gguf::TensorInfo& tensor);
Json shape_json(const gguf::TensorInfo& tensor);

// Broken UTF-8 is replaced.
std::string dump(const Json& json);

Json file_json(const gguf::File& file, const inspect::ModelSummary& summary, const ReportOptions& options);

// "model.gguf: GGUF version 3, 123 bytes in 2 shards", without a newline.
std::string title_text(const gguf::File& file);
// Metadata, sizes and tensors.
std::string file_text(const gguf::File& file, const inspect::ModelSummary& summary,
                      const ReportOptions& options);
// Parameters, bytes, cache, by part and by type.
std::string sizes_text(const inspect::ModelSummary& summary, double zero_share);

}  // namespace plm::cli
