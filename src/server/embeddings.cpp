// /v1/embeddings, and /embedding, llama.cpp's own form: the last hidden rows of a text, pooled to one vector
// of length 1.
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

std::vector<std::vector<float>> Api::embed(Exchange& exchange, Prompts inputs) const {
  std::vector<scheduler::Request> requests;
  for (auto& tokens : inputs.ids) {
    requests.emplace_back();
    requests.back().prompt = std::move(tokens);
    requests.back().pooling = options_.pooling;
    requests.back().max_tokens = 0;
  }
  auto answers = submit(exchange, std::move(requests));
  if (answers.empty()) return {};
  std::vector<std::vector<float>> rows(answers.size());
  const auto show = [&](size_t index, const scheduler::Piece&, const scheduler::Outcome* outcome) {
    if (outcome == nullptr) return true;
    if (const int status = failure_status(*outcome); status != 0) {
      exchange.fail(status, failure_message(*outcome));
      return false;
    }
    rows[index] = outcome->embedding;
    exchange.totals.n_prompt += outcome->n_prompt;
    return true;
  };
  if (!Choices(std::move(answers)).read(show, [&] { return !exchange.reply.is_client_gone(); })) return {};
  return rows;
}

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
    PLM_TRY(Prompts inputs, read_prompts(fields, "input"));
    auto rows = embed(exchange, std::move(inputs));
    if (rows.empty()) return {};
    Json data = Json::array();
    for (auto& row : rows) {
      scheduler::scale_to_unit_length(row);
      Json json = {{"object", "embedding"}, {"index", data.size()}, {"embedding", row}};
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

// llama.cpp's own form: a list whose vectors are in lists, for a model without pooling has one a token.
void Api::native_embeddings(Exchange& exchange) const {
  constexpr int64_t kAsTheyAre = -1, kOfLengthOne = 2;
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    PLM_TRY(const int64_t norm, fields.integer("embd_normalize", kOfLengthOne, kAsTheyAre, kOfLengthOne));
    if (norm != kAsTheyAre && norm != kOfLengthOne) return fields.wrong("embd_normalize", "2 or -1");
    PLM_TRY(Prompts inputs, read_prompts(fields, fields.has("input") ? "input" : "content"));
    Json list = Json::array();
    for (auto& row : embed(exchange, std::move(inputs))) {
      if (norm == kOfLengthOne) scheduler::scale_to_unit_length(row);
      list.push_back({{"index", list.size()}, {"embedding", Json::array({row})}});
    }
    if (!list.empty()) exchange.send(200, list);
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

}  // namespace plm::server
