#include "api/c_values.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace plm::api {

namespace {

// What an older program knows of the options, over the defaults of what it does not.
template <class Options>
Result<Options> read_options(const char* name, const Options* given, void (*init)(Options*)) {
  Options options;
  init(&options);
  if (given == nullptr) return options;
  if (given->struct_size < sizeof(size_t) || given->struct_size > sizeof(Options)) {
    return make_error(
        ErrorKind::invalid_argument,
        "{}: found a size of {}, expected {}: begin with {}_init, and link the library of your header", name,
        given->struct_size, sizeof(Options), name);
  }
  std::memcpy(&options, given, given->struct_size);
  return options;
}

}  // namespace

Result<std::string> text_of(const char* name, plm_text text) {
  PLM_TRY(const auto bytes, span_of(name, text.data, text.size));
  return std::string(bytes.begin(), bytes.end());
}

KeepGoing keep_going_of(plm_keep_going keep_going, void* data) {
  if (keep_going == nullptr) return {};
  return [keep_going, data] { return keep_going(data) != 0; };
}

Result<ModelOptions> model_options(const plm_model_options* options) {
  if (options == nullptr) return make_error(ErrorKind::invalid_argument, "options: found a null pointer");
  PLM_TRY(const auto given, read_options("plm_model_options", options, plm_model_options_init));
  ModelOptions made;
  PLM_TRY(made.path, text_of("path", given.path));
  PLM_TRY(made.cache_type, text_of("cache_type", given.cache_type));
  PLM_TRY(made.chat_template, text_of("chat_template", given.chat_template));
  PLM_TRY(made.draft_path, text_of("draft_path", given.draft_path));
  made.prompt_lookup = given.prompt_lookup != 0;
  made.n_threads = given.n_threads;
  made.n_parallel = given.n_parallel;
  made.context_length = given.context_length;
  made.batch_size = given.batch_size;
  made.prefix_bytes = given.prefix_bytes;
  return made;
}

Result<GenerateOptions> generate_options(const plm_generate_options* options) {
  PLM_TRY(const auto given, read_options("plm_generate_options", options, plm_generate_options_init));
  GenerateOptions made;
  made.max_tokens = given.max_tokens;
  made.temperature = given.temperature;
  made.top_k = given.top_k;
  made.top_p = given.top_p;
  made.min_p = given.min_p;
  made.typical_p = given.typical_p;
  made.repeat_last_n = given.repeat_last_n;
  made.repeat_penalty = given.repeat_penalty;
  made.presence_penalty = given.presence_penalty;
  made.frequency_penalty = given.frequency_penalty;
  if (given.has_seed != 0) made.seed = given.seed;
  PLM_TRY(const auto stop, span_of("stop", given.stop, given.n_stop));
  for (const plm_text& text : stop) {
    PLM_TRY(std::string read, text_of("stop", text));
    made.stop.push_back(std::move(read));
  }
  PLM_TRY(const auto biases, span_of("logit_bias", given.logit_bias, given.n_logit_bias));
  for (const plm_bias& bias : biases) made.logit_bias.emplace_back(bias.id, bias.bias);
  PLM_TRY(made.grammar, text_of("grammar", given.grammar));
  PLM_TRY(made.json_schema, text_of("json_schema", given.json_schema));
  PLM_TRY(made.regex, text_of("regex", given.regex));
  made.n_top = given.n_top;
  made.ignores_end = given.ignores_end != 0;
  made.shows_special = given.shows_special != 0;
  made.parse_special = given.parse_special != 0;
  made.keep_going = keep_going_of(given.keep_going, given.keep_going_data);
  return made;
}

PieceView::PieceView(const Piece& piece) {
  tops_.reserve(piece.tokens.size());
  for (const TokenScore& token : piece.tokens) {
    auto& top = tops_.emplace_back();
    for (const auto& [id, log_probability] : token.top) top.push_back({id, log_probability});
    tokens_.push_back(
        {.id = token.id,
         .log_probability = token.log_probability.value_or(std::numeric_limits<float>::quiet_NaN()),
         .top = top.data(),
         .n_top = top.size()});
  }
  for (const ToolCall& call : piece.tool_calls) {
    calls_.push_back({.name = to_c(call.name), .arguments = to_c(call.arguments)});
  }
  view_ = {.text = to_c(piece.text),
           .tokens = tokens_.data(),
           .n_tokens = tokens_.size(),
           .tool_calls = calls_.data(),
           .n_tool_calls = calls_.size()};
}

}  // namespace plm::api
