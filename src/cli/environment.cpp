#include "cli/environment.h"

#include <algorithm>
#include <array>

namespace plm::cli {

namespace {

constexpr std::string_view kPrefix = "LLAMA_ARG_";

using enum VariableKind;

constexpr std::array kServerVariables = {
    Variable{"LLAMA_ARG_MODEL", "--model"},
    Variable{"LLAMA_ARG_HF_REPO", "--hf-repo"},
    Variable{"LLAMA_ARG_HF_FILE", "--hf-file"},
    Variable{"LLAMA_ARG_OFFLINE", "--offline", flag},
    Variable{"LLAMA_ARG_CTX_SIZE", "--ctx-size"},
    Variable{"LLAMA_ARG_BATCH", "--batch-size"},
    Variable{"LLAMA_ARG_UBATCH", "--ubatch-size"},
    Variable{"LLAMA_ARG_THREADS", "--threads"},
    Variable{"LLAMA_ARG_N_GPU_LAYERS", "--n-gpu-layers"},
    Variable{"LLAMA_ARG_CACHE_TYPE_K", "--cache-type-k"},
    Variable{"LLAMA_ARG_CACHE_TYPE_V", "--cache-type-v"},
    Variable{"LLAMA_ARG_HOST", "--host"},
    Variable{"LLAMA_ARG_PORT", "--port"},
    Variable{"LLAMA_ARG_N_PARALLEL", "--parallel"},
    Variable{"LLAMA_ARG_N_PREDICT", "--n-predict"},
    Variable{"LLAMA_ARG_TIMEOUT", "--timeout"},
    Variable{"LLAMA_ARG_SSE_PING_INTERVAL", "--sse-ping-interval"},
    Variable{"LLAMA_ARG_CACHE_RAM", "--cache-ram"},
    Variable{"LLAMA_ARG_SLOT_SAVE_PATH", "--slot-save-path"},
    Variable{"LLAMA_ARG_ALIAS", "--alias"},
    Variable{"LLAMA_API_KEY", "--api-key"},
    Variable{"LLAMA_ARG_API_KEY_FILE", "--api-key-file"},
    Variable{"LLAMA_ARG_SSL_KEY_FILE", "--ssl-key-file"},
    Variable{"LLAMA_ARG_SSL_CERT_FILE", "--ssl-cert-file"},
    Variable{"LLAMA_ARG_CORS_ORIGINS", "--cors-origins"},
    Variable{"LLAMA_ARG_POOLING", "--pooling"},
    Variable{"LLAMA_ARG_ENDPOINT_SLOTS", "--slots", deniable_flag},
    Variable{"LLAMA_ARG_ENDPOINT_METRICS", "--metrics", flag},
    Variable{"LLAMA_ARG_UI", "--webui", deniable_flag},
    Variable{"LLAMA_ARG_WEBUI", "--webui", deniable_flag},  // its older name
    Variable{"LLAMA_ARG_CHAT_TEMPLATE", "--chat-template"},
    Variable{"LLAMA_ARG_CHAT_TEMPLATE_FILE", "--chat-template-file"},
    Variable{"LLAMA_ARG_CHAT_TEMPLATE_KWARGS", "--chat-template-kwargs"},
    Variable{"LLAMA_ARG_JINJA", "--jinja", deniable_flag},
    Variable{"LLAMA_ARG_TEMPERATURE", "--temp"},
    Variable{"LLAMA_ARG_TOP_K", "--top-k"},
    Variable{"LLAMA_ARG_TOP_P", "--top-p"},
    Variable{"LLAMA_ARG_MIN_P", "--min-p"},
    Variable{"LLAMA_ARG_REPEAT_PENALTY", "--repeat-penalty"},
    Variable{"LLAMA_ARG_PRESENCE_PENALTY", "--presence-penalty"},
    Variable{"LLAMA_ARG_FREQUENCY_PENALTY", "--frequency-penalty"},
    Variable{"LLAMA_ARG_SPEC_TYPE", "--spec-type"},
    Variable{"LLAMA_ARG_SPEC_DRAFT_MODEL", "--model-draft"},
    Variable{"LLAMA_ARG_SPEC_DRAFT_N_MAX", "--spec-draft-n-max"},
    Variable{"LLAMA_ARG_SPEC_DRAFT_N_MIN", "--spec-draft-n-min"},
    Variable{"LLAMA_ARG_SPEC_DRAFT_P_MIN", "--spec-draft-p-min"},
    Variable{"LLAMA_ARG_FLASH_ATTN", "--flash-attn"},
    Variable{"LLAMA_ARG_CONT_BATCHING", "--cont-batching", deniable_flag},
    Variable{"LLAMA_ARG_KV_UNIFIED", "--kv-unified", deniable_flag},
    Variable{"LLAMA_ARG_EMBEDDINGS", "--embedding", flag},
    Variable{"LLAMA_ARG_CACHE_REUSE", "--cache-reuse"},
    Variable{"LLAMA_ARG_THREADS_HTTP", "--threads-http"},
    Variable{"LLAMA_ARG_THINK", "--reasoning-format"},
};

std::string denying_name(const Variable& variable) {
  return fmt::format("{}NO_{}", kPrefix, variable.name.substr(kPrefix.size()));
}

Result<bool> read_flag(std::string_view name, std::string_view text) {
  constexpr std::array<std::string_view, 4> kYes = {"1", "true", "on", "enabled"};
  constexpr std::array<std::string_view, 4> kNo = {"0", "false", "off", "disabled"};
  if (std::ranges::find(kYes, text) != kYes.end()) return true;
  if (std::ranges::find(kNo, text) != kNo.end()) return false;
  return make_error(ErrorKind::invalid_argument, "{}: found \"{}\", expected {} or {}", name, text,
                    fmt::join(kYes, ", "), fmt::join(kNo, ", "));
}

// The text that stands for the option's value; empty: the variable is not set.
Result<std::string> read_variable(const Variable& variable, const GetVariable& get_variable) {
  if (variable.kind == deniable_flag) {
    const char* const denied = get_variable(denying_name(variable).c_str());
    if (denied != nullptr && *denied != '\0') return std::string("false");
  }
  const char* const found = get_variable(std::string(variable.name).c_str());
  if (found == nullptr || *found == '\0' || variable.kind == value) {
    return std::string(found == nullptr ? "" : found);
  }
  PLM_TRY(const bool is_yes, read_flag(variable.name, found));
  return std::string(is_yes ? "true" : "false");
}

}  // namespace

std::span<const Variable> variables_of(std::string_view command) {
  return command == "serve" ? std::span<const Variable>(kServerVariables) : std::span<const Variable>();
}

Result<std::vector<std::string>> with_variables(std::vector<std::string> arguments, const CLI::App& command,
                                                std::span<const Variable> variables,
                                                const GetVariable& get_variable,
                                                std::vector<Variable>& taken) {
  const auto is_given = [&](const CLI::Option* option) {
    return std::ranges::any_of(arguments, [&](const std::string& argument) {
      return argument.starts_with('-') &&
             command.get_option_no_throw(argument.substr(0, argument.find('='))) == option;
    });
  };
  std::vector<std::string> all;
  for (const Variable& variable : variables) {
    PLM_TRY(const std::string text, read_variable(variable, get_variable));
    if (text.empty() || is_given(command.get_option_no_throw(std::string(variable.option)))) continue;
    all.push_back(fmt::format("{}={}", variable.option, text));
    taken.push_back(variable);
  }
  all.insert(all.end(), std::make_move_iterator(arguments.begin()), std::make_move_iterator(arguments.end()));
  return all;
}

void tell_variables(CLI::App& command, std::span<const Variable> variables) {
  for (const Variable& variable : variables) {
    CLI::Option* option = command.get_option(std::string(variable.option));
    option->description(fmt::format("{} [{}]", option->get_description(), variable.name));
  }
}

std::string_view blamed_variable(std::string_view message, std::span<const Variable> taken) {
  for (const Variable& variable : taken) {
    for (const char* after : {":", " ", ","}) {
      if (message.find(fmt::format("{}{}", variable.option, after)) != std::string_view::npos) {
        return variable.name;
      }
    }
  }
  return {};
}

}  // namespace plm::cli
