// Requests of Ollama's own API (/api/generate, /api/chat), made into what the rest of the server takes.
#pragma once

#include <array>
#include <string_view>

#include "server/generation.h"
#include "server/json.h"

namespace plm::server {

// Of Ollama's options those that mean the same under the same name here. Others tell how a model is loaded,
// or are of samplers that are no more (tfs_z).
inline constexpr std::array<std::string_view, 14> kOllamaSameOptions = {"temperature",
                                                                        "top_k",
                                                                        "top_p",
                                                                        "min_p",
                                                                        "typical_p",
                                                                        "seed",
                                                                        "stop",
                                                                        "repeat_last_n",
                                                                        "repeat_penalty",
                                                                        "presence_penalty",
                                                                        "frequency_penalty",
                                                                        "mirostat",
                                                                        "mirostat_tau",
                                                                        "mirostat_eta"};

// The fields "messages", "tools", "tool_choice" (which is not Ollama's), "chat_template_kwargs",
// "json_schema" and "response_format" of a chat as render_chat() and read_grammar() read them; "messages" may
// be an empty list, which asks for no answer. Fail with invalid_argument on fields of the wrong kind, and
// with unsupported on images, on a "template" and on a "suffix".
Result<Json> chat_from_ollama_chat(const Json& body);
// Of "system" and "prompt". With "raw" there is no "system", and the prompt is to be taken as it stands.
Result<Json> chat_from_ollama_generate(const Json& body);

// Of "options", under Ollama's names, "stream", which is true unless told, "logprobs" and "top_logprobs".
// Options that are not known are passed over.
Result<Generation> read_ollama_generation(const Fields& fields, const runtime::SamplerOptions& defaults,
                                          const tokenizer::Tokenizer& tokenizer);

// Whether "keep_alive" says that the model may be unloaded at once: 0, "0", "0s". It stays all the same. Also
// checks that "options" are an object.
Result<bool> read_ollama_lifetime(const Fields& fields);

}  // namespace plm::server
