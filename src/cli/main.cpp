// The program `plm`: finds the subcommand, reads its options, runs it, and turns its outcome into an exit
// code.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/environment.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace plm::cli {
namespace {

constexpr int kWorkFailed = 1;
constexpr int kWrongCommandLine = 2;
constexpr int kInterrupted = 128 + 2;

int fail(int code, std::string_view message) {
  talk("plm: {}", message);
  return code;
}

// The library speaks of parameters; here they are options.
std::string with_options(std::string message) {
  for (const auto& [parameter, option] : {std::pair("context length", " (-c)"), std::pair("slots", " (-np)"),
                                          std::pair("cache type", " (-ctk)")}) {
    const size_t at = message.find(parameter);
    if (at != std::string::npos) message.insert(at + std::string_view(parameter).size(), option);
  }
  return message;
}

int exit_code(const Status& status) {
  if (status.ok()) return 0;
  if (output_is_closed()) return 0;  // `plm run | head -1` is no failure
  const Error& error = status.error();
  if (error.kind == ErrorKind::cancelled) return kInterrupted;
  if (error.kind == ErrorKind::out_of_memory) return fail(kWorkFailed, with_options(error.message));
  return fail(error.kind == ErrorKind::invalid_argument ? kWrongCommandLine : kWorkFailed, error.message);
}

// CLI11 may put several lines into one message; here an error is one line.
std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// The arguments of the command, with those that variables stand for behind its name.
Result<std::vector<std::string>> complete_arguments(const std::vector<std::string>& arguments, CLI::App& app,
                                                    std::vector<Variable>& taken) {
  PLM_TRY(std::vector<std::string> translated, translate_arguments(arguments, app));
  const auto name = std::ranges::find_if(translated, [](const auto& text) { return !text.starts_with('-'); });
  const auto commands = app.get_subcommands(
      [&](const CLI::App* sub) { return name != translated.end() && sub->get_name() == *name; });
  if (commands.empty()) return translated;
  PLM_TRY(auto completed, with_variables(
                              {name + 1, translated.end()}, *commands.front(), variables_of(*name),
                              [](const char* variable) { return std::getenv(variable); }, taken));
  translated.erase(name + 1, translated.end());
  translated.insert(translated.end(), completed.begin(), completed.end());
  return translated;
}

void tell_taken(const std::vector<Variable>& taken) {
  std::string names;
  for (const Variable& variable : taken)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", variable.name);
  if (!names.empty()) talk("plm: from the environment: {}", names);
}

int parse_and_run(const std::vector<std::string>& arguments) {
  CLI::App app{"plm: runs PLM language models (GGUF files).", "plm"};
  app.set_version_flag("--version", std::string("plm ") + PLM_VERSION);
  app.require_subcommand(1);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.footer(
      "Without -m the bundled model is used, or the one PLM_MODEL names.\nplm COMMAND --help tells more.");

  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> commands;
  for (const CommandEntry& entry : all_commands()) {
    CLI::App* sub = app.add_subcommand(std::string(entry.name), std::string(entry.summary));
    sub->footer("Examples:\n" + std::string(entry.examples));
    commands.emplace_back(sub, entry.make());
    commands.back().second->add_options(*sub);
    tell_variables(*sub, variables_of(entry.name));
  }

  std::vector<Variable> taken;
  auto completed = complete_arguments(arguments, app, taken);
  if (!completed.ok()) return exit_code(completed.error());
  std::reverse(completed->begin(), completed->end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(*completed));
  } catch (const CLI::Success& wanted) {  // --help, --version
    std::ostringstream text;
    app.exit(wanted, text, text);
    return exit_code(write_output(text.str()));
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::string program = chosen.empty() ? "plm" : "plm " + chosen.front()->get_name();
    std::string message = one_line(error.what());
    const auto variable = blamed_variable(message, taken);
    if (!variable.empty()) message = fmt::format("{}: {}", variable, message);
    return fail(kWrongCommandLine, fmt::format("{} (see {} --help)", message, program));
  }
  tell_taken(taken);
  for (const auto& [sub, command] : commands) {
    if (!sub->parsed()) continue;
    const Status status = command->run();
    return status.ok() ? command->exit_code() : exit_code(status);
  }
  return kWrongCommandLine;
}

}  // namespace
}  // namespace plm::cli

int main(int argc, char** argv) {
  using plm::cli::fail;
  plm::cli::watch_interrupts();
  try {
    return plm::cli::parse_and_run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::bad_alloc&) {
    return fail(plm::cli::kWorkFailed, "out of memory");
  } catch (const std::exception& error) {
    return fail(plm::cli::kWorkFailed, error.what());
  }
}
