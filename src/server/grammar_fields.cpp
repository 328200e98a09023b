#include "server/grammar_fields.h"

#include "chat/tool_calls.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex.h"

namespace plm::server {

namespace {

using grammar::Grammar;

// A grammar of the field's, or the error with the field's name.
Result<std::optional<Grammar>> named(std::string_view field, Result<Grammar> grammar) {
  if (grammar.ok()) return std::optional(*std::move(grammar));
  return grammar.error().with_context(fmt::format("field {}", field));
}

Result<Grammar> grammar_of_schema(const Json& schema) { return grammar::parse_json_schema(dump(schema)); }

Result<std::optional<Grammar>> read_response_format(const Fields& fields) {
  const Json* format = fields.find("response_format");
  if (format == nullptr) return std::optional<Grammar>();
  if (!format->is_object()) return fields.wrong("response_format", "an object");
  const Fields inner(*format, "response_format.");
  PLM_TRY(const std::string type, inner.text("type", ""));
  if (type == "text") return std::optional<Grammar>();
  if (type == "json_object") {
    // llama.cpp takes a schema here too.
    const Json* schema = inner.find("schema");
    if (schema == nullptr) return std::optional(grammar::any_json_object());
    return named("response_format.schema", grammar_of_schema(*schema));
  }
  if (type != "json_schema") return inner.wrong("type", "text, json_object or json_schema");
  const Json* outer = inner.find("json_schema");
  if (outer == nullptr || !outer->is_object()) return inner.wrong("json_schema", "an object");
  const Json* schema = Fields(*outer).find("schema");
  if (schema == nullptr)
    return Fields(*outer, "response_format.json_schema.").wrong("schema", "a JSON schema");
  return named("response_format.json_schema.schema", grammar_of_schema(*schema));
}

}  // namespace

Result<std::optional<Grammar>> read_grammar(const Fields& fields) {
  PLM_TRY(std::optional<Grammar> grammar, read_response_format(fields));
  const auto more = [&](std::string_view field, auto&& read) -> Status {
    if (!fields.has(field)) return {};
    if (grammar) {
      return make_error(ErrorKind::invalid_argument,
                        "field {}: only one of grammar, json_schema, regex and response_format can say what "
                        "the answer looks like",
                        field);
    }
    PLM_TRY(grammar, named(field, read()));
    return {};
  };
  PLM_TRY(const std::string source, fields.text("grammar", ""));
  PLM_TRY(const std::string pattern, fields.text("regex", ""));
  if (!source.empty()) PLM_TRY_STATUS(more("grammar", [&] { return grammar::parse_gbnf(source); }));
  PLM_TRY_STATUS(more("json_schema", [&] { return grammar_of_schema(*fields.find("json_schema")); }));
  if (!pattern.empty()) PLM_TRY_STATUS(more("regex", [&] { return grammar::regex_grammar(pattern); }));
  return grammar;
}

Result<Grammar> call_grammar(const Json& tools, std::string_view name) {
  Grammar grammar;
  std::vector<grammar::Expression> calls;
  for (size_t i = 0; i < tools.size(); ++i) {
    const Json& function = tools[i]["function"];
    if (!name.empty() && function["name"] != name) continue;
    const Json any = {{"type", "object"}};
    const auto parameters = function.find("parameters");
    const bool has_parameters = parameters != function.end() && !parameters->is_null();
    const std::string where = fmt::format("field tools[{}].function.parameters", i);
    const auto rule = grammar::add_json_schema(grammar, dump(has_parameters ? *parameters : any), where);
    if (!rule.ok()) return rule.error().with_context(where);
    calls.push_back(grammar::sequence_of(
        {grammar::text_of(fmt::format("{{\"name\": {}, \"arguments\": ", dump(function["name"]))),
         grammar::rule_of(*rule), grammar::text_of("}")}));
  }
  if (calls.empty()) {
    return make_error(ErrorKind::invalid_argument, "field tool_choice: found {}, expected the name of a tool",
                      name);
  }
  grammar.root =
      grammar.add("root", grammar::sequence_of({grammar::text_of(std::string(chat::kToolCallBegin) + "\n"),
                                                grammar::choice_of(std::move(calls)),
                                                grammar::text_of("\n" + std::string(chat::kToolCallEnd))}));
  return grammar;
}

}  // namespace plm::server
