// Environment variables in place of options: llama-server's LLAMA_ARG_* for `plm serve`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plm::cli {

enum class VariableKind {
  value,
  flag,           // 1, true, on, enabled; 0, false, off, disabled
  deniable_flag,  // the same; LLAMA_ARG_NO_.. with any value says no, as llama-server has it
};

struct Variable {
  std::string_view name, option;
  VariableKind kind = VariableKind::value;
};

// None but for serve.
std::span<const Variable> variables_of(std::string_view command);

using GetVariable = std::function<const char*(const char* name)>;

// The arguments of a command and, before them, those that variables stand for whose options are not among
// them; variables that are empty count as not set. Adds those it takes to `taken`. Fails with
// invalid_argument on a flag's variable that says neither yes nor no.
Result<std::vector<std::string>> with_variables(std::vector<std::string> arguments, const CLI::App& command,
                                                std::span<const Variable> variables,
                                                const GetVariable& get_variable,
                                                std::vector<Variable>& taken);

// Adds the variables' names to the help of their options.
void tell_variables(CLI::App& command, std::span<const Variable> variables);

// The variable whose value an error of the parser is about, or "".
std::string_view blamed_variable(std::string_view message, std::span<const Variable> taken);

}  // namespace plm::cli
