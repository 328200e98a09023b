#include "convert/trouble_log.h"

namespace plm::convert {
namespace {

constexpr size_t kNamed = 4;

}  // namespace

void TroubleLog::add(std::string_view tensor, TensorType type, const Trouble& trouble) {
  if (trouble.n_nonfinite > 0) {
    lines_.push_back(fmt::format("tensor {}: {} numbers are NaN or infinite", tensor, trouble.n_nonfinite));
  }
  if (trouble.n_overflow > 0) {
    lines_.push_back(fmt::format("tensor {}: {} numbers (up to {:.4g}) are too large for {}", tensor,
                                 trouble.n_overflow, trouble.largest, tensor_type_name(type)));
  }
}

Status TroubleLog::judge(const std::string& path, bool is_allowed, std::vector<std::string>& notes) const {
  if (lines_.empty()) return {};
  if (is_allowed) {
    notes.insert(notes.end(), lines_.begin(), lines_.end());
    return {};
  }
  std::string named;
  for (size_t i = 0; i < std::min(lines_.size(), kNamed); ++i) {
    named += fmt::format("{}{}", named.empty() ? "" : "; ", lines_[i]);
  }
  if (lines_.size() > kNamed)
    named += fmt::format("; and {} more tensors like these", lines_.size() - kNamed);
  return make_error(ErrorKind::bad_data, "{}: {}", path, named);
}

}  // namespace plm::convert
