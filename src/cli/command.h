// What a subcommand of `plm` is. A new one: a file with a class and its make_..._command, and a line in the
// table of commands.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plm::cli {

class Command {
 public:
  virtual ~Command() = default;

  // Declares options, bound to members of the command. Options use llama.cpp's names; those of one dash and
  // several letters come from the table in arguments.cpp.
  virtual void add_options(CLI::App& app) = 0;

  // Does the work: results to stdout (output.h), talk to stderr. An invalid_argument error exits with 2,
  // any other with 1.
  virtual Status run() = 0;

  // Of a run() that did its work: not 0 only where the code is an answer, as that of diff.
  virtual int exit_code() const { return 0; }
};

// A check of a number's range that does not crowd the help. Unlike CLI::Range it does not let nan pass.
template <class T>
CLI::Validator within(T least, T most) {
  const auto check = [least, most](const std::string& text) {
    T value{};
    const bool is_number = CLI::detail::lexical_cast(text, value);
    if (is_number && value >= least && value <= most) return std::string();
    return fmt::format("found {}, expected {} to {}", text, least, most);
  };
  return CLI::Validator(check, "");
}

// A name that an unset variable of a shell left empty would otherwise count as not given.
inline CLI::Validator not_empty() {
  const auto check = [](const std::string& text) { return std::string(text.empty() ? "found nothing" : ""); };
  return CLI::Validator(check, "");
}

struct CommandEntry {
  std::string_view name;
  std::string_view summary;   // one line, for the list of commands
  std::string_view examples;  // shown at the end of --help, a line each
  std::unique_ptr<Command> (*make)();
};

std::span<const CommandEntry> all_commands();

}  // namespace plm::cli
