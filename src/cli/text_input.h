// Text from the command line or a file.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/error.h"

namespace plm::cli {

// All bytes of a file, a pipe or, for "-", standard input. At most 2 GiB.
Result<std::string> read_input(const std::string& path);

// The pair of options that give text: as it stands, or the name of a file with it.
class TextOption {
 public:
  // text_flags such as "-p,--prompt"; the file's flags are -f,--file.
  void add_to(CLI::App& app, const std::string& text_flags, const std::string& description);
  bool is_given() const;
  // What to call it: the file's name, or "command line".
  std::string name() const { return file_.empty() ? "command line" : file_; }
  // The text, byte for byte. Fails with invalid_argument when neither or both were given.
  Result<std::string> read() const;

 private:
  std::string text_, file_, text_flags_;
  CLI::Option* text_option_ = nullptr;
  CLI::Option* file_option_ = nullptr;
};

}  // namespace plm::cli
