// How a conversation becomes text: the options of chat templates, named as llama.cpp names them.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "chat/message.h"

namespace plm::cli {

class TemplateOptions {
 public:
  void add_to(CLI::App& app);

  // What chat::Template::create takes: a name, the text of a template, or "" for the file's own. Fails with
  // invalid_argument when both options were given, and where a file cannot be read.
  Result<std::string> chosen() const;
  // The object of --chat-template-kwargs.
  Result<chat::Json> variables() const;

 private:
  std::string template_, file_, variables_;
  bool jinja_ = true;
};

}  // namespace plm::cli
