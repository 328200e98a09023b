#include "server/api.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <utility>

#include "server/choices.h"
#include "server/ollama.h"

namespace plm::server {

using scheduler::FinishReason;
using scheduler::Outcome;
using scheduler::Piece;

namespace {

constexpr std::string_view kRetrySeconds = "2";

std::string_view error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 500:
      return "server_error";
    case 501:
      return "not_supported_error";
    case 503:
      return "unavailable_error";
    default:
      return "invalid_request_error";
  }
}

}  // namespace

int failure_status(const Outcome& outcome) {
  switch (outcome.reason) {
    case FinishReason::failed:
      // A grammar that asks for too much shows only while it is run.
      return outcome.error && outcome.error->kind == ErrorKind::invalid_argument ? 400 : 500;
    case FinishReason::cancelled:
    case FinishReason::out_of_patience:
      return 503;
    default:
      return 0;
  }
}

std::string failure_message(const Outcome& outcome) {
  if (outcome.error) return outcome.error->message;
  return outcome.reason == FinishReason::cancelled ? "the server is shutting down"
                                                   : "no slot became free in time";
}

Json error_json(int status, std::string_view message) {
  return {
      {"error", {{"code", status}, {"message", message}, {"type", error_type(status)}, {"param", nullptr}}}};
}

void Exchange::fail(int status, std::string_view message, const Json& details) {
  if (status == 429 || status == 503) reply.add_header("Retry-After", std::string(kRetrySeconds));
  if (request.head.path.starts_with(kOllamaPaths)) return send(status, {{"error", message}});
  Json json = error_json(status, message);
  json["error"].update(details);
  if (request.head.path.starts_with("/v1/messages")) json["type"] = "error";  // Anthropic's form
  send(status, json);
}

void Exchange::fail(const Error& error) {
  const bool is_theirs = error.kind == ErrorKind::invalid_argument || error.kind == ErrorKind::unsupported;
  fail(is_theirs ? 400 : 500, error.message);
}

std::string server_event(const Json& data, std::string_view name) {
  return (name.empty() ? std::string() : fmt::format("event: {}\n", name)) + "data: " + dump(data) + "\n\n";
}

std::string AnswerFormat::failure(int status, std::string_view message) {
  return server_event(error_json(status, message));
}

std::string_view build_info() { return "plm-" PLM_VERSION; }

Json bytes_json(std::string_view bytes) {
  Json list = Json::array();
  for (const char c : bytes) list.push_back(static_cast<unsigned char>(c));
  return list;
}

Json logprobs_json(std::span<const scheduler::ScoredToken> tokens, const tokenizer::Tokenizer& tokenizer) {
  const auto token_json = [&](tokenizer::TokenId id, float log_probability) -> Json {
    const std::string_view text = tokenizer.token_bytes(id);
    return {{"token", text}, {"logprob", log_probability}, {"bytes", bytes_json(text)}};
  };
  Json list = Json::array();
  for (const scheduler::ScoredToken& token : tokens) {
    Json json = token_json(token.id, *token.log_probability);
    json["top_logprobs"] = Json::array();
    for (const auto& [id, number] : token.top) json["top_logprobs"].push_back(token_json(id, number));
    list.push_back(std::move(json));
  }
  return list;
}

Json usage_json(const Totals& totals) {
  return {{"prompt_tokens", totals.n_prompt},
          {"completion_tokens", totals.n_answer},
          {"total_tokens", totals.n_prompt + totals.n_answer},
          {"prompt_tokens_details", {{"cached_tokens", totals.n_cached}}},
          {"completion_tokens_details", {{"reasoning_tokens", 0}}}};  // thoughts are words like others here
}

Json timings_json(const Outcome& outcome) {
  const int64_t n_run = outcome.n_prompt - outcome.n_cached;
  const auto ratio = [](double a, double b) { return b > 0 ? a / b : 0.0; };
  const double prompt_ms = outcome.prompt_seconds * 1e3, answer_ms = outcome.answer_seconds * 1e3;
  const auto n_prompt = static_cast<double>(n_run), n_answer = static_cast<double>(outcome.n_answer);
  Json json = {{"cache_n", outcome.n_cached},
               {"prompt_n", n_run},
               {"prompt_ms", prompt_ms},
               {"prompt_per_token_ms", ratio(prompt_ms, n_prompt)},
               {"prompt_per_second", ratio(n_prompt, outcome.prompt_seconds)},
               {"predicted_n", outcome.n_answer},
               {"predicted_ms", answer_ms},
               {"predicted_per_token_ms", ratio(answer_ms, n_answer)},
               {"predicted_per_second", ratio(n_answer, outcome.answer_seconds)}};
  if (outcome.drafts.n_drafted > 0) {
    json["draft_n"] = outcome.drafts.n_drafted;
    json["draft_n_accepted"] = outcome.drafts.n_accepted;
  }
  return json;
}

std::string_view finish_reason(const Outcome& outcome) {
  const bool ends =
      outcome.reason == FinishReason::end_of_generation || outcome.reason == FinishReason::stop_text;
  return ends ? "stop" : "length";
}

std::string new_id(std::string_view prefix) {
  static constexpr std::string_view kLetters =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::uniform_int_distribution<size_t> letter(0, kLetters.size() - 1);
  std::string id(prefix);
  for (int i = 0; i < 24; ++i) id += kLetters[letter(random)];
  return id;
}

int64_t seconds_since_1970() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Api::Api(scheduler::Scheduler& scheduler, chat::Template chat_template, ApiOptions options)
    : scheduler_(scheduler),
      template_(std::move(chat_template)),
      options_(std::move(options)),
      started_(seconds_since_1970()) {}

std::span<const Api::Route> Api::routes() {
  static constexpr std::array kRoutes = {
      Route{"POST", "/v1/completions", &Api::completions},
      Route{"POST", "/v1/chat/completions", &Api::chat_completions},
      Route{"POST", "/chat/completions", &Api::chat_completions},
      Route{"POST", "/completion", &Api::native_completion},
      Route{"POST", "/completions", &Api::native_completion},
      Route{"POST", "/infill", &Api::infill},
      Route{"POST", "/rerank", &Api::rerank},
      Route{"POST", "/reranking", &Api::rerank},
      Route{"POST", "/v1/rerank", &Api::rerank},
      Route{"POST", "/v1/reranking", &Api::rerank},
      Route{"POST", "/v1/responses", &Api::responses},
      Route{"POST", "/responses", &Api::responses},
      Route{"POST", "/v1/messages", &Api::messages},
      Route{"POST", "/v1/messages/count_tokens", &Api::count_tokens},
      Route{"POST", "/v1/embeddings", &Api::embeddings},
      Route{"POST", "/embedding", &Api::native_embeddings},
      Route{"POST", "/embeddings", &Api::native_embeddings},
      Route{"POST", "/api/generate", &Api::ollama_generate},
      Route{"POST", "/api/chat", &Api::ollama_chat},
      Route{"POST", "/api/embed", &Api::ollama_embed},
      Route{"POST", "/api/embeddings", &Api::ollama_embeddings},
      Route{"GET", "/api/version", &Api::ollama_version},
      Route{"GET", "/api/tags", &Api::ollama_tags},
      Route{"GET", "/api/ps", &Api::ollama_ps},
      Route{"POST", "/api/show", &Api::ollama_show},
      Route{"POST", "/api/pull", &Api::ollama_manage},
      Route{"POST", "/api/push", &Api::ollama_manage},
      Route{"POST", "/api/create", &Api::ollama_manage},
      Route{"POST", "/api/copy", &Api::ollama_manage},
      Route{"DELETE", "/api/delete", &Api::ollama_manage},
      Route{"GET", "/api/blobs/{name}", &Api::ollama_manage},
      Route{"POST", "/api/blobs/{name}", &Api::ollama_manage},
      Route{"GET", "/v1/models", &Api::models},
      Route{"GET", "/v1/models/{name}", &Api::model},
      Route{"GET", "/models", &Api::models},
      Route{"GET", "/health", &Api::health},
      Route{"GET", "/v1/health", &Api::health},
      Route{"GET", "/props", &Api::props},
      Route{"POST", "/props", &Api::change_props},
      Route{"GET", "/lora-adapters", &Api::adapters},
      Route{"POST", "/lora-adapters", &Api::change_adapters},
      Route{"GET", "/slots", &Api::slots},
      Route{"POST", "/slots/{id}", &Api::slot_action},
      Route{"GET", "/metrics", &Api::metrics},
      Route{"GET", "/v1/plm/activity", &Api::activity},
      Route{"POST", "/tokenize", &Api::tokenize},
      Route{"POST", "/detokenize", &Api::detokenize},
      Route{"POST", "/apply-template", &Api::apply_template},
      Route{"GET", "/tokenizer_info", &Api::tokenizer_info},
      Route{"GET", "/openapi.json", &Api::openapi},
  };
  return kRoutes;
}

bool Api::Route::refuses_all() const {
  return answer == &Api::infill || answer == &Api::rerank || answer == &Api::change_props ||
         answer == &Api::change_adapters || answer == &Api::ollama_manage;
}

bool Api::matches(const Route& route, std::string_view path) {
  const std::string_view before = route.path.substr(0, route.path.find('{'));
  if (before.size() == route.path.size()) return route.path == path;
  if (path.size() <= before.size() || !path.starts_with(before)) return false;
  return route.path.ends_with("{name}") || path.find('/', before.size()) == std::string_view::npos;
}

void Api::handle(Exchange& exchange) const {
  const HttpHead& head = exchange.request.head;
  const std::string_view method = head.method == "HEAD" ? "GET" : std::string_view(head.method);
  std::string allowed;
  for (const Route& route : routes()) {
    if (!matches(route, head.path)) continue;
    if (route.method != method) {
      allowed = route.method;
      continue;
    }
    if (method == "POST" && !route.refuses_all()) {
      auto body = parse_json_object(exchange.request.body);
      if (!body.ok()) return exchange.fail(body.error());
      exchange.body = *std::move(body);
    }
    return (this->*route.answer)(exchange);
  }
  if (allowed.empty()) return exchange.fail(404, "there is nothing under this path");
  exchange.reply.add_header("Allow", allowed);
  exchange.fail(405, "this path takes " + allowed);
}

Result<std::vector<tokenizer::TokenId>> Api::prompt_tokens(std::string_view text, size_t enough) const {
  auto tokens = tokenizer().encode(text, {.add_special = true, .parse_special = true, .enough = enough});
  if (tokens.empty() && tokenizer().bos()) tokens.push_back(*tokenizer().bos());
  if (tokens.empty()) {
    return make_error(ErrorKind::invalid_argument,
                      "the prompt is empty, and the model has no token to begin with");
  }
  return tokens;
}

Status Api::constrain(Generation& generation, const std::optional<grammar::Grammar>& grammar) const {
  if (!grammar) return {};
  std::call_once(has_token_index_, [&] { token_index_ = grammar::TokenIndex::create(tokenizer()); });
  PLM_TRY(generation.request.sampling.constraint, grammar::Constraint::create(*grammar, token_index_));
  return {};
}

std::vector<std::shared_ptr<scheduler::Answer>> Api::submit(Exchange& exchange,
                                                            std::vector<scheduler::Request> requests) const {
  std::vector<std::shared_ptr<scheduler::Answer>> answers;
  const auto give_up = [&] {
    for (const auto& answer : answers) answer->cancel();
    answers.clear();
  };
  const int64_t capacity = scheduler_.engine().context_length();
  for (scheduler::Request& request : requests) {
    request.patience = options_.patience;
    const int64_t n_prompt = std::ssize(request.prompt);
    if (n_prompt > capacity - (request.max_tokens == 0 ? 0 : 1)) {
      give_up();
      const auto enough = static_cast<int64_t>(enough_tokens());
      const bool is_counted = n_prompt <= enough;
      const int64_t n_told = std::min(n_prompt, enough);
      exchange.fail(
          400,
          fmt::format("the prompt has {}{} tokens, the context room for {}", is_counted ? "" : "more than ",
                      n_told, capacity),
          {{"type", "exceed_context_size_error"}, {"n_prompt_tokens", n_told}, {"n_ctx", capacity}});
      return answers;
    }
    auto answer = scheduler_.submit(std::move(request));
    if (!answer.ok() || *answer == nullptr) {
      give_up();
      if (!answer.ok()) {
        exchange.fail(answer.error());
      } else {
        exchange.fail(scheduler_.is_draining() ? 503 : 429, scheduler_.is_draining()
                                                                ? "the server is shutting down"
                                                                : "too many requests are waiting");
      }
      return answers;
    }
    answers.push_back(*std::move(answer));
  }
  return answers;
}

namespace {

// Reads answers and writes them, as they come or at the end.
class Teller {
 public:
  Teller(Exchange& exchange, const Generation& generation, AnswerFormat& format, size_t n_answers,
         std::chrono::milliseconds ping_interval)
      : exchange_(exchange),
        generation_(generation),
        format_(format),
        answers_(n_answers),
        ping_interval_(ping_interval) {}

  bool show(size_t index, Piece piece, const Outcome* outcome) {
    if (outcome != nullptr) return end(index, *outcome);
    if (generation_.streams) return begin() && write(format_.piece(index, piece));
    Whole& whole = answers_[index];
    whole.text += piece.text;
    whole.prompt.insert(whole.prompt.end(), piece.prompt.begin(), piece.prompt.end());
    whole.tokens.insert(whole.tokens.end(), piece.tokens.begin(), piece.tokens.end());
    return true;
  }

  bool idle() {
    if (exchange_.reply.is_client_gone()) return false;
    if (!generation_.streams || ping_interval_.count() == 0) return true;
    if (Clock::now() - last_write_ < ping_interval_) return true;
    // What fails from here on is told in the stream: its status has been said.
    return start() && write(format_.ping());
  }

  void finish() {
    if (generation_.streams) {
      if (begin()) write(format_.finish(exchange_.totals, answers_.back().outcome));
      return;
    }
    exchange_.send(200, format_.whole(answers_, exchange_.totals));
  }

 private:
  bool start() {
    if (exchange_.reply.is_started()) return true;
    exchange_.reply.add_header("Cache-Control", "no-store");
    return exchange_.reply.start(200, format_.stream_type());
  }

  bool begin() {
    if (!start()) return false;
    return std::exchange(is_begun_, true) || write(format_.begin());
  }

  bool write(std::string_view text) {
    last_write_ = Clock::now();
    return exchange_.reply.write(text);
  }

  bool end(size_t index, const Outcome& outcome) {
    Totals& totals = exchange_.totals;
    totals.n_answer += outcome.n_answer;
    if (index % static_cast<size_t>(generation_.n) == 0) {
      totals.n_prompt += outcome.n_prompt;
      totals.n_cached += outcome.n_cached;
    }
    answers_[index].outcome = outcome;
    if (const int status = failure_status(outcome); status != 0) {
      if (!exchange_.reply.is_started()) {
        exchange_.fail(status, failure_message(outcome));
      } else {
        write(format_.failure(status, failure_message(outcome)));
      }
      return false;
    }
    return !generation_.streams || (begin() && write(format_.end(index, outcome)));
  }

  Exchange& exchange_;
  const Generation& generation_;
  AnswerFormat& format_;
  std::vector<Whole> answers_;
  std::chrono::milliseconds ping_interval_;
  bool is_begun_ = false;
  Clock::time_point last_write_ = Clock::now();
};

}  // namespace

void Api::answer(Exchange& exchange, const Generation& generation,
                 const std::vector<std::vector<tokenizer::TokenId>>& prompts, AnswerFormat& format) const {
  if (std::ssize(prompts) * generation.n > kMaxAnswers) {
    return exchange.fail(400, fmt::format("{} prompts with n = {}: more than {} answers", prompts.size(),
                                          generation.n, kMaxAnswers));
  }
  std::vector<scheduler::Request> requests;
  for (const auto& prompt : prompts) {
    for (int64_t k = 0; k < generation.n; ++k) {
      requests.push_back(choice_request(generation, prompt, k));
      int64_t& most = requests.back().max_tokens;
      if (most < 0) most = options_.max_tokens;
    }
  }
  auto answers = submit(exchange, std::move(requests));
  if (answers.empty()) return;
  Teller teller(exchange, generation, format, answers.size(), options_.ping_interval);
  Choices choices(std::move(answers));
  const bool is_complete =
      choices.read([&](size_t index, Piece piece,
                       const Outcome* outcome) { return teller.show(index, std::move(piece), outcome); },
                   [&] { return teller.idle(); });
  if (is_complete) teller.finish();
}

Status Api::answer_chat(Exchange& exchange, const Json& chat, const FormatMaker& make_format) const {
  const Fields fields(chat);
  PLM_TRY(Generation generation, read_generation(fields, options_.sampling, tokenizer()));
  if (generation.n != 1) return fields.wrong("n", "1");
  PLM_TRY(const ChatPrompt prompt, begin_chat(fields, generation));
  PLM_TRY(auto tokens, prompt_tokens(prompt.text));
  using Finds = AnswerReader::Finds;
  const auto format = make_format(AnswerReader(prompt.tools.is_null() ? Finds::words_alone : Finds::calls),
                                  std::ssize(tokens));
  answer(exchange, generation, {std::move(tokens)}, *format);
  return {};
}

}  // namespace plm::server
