#include "cli/line_editor.h"

#include <histedit.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <filesystem>

#include "cli/interrupt.h"

namespace plm::cli {

namespace {

constexpr int kHistoryLines = 1000;

// The history's file, its folder made; empty where that cannot be.
std::string history_path() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (state != nullptr && *state == '/') {
    folder = state;
  } else if (home != nullptr && *home == '/') {
    folder = std::filesystem::path(home) / ".local/state";
  } else {
    return {};
  }
  std::error_code error;
  std::filesystem::create_directories(folder / "plm", error);
  return error ? std::string() : (folder / "plm/history").string();
}

// libedit reads characters by the locale's encoding; a terminal of today speaks UTF-8 whatever LANG says.
void use_utf8() {
  if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
}

// One character from the terminal, for libedit, which itself would overlook the first interrupt.
int read_character(EditLine*, wchar_t* character) {
  std::mbstate_t state{};
  while (true) {
    char byte = 0;
    const ssize_t n = interrupted() ? -1 : ::read(STDIN_FILENO, &byte, 1);
    if (n == 0) return 0;
    if (n < 0) {
      if (errno == EINTR && !interrupted()) continue;  // a resized window, say
      return -1;
    }
    const size_t used = std::mbrtowc(character, &byte, 1, &state);
    if (used == static_cast<size_t>(-2)) continue;  // begun, more bytes to come
    if (used == static_cast<size_t>(-1)) *character = L'\uFFFD';
    return 1;
  }
}

}  // namespace

struct LineEditor::Terminal {
  Terminal() : path(history_path()) {
    use_utf8();
    editor = ::el_init("plm", stdin, stdout, stderr);
    events = ::history_init();
    HistEvent event;
    ::history(events, &event, H_SETSIZE, kHistoryLines);
    ::history(events, &event, H_SETUNIQUE, 1);
    if (!path.empty()) ::history(events, &event, H_LOAD, path.c_str());
    ::el_set(editor, EL_CLIENTDATA, this);
    ::el_set(editor, EL_PROMPT, &Terminal::prompt_of);
    ::el_set(editor, EL_EDITOR, "emacs");
    ::el_set(editor, EL_HIST, ::history, events);
    ::el_set(editor, EL_GETCFN, &read_character);
    ::el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  }
  ~Terminal() {
    HistEvent event;
    if (!path.empty()) ::history(events, &event, H_SAVE, path.c_str());
    ::history_end(events);
    ::el_end(editor);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  static char* prompt_of(EditLine* line_editor) {
    void* self = nullptr;
    ::el_get(line_editor, EL_CLIENTDATA, &self);
    return static_cast<Terminal*>(self)->prompt.data();
  }

  Line read() {
    int n = 0;
    const char* text = ::el_gets(editor, &n);
    if (text != nullptr && n > 0) {
      std::string line(text, static_cast<size_t>(n));
      HistEvent event;
      if (line != "\n") ::history(events, &event, H_ENTER, line.c_str());
      if (line.ends_with('\n')) line.pop_back();
      return {.outcome = Outcome::line, .text = std::move(line)};
    }
    if (!interrupted()) return {.outcome = Outcome::end};
    clear_interrupt();
    const LineInfo* typed = ::el_line(editor);
    return {.outcome = Outcome::interrupted, .was_empty = typed->lastchar == typed->buffer};
  }

  std::string path;
  std::string prompt;
  EditLine* editor = nullptr;
  History* events = nullptr;
};

LineEditor::LineEditor() {
  if (::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0) terminal_ = std::make_unique<Terminal>();
}

LineEditor::~LineEditor() = default;

LineEditor::Line LineEditor::read(const char* prompt) {
  if (!terminal_) return read_plain();
  terminal_->prompt = prompt;
  return terminal_->read();
}

LineEditor::Line LineEditor::read_plain() {
  while (true) {
    if (const size_t end = unread_.find('\n'); end != std::string::npos) {
      Line line{.outcome = Outcome::line, .text = unread_.substr(0, end)};
      unread_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4096> buffer;
    const ssize_t n = at_end_ ? 0 : ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n > 0) {
      unread_.append(buffer.data(), static_cast<size_t>(n));
    } else if (n < 0 && interrupted()) {
      clear_interrupt();
      return {.outcome = Outcome::interrupted};
    } else if (n == 0 || errno != EINTR) {
      at_end_ = true;
      if (unread_.empty()) return {.outcome = Outcome::end};
      unread_ += '\n';
    }
  }
}

}  // namespace plm::cli
