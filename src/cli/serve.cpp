// plm serve: the OpenAI API, and Ollama's, over HTTP.

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/peer_options.h"
#include "cli/prompt_cache.h"
#include "cli/sampling_options.h"
#include "cli/speculation_options.h"
#include "cli/template_options.h"
#include "quantize/file_type.h"
#include "server/server.h"

namespace plm::cli {

namespace {

using std::chrono::milliseconds;

// "Q4_K_M"; "" where the file says none that has a name.
std::string file_type_of(const gguf::File& file) {
  const auto id = file.get_uint("general.file_type");
  const auto types = quantize::all_file_types();
  const auto found = std::ranges::find_if(types, [&](const auto& type) { return id.ok() && type.id == *id; });
  return found == types.end() ? std::string() : std::string(found->name);
}

class ServeCommand : public Command {
 public:
  void add_options(CLI::App& app) override;
  Status run() override;

 private:
  Result<server::ServerOptions> server_options() const;
  Result<std::vector<std::string>> api_keys() const;
  Result<server::ApiOptions> api_options(runtime::Engine& engine) const;
  void wait_for_the_end(server::Server& server, scheduler::Scheduler& scheduler);

  ModelOptions model_;
  SamplingOptions sampling_;
  TemplateOptions template_;
  SpeculationOptions speculation_;
  PromptCache prompt_cache_;
  PeerOptions peer_;
  std::string host_ = "127.0.0.1", alias_, api_key_file_, tls_key_, tls_certificate_, pooling_ = "mean";
  std::string slot_folder_;
  std::vector<std::string> api_keys_, cors_origins_;
  int port_ = 8080, n_slots_ = 4;
  int64_t timeout_ = 600, ping_seconds_ = 30, max_waiting_ = 64, cache_mib_ = 1024, max_tokens_ = -1;
  bool shows_slots_ = true, shows_metrics_ = false, shows_page_ = true, logs_ = true;
};

void ServeCommand::add_options(CLI::App& app) {
  model_.add_to(app);
  const auto add = [&](const std::string& name, auto& value, const char* text, const char* type) {
    return app.add_option(name, value, text)->capture_default_str()->type_name(type);
  };
  const auto add_list = [&](const std::string& name, std::vector<std::string>& values, const char* text,
                            const char* type) {
    app.add_option(name, values, text)
        ->delimiter(',')
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name(type);
  };
  add("--host", host_, "address to listen on; 0.0.0.0 for all of this machine", "ADDRESS");
  add("--port", port_, "port to listen on; 0: any that is free", "N")->check(within(0, 65535));
  add("--parallel", n_slots_, "(-np) answers written at once; each may fill a context of -c", "N")
      ->check(within(1, 256));
  add("--max-queue", max_waiting_, "requests that may wait for a slot; more are sent away with 429", "N")
      ->check(within(int64_t{0}, int64_t{100'000}));
  add("-n,--n-predict,--predict", max_tokens_,
      "tokens of an answer whose request does not say; -1: as many as the context holds", "N")
      ->check(within(int64_t{-1}, int64_t{INT32_MAX}));
  add("--timeout", timeout_, "(-to) seconds a request may wait for a slot, and a client for its reader", "N")
      ->check(within(int64_t{1}, int64_t{86'400}));
  add("--sse-ping-interval", ping_seconds_,
      "seconds between signs of life in a stream that is silent; 0: none", "N")
      ->check(within(int64_t{0}, int64_t{86'400}));
  add("--cache-ram", cache_mib_, "(-cram) MiB for the rows of earlier prompts; 0: none", "N")
      ->check(within(int64_t{0}, int64_t{1} << 30));
  add("--slot-save-path", slot_folder_, "folder in which POST /slots/ID?action=save keeps slots", "FOLDER")
      ->check(CLI::ExistingDirectory);
  prompt_cache_.add_to(app);
  add("-a,--alias", alias_, "name of the model in the API (default: the file's)", "NAME");
  add_list("--api-key", api_keys_, "ask for this key; may be given often", "KEY");
  add("--api-key-file", api_key_file_, "the same, a key a line", "FILE");
  add("--ssl-key-file", tls_key_, "private key, PEM: serve https", "FILE");
  add("--ssl-cert-file", tls_certificate_, "its certificate, PEM", "FILE");
  add_list("--cors-origins", cors_origins_, "origins whose pages may ask; \"*\" for any", "ORIGIN");
  add("--pooling", pooling_, "how /v1/embeddings makes one vector of many: mean, last or cls", "TYPE")
      ->check(CLI::IsMember({"mean", "last", "cls"}));
  app.add_flag("--slots,!--no-slots", shows_slots_, "answer under /slots");
  app.add_flag("--metrics,!--no-metrics", shows_metrics_, "answer under /metrics, for Prometheus");
  app.add_flag("--webui,!--no-webui", shows_page_, "show the page for browsers under /");
  app.add_flag("--log-requests,!--no-log-requests,!--log-disable", logs_,
               "a line on stderr for each request, without its text");
  template_.add_to(app);
  sampling_.add_to(app);
  speculation_.add_to(app);
  peer_.add_to(app);
}

Result<std::vector<std::string>> ServeCommand::api_keys() const {
  std::vector<std::string> keys = api_keys_;
  if (!api_key_file_.empty()) {
    std::ifstream file(api_key_file_);
    for (std::string line; std::getline(file, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) keys.push_back(line);
    }
    if (!file.eof()) return make_error(ErrorKind::io, "{}: cannot be read", api_key_file_);
    if (keys.size() == api_keys_.size())
      return make_error(ErrorKind::bad_data, "{}: found no keys", api_key_file_);
  }
  if (std::ranges::find(keys, std::string()) != keys.end()) {
    return make_error(ErrorKind::invalid_argument, "--api-key: an empty key is none");
  }
  return keys;
}

Result<server::ServerOptions> ServeCommand::server_options() const {
  server::ServerOptions options;
  options.http.host = host_;
  options.http.port = port_;
  options.http.write_patience = std::chrono::seconds(timeout_);
  // Everybody who may wait has a connection, and some more must be able to ask how things are.
  options.http.max_connections = static_cast<int>(std::min<int64_t>(n_slots_ + max_waiting_ + 64, 4096));
  if (tls_key_.empty() != tls_certificate_.empty()) {
    return make_error(ErrorKind::invalid_argument, "--ssl-key-file and --ssl-cert-file go together");
  }
  if (!tls_key_.empty()) {
    PLM_TRY(options.http.tls, server::TlsIdentity::load(tls_certificate_, tls_key_));
  }
  PLM_TRY(options.access.api_keys, api_keys());
  options.access.cors_origins = cors_origins_;
  options.access.host = host_;
  options.shows_page = shows_page_;
  options.access.is_local = host_ == "localhost" || host_ == "::1" || host_.starts_with("127.");
  if (!options.access.is_local && options.access.api_keys.empty()) {
    talk("plm: --host {} without --api-key: everybody who reaches this machine may ask", host_);
  }
  if (logs_) options.log = [](std::string_view line) { talk("plm: {}", line); };
  return options;
}

Result<server::ApiOptions> ServeCommand::api_options(runtime::Engine& engine) const {
  server::ApiOptions options;
  PLM_TRY(options.template_variables, template_.variables());
  const std::string& path = engine.file().path();
  options.model_path = path;
  PLM_TRY(const auto adapters, model_.lora().named());
  for (const auto& [file, scale] : adapters) options.adapters.push_back({.path = file, .scale = scale});
  options.quantization = file_type_of(engine.file());
  options.model_name = alias_.empty() ? path.substr(path.rfind('/') + 1) : alias_;
  PLM_TRY(options.sampling, sampling_.make_options(engine.tokenizer()));
  PLM_TRY_STATUS(runtime::Sampler::create(options.sampling, engine.config().vocabulary_size));
  options.pooling = pooling_ == "last"  ? scheduler::Pooling::last
                    : pooling_ == "cls" ? scheduler::Pooling::cls
                                        : scheduler::Pooling::mean;
  options.max_tokens = max_tokens_;
  options.shows_slots = shows_slots_;
  options.shows_metrics = shows_metrics_;
  options.patience = std::chrono::seconds(timeout_);
  options.ping_interval = std::chrono::seconds(ping_seconds_);
  options.slot_save_path = slot_folder_;
  return options;
}

// SIGTERM and Ctrl-C: what was accepted is answered; with a second one it is not.
void ServeCommand::wait_for_the_end(server::Server& server, scheduler::Scheduler& scheduler) {
  constexpr milliseconds kGlance{50};
  while (!interrupted()) {
    std::this_thread::sleep_for(kGlance);
    prompt_cache_.save_when_due(scheduler);
  }
  talk("plm: ending: {} answers under way, {} waiting; once more to drop them",
       scheduler.snapshot().n_running, scheduler.snapshot().n_waiting);
  clear_interrupt();
  scheduler.drain();
  server.stop_accepting();
  while (!interrupted() && !scheduler.drained(kGlance)) {
  }
  if (interrupted()) scheduler.cancel_all();
  server.wait_until_idle(std::chrono::seconds(5));
  prompt_cache_.save(scheduler);
}

Status ServeCommand::run() {
  peer_.tell();
  PLM_TRY_STATUS(speculation_.check());
  PLM_TRY_STATUS(prompt_cache_.check(cache_mib_ << 20));
  PLM_TRY(server::ServerOptions options, server_options());
  const bool has_tls = options.http.tls != nullptr;
  PLM_TRY(auto server, server::Server::start(std::move(options)));
  PLM_TRY(auto engine, model_.load());
  PLM_TRY(auto api_settings, api_options(*engine));
  PLM_TRY(const std::string chosen_template, template_.chosen());
  PLM_TRY(auto chat_template, chat::Template::create(engine->tokenizer(), chosen_template));
  PLM_TRY(std::shared_ptr<runtime::Drafter> drafter, speculation_.make_drafter(*engine, n_slots_));
  PLM_TRY(auto scheduler, scheduler::Scheduler::create(*engine, {.n_slots = n_slots_,
                                                                 .max_waiting = max_waiting_,
                                                                 .prefix_bytes = cache_mib_ << 20,
                                                                 .drafter = std::move(drafter),
                                                                 .drafts = speculation_.settings()}));
  PLM_TRY_STATUS(prompt_cache_.load(*scheduler));
  server->open(std::make_unique<server::Api>(*scheduler, std::move(chat_template), std::move(api_settings)));
  const std::string shown_host = host_.find(':') == std::string::npos ? host_ : "[" + host_ + "]";
  talk("plm: {} slots of {} tokens, {} bytes of cache a token", n_slots_, engine->context_length(),
       engine->cache_bytes_per_token());
  talk("plm: listening on {}://{}:{}", has_tls ? "https" : "http", shown_host, server->port());
  wait_for_the_end(*server, *scheduler);
  server.reset();  // its threads use the scheduler
  return {};
}

}  // namespace

std::unique_ptr<Command> make_serve_command() { return std::make_unique<ServeCommand>(); }

}  // namespace plm::cli
