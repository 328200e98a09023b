// Ollama's own API beside what writes text: which model is there, embeddings, and what is not to be had.
#include <iterator>

#include "base/clock.h"
#include "scheduler/pooling.h"
#include "server/api.h"
#include "server/ollama.h"
#include "server/ollama_forms.h"

namespace plm::server {

namespace {

// Whose forms these are: clients ask what the server they found can do, and some work with none that is
// older.
constexpr std::string_view kSpokenVersion = "0.13.0";

// What an answer is drawn with unless its request says, as lines of a Modelfile.
std::string parameter_lines(const runtime::SamplerOptions& sampling, int64_t context_length) {
  std::string lines;
  const auto add = [&](std::string_view name, auto value) {
    fmt::format_to(std::back_inserter(lines), "{:30} {}\n", name, value);
  };
  add("num_ctx", context_length);
  add("temperature", sampling.temperature);
  add("top_k", sampling.top_k);
  add("top_p", sampling.top_p);
  add("min_p", sampling.min_p);
  add("repeat_penalty", sampling.repeat_penalty);
  return lines;
}

bool is_nothing(const Json* input) {
  if (input == nullptr) return true;
  return input->is_string() ? input->get_ref<const std::string&>().empty()
                            : input->is_array() && input->empty();
}

}  // namespace

const Json& Api::ollama_entry() const {
  std::call_once(has_ollama_entry_, [&] {
    ollama_entry_ =
        ollama_model_entry(scheduler_.engine().file(), options_.model_name, options_.quantization);
  });
  return ollama_entry_;
}

void Api::ollama_version(Exchange& exchange) const {
  exchange.send(200, {{"version", kSpokenVersion}, {"build_info", build_info()}});
}

void Api::ollama_tags(Exchange& exchange) const {
  exchange.send(200, {{"models", Json::array({ollama_entry()})}});
}

void Api::ollama_ps(Exchange& exchange) const {
  constexpr auto kForGood = std::chrono::years(100);
  Json entry = ollama_entry();
  entry.erase("modified_at");
  entry["expires_at"] = rfc3339(std::chrono::system_clock::now() + kForGood);
  entry["size_vram"] = 0;
  entry["context_length"] = scheduler_.engine().context_length();
  exchange.send(200, {{"models", Json::array({std::move(entry)})}});
}

// Of whatever name, as everywhere: there is one model.
void Api::ollama_show(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    PLM_TRY(const bool is_verbose, Fields(exchange.body).boolean("verbose", false));
    const gguf::File& file = scheduler_.engine().file();
    Json capabilities = {"completion", "embedding"};
    if (template_.knows_tools()) capabilities.push_back("tools");
    const auto license = file.get_string_or("general.license", "");
    exchange.send(
        200, {{"license", license.ok() ? *license : ""},
              {"modelfile", fmt::format("FROM {}\n", ollama_name(options_.model_name))},
              {"parameters", parameter_lines(options_.sampling, scheduler_.engine().context_length())},
              {"template", template_.source()},
              {"details", ollama_entry()["details"]},
              {"model_info", ollama_model_info(file, is_verbose ? LongArrays::whole : LongArrays::as_null)},
              {"capabilities", std::move(capabilities)},
              {"modified_at", ollama_entry()["modified_at"]}});
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

void Api::ollama_embed(Exchange& exchange) const {
  const double start = seconds_now();
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    PLM_TRY_STATUS(read_ollama_lifetime(fields));
    PLM_TRY(const bool truncates, fields.boolean("truncate", true));
    const int64_t width = scheduler_.engine().config().width;
    PLM_TRY(const int64_t n_dimensions, fields.integer("dimensions", width, 1, width));
    Json vectors = Json::array();
    if (!is_nothing(fields.find("input"))) {
      PLM_TRY(Prompts inputs,
              read_prompts(fields, "input", truncates ? TooLong::is_cut : TooLong::is_refused));
      auto rows = embed(exchange, std::move(inputs));
      if (rows.empty()) return {};
      for (auto& row : rows) {
        row.resize(static_cast<size_t>(n_dimensions));
        scheduler::scale_to_unit_length(row);
        vectors.push_back(row);
      }
    }
    exchange.send(200, {{"model", ollama_name(options_.model_name)},
                        {"embeddings", std::move(vectors)},
                        {"total_duration", static_cast<int64_t>((seconds_now() - start) * 1e9)},
                        {"load_duration", 0},
                        {"prompt_eval_count", exchange.totals.n_prompt}});
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

// The older form: one text, and its vector as it is.
void Api::ollama_embeddings(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    PLM_TRY_STATUS(read_ollama_lifetime(fields));
    PLM_TRY(const std::string prompt, fields.text("prompt", ""));
    if (prompt.empty()) {
      exchange.send(200, {{"embedding", Json::array()}});
      return {};
    }
    PLM_TRY(Prompts prompts, read_prompts(fields));
    const auto rows = embed(exchange, std::move(prompts));
    if (!rows.empty()) exchange.send(200, {{"embedding", rows.front()}});
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

void Api::ollama_manage(Exchange& exchange) const {
  exchange.fail(501,
                "models are not managed here: there is the one that was loaded when the server began "
                "(plm serve -m FILE, plm pull)");
}

}  // namespace plm::server
