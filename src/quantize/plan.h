// What quantising a file will make of each tensor, decided before any work: sizes are known, and wrong
// wishes are refused, at once.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "base/error.h"
#include "gguf/gguf_file.h"
#include "quantize/importance.h"
#include "quantize/type_rules.h"

namespace plm::quantize {

// Tensors whose name the pattern finds somewhere in it get this type; the first pattern that does, wins.
struct TensorRule {
  std::string pattern;
  std::regex regex;
  TensorType type;

  // "ffn_down=Q6_K"; the pattern is an ECMAScript regular expression, in any case.
  static Result<TensorRule> parse(const std::string& text);
};

// A type by name that this project can write.
Result<TensorType> writable_type(const std::string& name);

struct PlanOptions {
  const FileType* file_type = nullptr;
  std::optional<TensorType> embedding_type = {}, output_type = {};
  std::vector<TensorRule> rules = {};
  bool pure = false;                       // all tensors of the file's main type
  bool keep_output = false;                // output.weight as it is
  bool may_requantize = false;             // accept tensors that are quantised already
  const Importance* importance = nullptr;  // only whether there is one changes the plan
};

struct PlannedTensor {
  gguf::TensorInfo source;
  TensorType type;         // of the output
  int64_t bytes = 0;       // in the output
  bool fell_back = false;  // a row is not whole blocks of the wished type
};

struct Plan {
  const FileType* file_type = nullptr;  // null: what the file says stays
  std::vector<PlannedTensor> tensors;   // in the file's order
  int64_t bytes_before = 0, bytes_after = 0, n_elements = 0;

  double bits_per_weight() const {
    return 8.0 * static_cast<double>(bytes_after) / static_cast<double>(n_elements);
  }
};

// The file must outlive the plan. Refuses a tensor of a type we cannot read, or that is quantised
// already unless options.may_requantize.
Result<Plan> make_plan(const gguf::File& file, const PlanOptions& options);

// Every tensor in the type it has.
Plan plan_as_it_is(const gguf::File& file);

// The numbers of the model that the rules of type_rules.h ask for.
Result<ModelTraits> read_traits(const gguf::File& file);

}  // namespace plm::quantize
