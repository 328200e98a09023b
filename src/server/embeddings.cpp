// /v1/embeddings: the last hidden rows of a text, pooled to one vector of length 1.
#include <cstring>

#include "scheduler/pooling.h"
#include "server/api.h"
#include "server/choices.h"

namespace plm::server {

namespace {

std::string base64(std::string_view bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t k) {
      return i + k < bytes.size() ? static_cast<uint32_t>(static_cast<unsigned char>(bytes[i + k])) : 0U;
    };
    const uint32_t three = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (size_t k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : kLetters[three >> (18 - 6 * k) & 63];
  }
  return text;
}

}  // namespace

void Api::embeddings(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    PLM_TRY(const std::string encoding, fields.text("encoding_format", "float"));
    if (encoding != "float" && encoding != "base64")
      return fields.wrong("encoding_format", "float or base64");
    const int64_t width = scheduler_.engine().config().width;
    PLM_TRY(const int64_t dimensions, fields.integer("dimensions", width, 1, INT32_MAX));
    if (dimensions != width)
      return fields.wrong("dimensions", fmt::format("{}: this model has no other", width));
    const Json* input = fields.find("input");
    constexpr std::string_view kForms = "a string, a list of strings, token ids, or lists of token ids";
    if (input == nullptr) return fields.wrong("input", kForms);
    const bool is_list = input->is_array() && !input->empty() && !(*input)[0].is_number();
    const Json inputs = is_list ? *input : Json::array({*input});
    if (std::ssize(inputs) > kMaxPrompts)
      return fields.wrong("input", fmt::format("at most {} inputs", kMaxPrompts));
    std::vector<scheduler::Request> requests;
    for (const Json& one : inputs) {
      scheduler::Request request;
      request.pooling = options_.pooling;
      request.max_tokens = 0;
      if (one.is_string()) {
        PLM_TRY(request.prompt, prompt_tokens(one.get_ref<const std::string&>()));
      } else if (one.is_array() && !one.empty()) {
        PLM_TRY(request.prompt, read_token_ids(one, "input", tokenizer()));
      } else {
        return fields.wrong("input", kForms);
      }
      requests.push_back(std::move(request));
    }
    auto answers = submit(exchange, std::move(requests));
    if (answers.empty()) return {};
    std::vector<scheduler::Outcome> outcomes(answers.size());
    const bool is_complete =
        Choices(std::move(answers))
            .read(
                [&](size_t index, const scheduler::Piece&, const scheduler::Outcome* outcome) {
                  if (outcome != nullptr) outcomes[index] = *outcome;
                  return true;
                },
                [&] { return !exchange.reply.is_client_gone(); });
    if (!is_complete) return {};
    Json data = Json::array();
    for (size_t i = 0; i < outcomes.size(); ++i) {
      std::vector<float>& row = outcomes[i].embedding;
      if (row.empty()) {
        exchange.fail(503, "the server is shutting down, or no slot became free in time");
        return {};
      }
      exchange.totals.n_prompt += outcomes[i].n_prompt;
      scheduler::scale_to_unit_length(row);
      Json json = {{"object", "embedding"}, {"index", i}, {"embedding", row}};
      if (encoding == "base64") {
        std::string bytes(row.size() * sizeof(float), '\0');
        std::memcpy(bytes.data(), row.data(), bytes.size());
        json["embedding"] = base64(bytes);
      }
      data.push_back(std::move(json));
    }
    exchange.send(
        200, {{"object", "list"},
              {"data", std::move(data)},
              {"model", options_.model_name},
              {"usage",
               {{"prompt_tokens", exchange.totals.n_prompt}, {"total_tokens", exchange.totals.n_prompt}}}});
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

}  // namespace plm::server
