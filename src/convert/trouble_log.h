// NaN, infinities and overflows of a whole conversion, gathered to be named once. Internal to the folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/tensor_type.h"
#include "convert/tensor_stream.h"

namespace plm::convert {

class TroubleLog {
 public:
  void add(std::string_view tensor, TensorType type, const Trouble& trouble);

  // Ok when there was none, or when it is allowed; then the lines are notes. The error names the file and the
  // first few tensors.
  Status judge(const std::string& path, bool is_allowed, std::vector<std::string>& notes) const;

 private:
  std::vector<std::string> lines_;
};

}  // namespace plm::convert
