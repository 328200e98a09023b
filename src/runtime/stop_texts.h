// Ends a stream of text at the first of some texts, which may come in pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plm::runtime {

class StopTexts {
 public:
  explicit StopTexts(std::vector<std::string> texts);

  // Adds a piece and returns what is certain not to belong to a stop text. After a stop text: nothing more.
  std::string push(std::string_view piece);
  bool stopped() const { return stopped_; }
  // The one it stopped at; of several at the same place the first given. Empty before.
  const std::string& stop_text() const { return stop_text_; }

  // What was held back, at the end of a stream without a stop text.
  std::string finish();

 private:
  std::vector<std::string> texts_;  // none of them empty
  std::string held_, stop_text_;
  bool stopped_ = false;
};

}  // namespace plm::runtime
