// The schemas of chats in their three forms: messages, tools, and the choice among them.
#include "chat/template.h"
#include "server/chat_prompt.h"
#include "server/generation.h"
#include "server/openapi_schemas.h"
#include "server/schema_terms.h"

namespace plm::server {

namespace {

using namespace schema;  // NOLINT(google-build-using-namespace): its words are what this file is written in

Json name() { return {{"type", "string"}, {"minLength", 1}}; }

Json described(Json json, std::string_view description) {
  json["description"] = description;
  return json;
}

Json text_part() {
  return object({{"type", one_of_words({"text", "input_text", "output_text"})}, {"text", text()}});
}
Json text_content() { return any_of({text(), list(text_part())}); }

Json tool_call() {
  return object({{"function", object({{"name", text()}}, {{"arguments", any_of({text(), any_object()})}})}},
                {{"id", text()}, {"type", constant("function")}});
}

// Words or calls, or both.
Json message(const Json& more = Json::object()) {
  const Json role = one_of_words({"system", "developer", "user", "assistant", "tool"});
  const Json rest = with({{"name", text()}, {"tool_call_id", text()}, {"reasoning_content", text()}}, more);
  return any_of(
      {object({{"role", role}, {"content", text_content()}}, with(rest, {{"tool_calls", list(tool_call())}})),
       object({{"role", role}, {"tool_calls", list(tool_call(), 1, INT32_MAX)}},
              with(rest, {{"content", text_content()}}))});
}

// An item of "input" of /v1/responses.
Json response_item() {
  const Json call = object({{"type", constant("function_call")}, {"call_id", name()}, {"name", name()}},
                           {{"arguments", text()}});
  const Json output =
      object({{"type", constant("function_call_output")}, {"call_id", name()}, {"output", text_content()}});
  return any_of({message({{"type", constant("message")}}), call, output});
}

// A message of /v1/messages.
Json anthropic_message() {
  const Json use =
      object({{"type", constant("tool_use")}, {"id", name()}, {"name", name()}}, {{"input", any_object()}});
  const Json result =
      object({{"type", constant("tool_result")}, {"tool_use_id", name()}}, {{"content", text_content()}});
  return object({{"role", one_of_words({"system", "developer", "user", "assistant", "tool"})},
                 {"content", any_of({text(), list(any_of({text_part(), use, result}))})}});
}

Json tools(const SchemaLimits& limits, Json tool) {
  return described(
      list(std::move(tool), 0, limits.knows_tools ? kMaxTools : 0),
      limits.knows_tools ? "what the model may call" : "the model's chat template knows of no tools");
}

Json messages() { return list(schema::ref("Message"), 1, 4000); }

// What render_chat() reads beside messages and tools.
Json template_fields() {
  return {{"chat_template_kwargs", described(any_object(), "further variables of the chat template")},
          {"add_generation_prompt", flag()}};
}

Json chat_tools(const SchemaLimits& limits) {
  const Json function = object({{"name", name()}}, {{"description", text()}, {"parameters", any_object()}});
  const Json named = object({{"function", object({{"name", name()}})}}, {{"type", constant("function")}});
  return {{"tools", tools(limits, object({{"function", function}}, {{"type", constant("function")}}))},
          {"tool_choice", any_of({one_of_words({"none", "auto", "required"}), named})},
          {"parallel_tool_calls", flag()}};
}

Json response_tools(const SchemaLimits& limits) {
  const Json tool =
      object({{"name", name()}},
             {{"type", constant("function")}, {"description", text()}, {"parameters", any_object()}});
  const Json named = object({{"type", constant("function")}, {"name", name()}});
  return {{"tools", tools(limits, tool)},
          {"tool_choice", any_of({one_of_words({"none", "auto", "required"}), named})},
          {"parallel_tool_calls", flag()}};
}

Json anthropic_tools(const SchemaLimits& limits) {
  const Json tool =
      object({{"name", name()}},
             {{"type", constant("custom")}, {"description", text()}, {"input_schema", any_object()}});
  const Json one_alone = {{"disable_parallel_tool_use", flag()}};
  const Json named = object({{"type", constant("tool")}, {"name", name()}}, one_alone);
  return {
      {"tools", tools(limits, tool)},
      {"tool_choice", any_of({object({{"type", one_of_words({"auto", "any", "none"})}}, one_alone), named})}};
}

}  // namespace

Json chat_request_schemas(const SchemaLimits& limits, const Json& fields) {
  Json response_fields = fields;  // max_output_tokens alone says how long an answer may be
  for (const char* length : {"max_tokens", "max_completion_tokens", "n_predict"}) {
    response_fields.erase(length);
  }
  response_fields.erase("response_format");
  const Json text_format = any_of({object({{"type", one_of_words({"text", "json_object"})}}),
                                   object({{"type", constant("json_schema")}, {"schema", json_schema()}})});
  const Json of_chat = with(template_fields(), chat_tools(limits));
  const Json of_message =
      with(with(template_fields(), anthropic_tools(limits)), {{"system", text_content()}});
  const Json anthropic_messages = list(anthropic_message(), 1, 4000);
  return {
      {"Message", message()},
      {"ChatRequest", object({{"messages", messages()}},
                             with(with(fields, of_chat), {{"n", whole(1, kMaxChoices)},
                                                          {"logprobs", flag()},
                                                          {"top_logprobs", whole(0, kMaxTopLogprobs)}}))},
      {"TemplateRequest", object({{"messages", messages()}}, of_chat)},
      {"ResponseRequest", object({{"input", any_of({text(), list(response_item(), 1, 4000)})}},
                                 with(with(with(response_fields, template_fields()), response_tools(limits)),
                                      {{"instructions", text()},
                                       {"max_output_tokens", whole(1, INT32_MAX)},
                                       {"text", object(Json::object(), {{"format", text_format}})}}))},
      {"MessagesRequest",
       object({{"messages", anthropic_messages}, {"max_tokens", whole(1, INT32_MAX)}},
              with(with(fields, of_message),
                   {{"stop_sequences",
                     list({{"type", "string"}, {"maxLength", kMaxStopBytes}}, 0, kMaxStopTexts)}}))},
      {"CountRequest", object({{"messages", anthropic_messages}}, of_message)}};
}

Json chat_reply_schemas() {
  const Json part = object({{"type", one_of_words({"text", "output_text"})}, {"text", text()}});
  const Json status = one_of_words({"completed", "incomplete"});
  const Json item = object({{"id", text()},
                            {"type", constant("message")},
                            {"status", status},
                            {"role", constant("assistant")},
                            {"content", list(part)}});
  const Json call_item = object({{"id", text()},
                                 {"type", constant("function_call")},
                                 {"status", constant("completed")},
                                 {"call_id", text()},
                                 {"name", text()},
                                 {"arguments", text()}});
  const Json use =
      object({{"type", constant("tool_use")}, {"id", text()}, {"name", text()}, {"input", any_object()}});
  return {{"Response", object({{"id", text()},
                               {"object", constant("response")},
                               {"created_at", whole()},
                               {"status", status},
                               {"model", text()},
                               {"output", list(any_of({item, call_item}))},
                               {"usage", object({{"input_tokens", whole()}, {"output_tokens", whole()}})}})},
          {"AnthropicMessage",
           object({{"id", text()},
                   {"type", constant("message")},
                   {"role", constant("assistant")},
                   {"model", text()},
                   {"content", list(any_of({part, use}))},
                   {"stop_reason", one_of_words({"end_turn", "max_tokens", "stop_sequence", "tool_use"})},
                   {"stop_sequence", or_null(text())},
                   {"usage", object({{"input_tokens", whole()}, {"output_tokens", whole()}})}})},
          {"Count", object({{"input_tokens", whole()}})}};
}

}  // namespace plm::server
