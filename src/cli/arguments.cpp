#include "cli/arguments.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace plm::cli {

namespace {

struct LongName {
  std::string_view one_dash, long_name;
};

constexpr std::array kLongNames = {
    LongName{"-ub", "--ubatch-size"},   LongName{"-tb", "--threads-batch"},
    LongName{"-ngl", "--n-gpu-layers"}, LongName{"-ctk", "--cache-type-k"},
    LongName{"-ctv", "--cache-type-v"}, LongName{"-sys", "--system-prompt"},
    LongName{"-st", "--single-turn"},   LongName{"-pg", "--pg"},
    LongName{"-hf", "--hf-repo"},       LongName{"-hfr", "--hf-repo"},
    LongName{"-hff", "--hf-file"},      LongName{"-hft", "--hf-token"},
    LongName{"-np", "--parallel"},      LongName{"-to", "--timeout"},
    LongName{"-cram", "--cache-ram"},   LongName{"-jf", "--json-schema-file"},
    LongName{"-md", "--model-draft"},   LongName{"-td", "--threads-draft"},
    LongName{"-fa", "--flash-attn"},    LongName{"-cb", "--cont-batching"},
    LongName{"-kvu", "--kv-unified"},   LongName{"-sps", "--slot-prompt-similarity"},
};

bool is_number_like(std::string_view text) {
  return text.size() > 1 && (std::isdigit(static_cast<unsigned char>(text[1])) != 0 || text[1] == '.');
}

// One dash and several characters, the second a letter, and more than digits after it (-t2 is fine).
bool is_one_dash_word(std::string_view text) {
  if (text.size() < 3 || text[0] != '-' || text[1] == '-' || is_number_like(text)) return false;
  return !std::all_of(text.begin() + 2, text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

Error unknown_command(const std::string& name, const CLI::App& app) {
  std::string known;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    known += " " + sub->get_name();
  return make_error(ErrorKind::invalid_argument, "command {} is not known; there are:{}", name, known);
}

bool takes_value(const CLI::App& app, const std::string& name) {
  const CLI::Option* option = app.get_option_no_throw(name);
  return option != nullptr && option->get_items_expected_max() > 0;
}

}  // namespace

Result<std::vector<std::string>> translate_arguments(const std::vector<std::string>& arguments,
                                                     CLI::App& app) {
  std::vector<std::string> translated;
  const CLI::App* scope = &app;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string argument = arguments[i];
    if (argument == "--") {
      translated.insert(translated.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                        arguments.end());
      break;
    }
    if (scope == &app && !argument.empty() && argument[0] != '-') {
      translated.push_back(argument);
      const auto named =
          app.get_subcommands([&](const CLI::App* sub) { return sub->get_name() == argument; });
      if (named.empty()) return unknown_command(argument, app);
      scope = named.front();
      continue;
    }
    if (is_one_dash_word(argument)) {
      const auto known = std::find_if(kLongNames.begin(), kLongNames.end(),
                                      [&](const LongName& name) { return name.one_dash == argument; });
      if (known == kLongNames.end() || scope->get_option_no_throw(std::string(known->long_name)) == nullptr) {
        return make_error(ErrorKind::invalid_argument, "option {} is not known here", argument);
      }
      argument = known->long_name;
    }
    if (argument.size() > 1 && argument[0] == '-' && takes_value(*scope, argument) &&
        i + 1 < arguments.size()) {
      const CLI::Option* option = scope->get_option_no_throw(argument);
      if (option->get_items_expected_min() == 0 && arguments[i + 1].starts_with('-')) {
        translated.push_back(argument);  // which can do without
        continue;
      }
      const std::string& value = arguments[++i];
      if (!value.empty() && value[0] == '-') {
        translated.push_back("--" + option->get_lnames().front() + "=" + value);
      } else {
        translated.push_back(argument);
        translated.push_back(value);
      }
      continue;
    }
    translated.push_back(argument);
  }
  return translated;
}

}  // namespace plm::cli
