// A line of input: edited, with history, on a terminal; plain otherwise.
#pragma once

#include <memory>
#include <string>

namespace plm::cli {

class LineEditor {
 public:
  enum class Outcome { line, interrupted, end };
  struct Line {
    Outcome outcome = Outcome::end;
    std::string text = {};  // without the newline; any bytes
    bool was_empty = true;  // interrupted: nothing had been typed
  };

  // Uses libedit when standard input and output are a terminal. The history is kept in
  // $XDG_STATE_HOME/plm/history (or ~/.local/state), where that can be written, and else forgotten.
  LineEditor();
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  bool is_terminal() const { return terminal_ != nullptr; }
  // Ctrl-C gives `interrupted` and clears the flag of interrupt.h. The prompt is shown on a terminal only.
  Line read(const char* prompt);

 private:
  struct Terminal;
  Line read_plain();

  std::unique_ptr<Terminal> terminal_;
  std::string unread_;  // of a plain input: bytes after the last line
  bool at_end_ = false;
};

}  // namespace plm::cli
