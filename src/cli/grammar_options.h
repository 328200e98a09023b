// What an answer may look like: the options of grammars, named as llama.cpp names them.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "grammar/constraint.h"

namespace plm::cli {

class GrammarOptions {
 public:
  void add_to(CLI::App& app);

  // Null where no option was given. Fails with invalid_argument when more than one was, and on a grammar that
  // is none. The tokenizer must outlive it.
  Result<std::shared_ptr<const grammar::Constraint>> constraint(const tokenizer::Tokenizer& tokenizer) const;

 private:
  Result<grammar::Grammar> grammar() const;

  std::string grammar_, grammar_file_, schema_, schema_file_, regex_;
};

}  // namespace plm::cli
