// Tokens and templates without the model: /tokenize, /detokenize, /apply-template, /tokenizer_info.
#include "server/api.h"
#include "server/chat_prompt.h"
#include "tokenizer/utf8.h"

namespace plm::server {

namespace {

// Whether the bytes are characters: a token may hold a part of one.
bool is_whole_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto character = tokenizer::decode_utf8(bytes);
    if (character.code_point == tokenizer::kInvalidCodePoint) return false;
    bytes.remove_prefix(character.length);
  }
  return true;
}

}  // namespace

void Api::tokenize(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    // llama.cpp says content and add_special, vLLM and lm-eval prompt and add_special_tokens.
    const std::string_view name = fields.has("prompt") ? "prompt" : "content";
    if (!fields.has(name)) return fields.wrong(name, "a string");
    PLM_TRY(const std::string text, fields.text(name, ""));
    PLM_TRY(const bool llama_special, fields.boolean("add_special", false));
    PLM_TRY(const bool adds_special, fields.boolean("add_special_tokens", llama_special));
    PLM_TRY(const bool parses_special, fields.boolean("parse_special", true));
    PLM_TRY(const bool tells_pieces, fields.boolean("with_pieces", false));
    const auto ids = tokenizer().encode(text, {.add_special = adds_special, .parse_special = parses_special});
    Json tokens = Json::array();
    for (const auto id : ids) {
      if (tells_pieces) {
        const std::string_view piece = tokenizer().token_bytes(id);
        tokens.push_back({{"id", id}, {"piece", is_whole_text(piece) ? Json(piece) : bytes_json(piece)}});
      } else {
        tokens.push_back(id);
      }
    }
    exchange.send(200, {{"tokens", std::move(tokens)},
                        {"count", ids.size()},
                        {"max_model_len", scheduler_.engine().context_length()}});
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

void Api::detokenize(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    const Json* tokens = fields.find("tokens");
    if (tokens == nullptr || !tokens->is_array()) return fields.wrong("tokens", "a list of token ids");
    PLM_TRY(const auto ids, read_token_ids(*tokens, "tokens", tokenizer()));
    const std::string text = tokenizer().decode(ids);
    exchange.send(200, {{"content", text}, {"prompt", text}});  // llama.cpp's name and vLLM's
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

void Api::apply_template(Exchange& exchange) const {
  auto prompt = render_chat(Fields(exchange.body), template_, options_.template_variables);
  if (!prompt.ok()) return exchange.fail(prompt.error());
  exchange.send(200, {{"prompt", prompt->text}});
}

void Api::tokenizer_info(Exchange& exchange) const {
  const auto text = [&](std::optional<tokenizer::TokenId> id) {
    return id ? Json(tokenizer().token_text(*id)) : Json(nullptr);
  };
  exchange.send(200, {{"tokenizer_class", tokenizer().model()},
                      {"bos_token", text(tokenizer().bos())},
                      {"eos_token", text(tokenizer().eos())},
                      {"pad_token", text(tokenizer().padding())},
                      {"chat_template", template_.source()}});
}

}  // namespace plm::server
