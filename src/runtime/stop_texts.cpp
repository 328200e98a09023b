#include "runtime/stop_texts.h"

#include <algorithm>
#include <utility>

namespace plm::runtime {

StopTexts::StopTexts(std::vector<std::string> texts) : texts_(std::move(texts)) {
  std::erase(texts_, std::string());
}

std::string StopTexts::push(std::string_view piece) {
  if (stopped_) return {};
  held_ += piece;
  size_t stop = std::string::npos;
  for (const std::string& text : texts_) {
    if (const size_t found = held_.find(text); found < stop) {
      stop = found;
      stop_text_ = text;
    }
  }
  if (stop != std::string::npos) {
    stopped_ = true;
    held_.resize(stop);
    return std::exchange(held_, {});
  }
  // The longest end of what is held that a stop text begins with.
  size_t n_kept = 0;
  for (const std::string& text : texts_) {
    for (size_t n = std::min(text.size() - 1, held_.size()); n > n_kept; --n) {
      if (held_.ends_with(std::string_view(text).substr(0, n))) n_kept = n;
    }
  }
  std::string certain = held_.substr(0, held_.size() - n_kept);
  held_.erase(0, held_.size() - n_kept);
  return certain;
}

std::string StopTexts::finish() { return std::exchange(held_, {}); }

}  // namespace plm::runtime
