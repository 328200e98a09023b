// Reading the keys of an architecture ("llama.block_count") with every number checked.
#pragma once

#include <string>
#include <string_view>

#include "gguf/gguf_file.h"
#include "model/config.h"

namespace plm::model {

class ConfigKeys {
 public:
  ConfigKeys(const gguf::File& file, std::string_view architecture) : file_(file), prefix_(architecture) {}

  // A size: 1 to 2^24, so that no product of three overflows.
  Result<int64_t> size(std::string_view key) const;
  Result<int64_t> size_or(std::string_view key, int64_t absent) const;

  // A positive, finite number.
  Result<float> positive(std::string_view key) const;
  Result<float> positive_or(std::string_view key, float absent) const;

  // An even number of at most `largest`: a width that is rotated in pairs.
  Result<int64_t> rope_width(int64_t absent, int64_t largest) const;

  bool has(std::string_view key) const { return file_.find(name(key)) != nullptr; }
  std::string name(std::string_view key) const;
  const gguf::File& file() const { return file_; }

 private:
  const gguf::File& file_;
  std::string prefix_;
};

// What all architectures have: names, layers, widths, heads (as many key-value heads), context, norm,
// vocabulary.
Result<Config> read_common_config(const ConfigKeys& keys, std::string_view architecture);

}  // namespace plm::model
