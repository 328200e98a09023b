// Hugging Face folders and GGUF files, one made from the other. Start here; what is read, written and refused
// is in docs/formats/huggingface.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/tensor_type.h"

namespace plm::convert {

struct Options {
  // The type of matrices. To GGUF: F32, F16, BF16 or Q8_0; to a folder: F32, F16 or BF16. Without a value the
  // source's own type, so that nothing is lost (quantised sources: F16).
  std::optional<TensorType> type = {};
  std::string name = {};         // general.name; empty: the name of the folder
  bool overwrite = false;        // the output may be there already
  bool allow_nonfinite = false;  // write NaN and infinities all the same, where the type can hold them
  int n_threads = 1;
  uint64_t max_shard_bytes = 5'000'000'000;  // of one model-0000N-of-0000M.safetensors

  // Called often, by the calling thread; false stops the work with `cancelled`. May be empty.
  std::function<bool(double fraction, std::string_view tensor)> progress = {};
};

struct Report {
  std::string architecture;
  TensorType type = TensorType::f32;  // of the matrices
  int64_t n_tensors = 0;
  int64_t n_parameters = 0;
  uint64_t bytes = 0;                   // written in tensors
  std::vector<std::string> notes = {};  // what the user should know, a line each
};

// The output appears whole or not at all; without success what was there before is untouched. Memory stays at
// some tens of MB besides the vocabulary, whatever the model. Refuses an output that is the input, one that
// is there (unless overwrite) and a disk without room. Numbers that are NaN or infinite, or become so in the
// type, are counted over all tensors and then refused by name (unless allow_nonfinite).
Result<Report> huggingface_to_gguf(const std::string& folder, const std::string& path,
                                   const Options& options);

// Writes config.json, model.safetensors (in shards with an index when larger than max_shard_bytes),
// tokenizer.json, tokenizer_config.json and generation_config.json.
Result<Report> gguf_to_huggingface(const std::string& path, const std::string& folder,
                                   const Options& options);

}  // namespace plm::convert
