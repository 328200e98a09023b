#include "cli/grammar_options.h"

#include <algorithm>

#include "cli/text_input.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex.h"

namespace plm::cli {

void GrammarOptions::add_to(CLI::App& app) {
  const std::string group = "Grammars";
  const auto add = [&](const std::string& name, std::string& value, const char* text, const char* type) {
    app.add_option(name, value, text)->type_name(type)->group(group);
  };
  add("--grammar", grammar_, "write only what this grammar allows (GBNF)", "TEXT");
  add("--grammar-file", grammar_file_, "a file with such a grammar", "FILE");
  add("-j,--json-schema", schema_, "write only JSON that this schema accepts; {} for any", "JSON");
  add("--json-schema-file", schema_file_, "(-jf) a file with such a schema", "FILE");
  add("--regex", regex_, "write only what this regular expression matches as a whole", "TEXT");
}

Result<grammar::Grammar> GrammarOptions::grammar() const {
  if (!grammar_.empty()) return grammar::parse_gbnf(grammar_);
  if (!schema_.empty()) return grammar::parse_json_schema(schema_);
  if (!regex_.empty()) return grammar::regex_grammar(regex_);
  const std::string& path = grammar_file_.empty() ? schema_file_ : grammar_file_;
  PLM_TRY(const std::string text, read_input(path));
  auto grammar = grammar_file_.empty() ? grammar::parse_json_schema(text) : grammar::parse_gbnf(text);
  return grammar.ok() ? std::move(grammar) : grammar.error().with_context(path);
}

Result<std::shared_ptr<const grammar::Constraint>> GrammarOptions::constraint(
    const tokenizer::Tokenizer& tokenizer) const {
  const auto given = {&grammar_, &grammar_file_, &schema_, &schema_file_, &regex_};
  const auto n_given = std::ranges::count_if(given, [](const std::string* text) { return !text->empty(); });
  if (n_given == 0) return std::shared_ptr<const grammar::Constraint>();
  if (n_given > 1) {
    return make_error(ErrorKind::invalid_argument,
                      "give one of --grammar, --grammar-file, --json-schema, --json-schema-file and --regex");
  }
  PLM_TRY(const grammar::Grammar made, grammar());
  return grammar::Constraint::create(made, grammar::TokenIndex::create(tokenizer));
}

}  // namespace plm::cli
