// The endpoints. Each answers one request, in the thread of its connection.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "chat/template.h"
#include "grammar/constraint.h"
#include "scheduler/scheduler.h"
#include "server/answer_format.h"
#include "server/chat_prompt.h"
#include "server/generation.h"
#include "server/http_server.h"
#include "server/json.h"

namespace plm::server {

// A LoRA adapter that the model was loaded with.
struct AdapterInfo {
  std::string path;
  float scale = 1;
};

struct ApiOptions {
  std::string model_name;  // as clients call it
  std::string model_path;
  std::vector<AdapterInfo> adapters;
  std::string quantization;          // "Q4_K_M"; empty: not known
  runtime::SamplerOptions sampling;  // of requests that do not say
  int64_t max_tokens = -1;           // likewise; negative: as many as the context holds
  chat::Json template_variables = chat::Json::object();
  scheduler::Pooling pooling = scheduler::Pooling::mean;
  bool shows_slots = true, shows_metrics = false;
  std::chrono::seconds patience{600};  // for a slot
  // Between two signs of life in a stream that is silent, also while it waits for a slot or its prompt is
  // read; 0: none.
  std::chrono::milliseconds ping_interval{30'000};
  std::string slot_save_path;  // folder of saved slots; empty: none are saved
};

// One request, what was read of it, and its reply.
struct Exchange {
  const HttpRequest& request;
  HttpReply& reply;
  Json body = Json::object();
  Totals totals = {};  // for the log

  void send(int status, const Json& json) { reply.send(status, "application/json", dump(json)); }
  // `details`: further fields of the error, where its form has room for them.
  void fail(int status, std::string_view message, const Json& details = Json::object());
  // invalid_argument and unsupported: 400, for to try again is of no use; else 500.
  void fail(const Error& error);
};

// What an answer that came to nothing is to the client; 0: it came to something.
int failure_status(const scheduler::Outcome& outcome);
std::string failure_message(const scheduler::Outcome& outcome);

// {"error": {"code", "message", "type"}}, OpenAI's and llama.cpp's.
Json error_json(int status, std::string_view message);

class Api {
 public:
  // The scheduler must outlive it.
  Api(scheduler::Scheduler& scheduler, chat::Template chat_template, ApiOptions options);

  // Answers a request of somebody who may ask. For many threads at once.
  void handle(Exchange& exchange) const;

  struct Route {
    // A path that ends in {id} stands for all that have something there; in {name}, also with a '/' in it.
    std::string_view method, path;
    void (Api::*answer)(Exchange&) const;

    // Whatever the body says, which is not read then.
    bool refuses_all() const;
  };
  static std::span<const Route> routes();
  static bool matches(const Route& route, std::string_view path);

 private:
  void completions(Exchange& exchange) const;
  void native_completion(Exchange& exchange) const;
  void infill(Exchange& exchange) const;
  void rerank(Exchange& exchange) const;
  void chat_completions(Exchange& exchange) const;
  void responses(Exchange& exchange) const;
  void messages(Exchange& exchange) const;
  void count_tokens(Exchange& exchange) const;
  void embeddings(Exchange& exchange) const;
  void native_embeddings(Exchange& exchange) const;
  void model(Exchange& exchange) const;
  void models(Exchange& exchange) const;
  void health(Exchange& exchange) const;
  void props(Exchange& exchange) const;
  void change_props(Exchange& exchange) const;
  void adapters(Exchange& exchange) const;
  void change_adapters(Exchange& exchange) const;
  void slots(Exchange& exchange) const;
  void slot_action(Exchange& exchange) const;
  void metrics(Exchange& exchange) const;
  void activity(Exchange& exchange) const;
  void tokenize(Exchange& exchange) const;
  void detokenize(Exchange& exchange) const;
  void apply_template(Exchange& exchange) const;
  void tokenizer_info(Exchange& exchange) const;
  void openapi(Exchange& exchange) const;
  void ollama_generate(Exchange& exchange) const;
  void ollama_chat(Exchange& exchange) const;
  void ollama_embed(Exchange& exchange) const;
  void ollama_embeddings(Exchange& exchange) const;
  void ollama_version(Exchange& exchange) const;
  void ollama_tags(Exchange& exchange) const;
  void ollama_ps(Exchange& exchange) const;
  void ollama_show(Exchange& exchange) const;
  void ollama_manage(Exchange& exchange) const;

  // A field of one or several texts, as text and as tokens.
  struct Prompts {
    std::vector<std::vector<tokenizer::TokenId>> ids;
    std::vector<std::string> texts;
  };
  // Of texts that are longer than the context: where they are refused, none is read after the first that is
  // much too long; where they are cut, all are.
  enum class TooLong { is_refused, is_cut };
  Result<Prompts> read_prompts(const Fields& fields, std::string_view name = "prompt",
                               TooLong too_long = TooLong::is_refused) const;
  // A vector for each of these; none when the exchange has been answered with an error.
  std::vector<std::vector<float>> embed(Exchange& exchange, Prompts inputs) const;
  Json model_json() const;
  const Json& ollama_entry() const;  // the model, as /api/tags has it
  // The texts that `format` shapes, for each prompt n of them.
  void answer(Exchange& exchange, const Generation& generation,
              const std::vector<std::vector<tokenizer::TokenId>>& prompts, AnswerFormat& format) const;
  // The text a chat is to be continued from; how its answer ends and what it may look like goes to
  // `generation`.
  Result<ChatPrompt> begin_chat(const Fields& fields, Generation& generation) const;
  // The one answer to a request of another form of API that was made into one of /v1/chat/completions.
  using FormatMaker = std::function<std::unique_ptr<AnswerFormat>(AnswerReader reader, int64_t n_prompt)>;
  Status answer_chat(Exchange& exchange, const Json& chat, const FormatMaker& make_format) const;
  // Empty when the exchange has been answered with an error.
  std::vector<std::shared_ptr<scheduler::Answer>> submit(Exchange& exchange,
                                                         std::vector<scheduler::Request> requests) const;
  // Makes the answers stay in the grammar, where there is one.
  Status constrain(Generation& generation, const std::optional<grammar::Grammar>& grammar) const;
  Result<Json> save_slot(int id, const std::string& name) const;
  Result<Json> restore_slot(int id, const std::string& name) const;
  // Of a prompt: of one that is much too long only so many that submit() refuses it.
  Result<std::vector<tokenizer::TokenId>> prompt_tokens(std::string_view text) const {
    return prompt_tokens(text, enough_tokens());
  }
  Result<std::vector<tokenizer::TokenId>> prompt_tokens(std::string_view text, size_t enough) const;
  // A prompt beyond the context is counted up to here, so that its sender learns how much to leave out.
  size_t enough_tokens() const { return 2 * static_cast<size_t>(scheduler_.engine().context_length()); }
  const tokenizer::Tokenizer& tokenizer() const { return scheduler_.engine().tokenizer(); }

  scheduler::Scheduler& scheduler_;
  chat::Template template_;
  ApiOptions options_;
  int64_t started_;
  mutable std::once_flag has_ollama_entry_;
  mutable Json ollama_entry_;  // made when it is first asked for
  mutable std::once_flag has_token_index_;
  mutable std::shared_ptr<const grammar::TokenIndex> token_index_;  // made for the first grammar
};

// A fresh id: "chatcmpl-" and 24 letters and digits.
std::string new_id(std::string_view prefix);
int64_t seconds_since_1970();

}  // namespace plm::server
