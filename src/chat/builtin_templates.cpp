#include "chat/builtin_templates.h"

#include <array>

namespace plm::chat {
namespace {

// Named as llama.cpp names its own.
constexpr std::string_view kChatMl = R"({%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\n' + message.content | string + '<|im_end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})";

// The system message stands in the first turn of the user.
constexpr std::string_view kLlama2 = R"({%- set ns = namespace(inside=false) -%}
{%- for message in messages -%}
{%- if message.role == 'assistant' -%}
{{ ' ' + message.content | trim + ' ' + eos_token }}{% set ns.inside = false %}
{%- else -%}
{%- if not ns.inside %}{{ bos_token + '[INST] ' }}{% endif %}
{%- set ns.inside = message.role == 'system' -%}
{%- if message.role == 'system' -%}
{{ '<<SYS>>\n' + message.content + '\n<</SYS>>\n\n' }}
{%- else -%}
{{ message.content | trim + ' [/INST]' }}
{%- endif -%}
{%- endif -%}
{%- endfor -%})";

constexpr std::string_view kLlama3 = R"({%- for message in messages -%}
{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %})";

constexpr std::string_view kMiniCpm = R"({%- for message in messages -%}
{%- if message.role == 'user' -%}
{{ '<用户>' + message.content | trim + '<AI>' }}
{%- else -%}
{{ message.content | trim }}
{%- endif -%}
{%- endfor -%})";

constexpr std::string_view kMistralV1 = R"({%- set ns = namespace(inside=false) -%}
{%- for message in messages -%}
{%- if message.role == 'assistant' -%}
{{ ' ' + message.content + eos_token }}{% set ns.inside = false %}
{%- else -%}
{%- if not ns.inside %}{{ ' [INST] ' }}{% endif %}
{%- set ns.inside = message.role == 'system' -%}
{{ message.content + ('\n\n' if message.role == 'system' else ' [/INST]') }}
{%- endif -%}
{%- endfor -%})";

constexpr std::string_view kPhi3 = R"({%- for message in messages -%}
{{ '<|' + message.role + '|>\n' + message.content + '<|end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %})";

// The first token of an answer brings its own blank.
constexpr std::string_view kPlain = R"({%- for message in messages -%}
{{ message.role | capitalize + ': ' + message.content | string + '\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ 'Assistant:' }}{% endif %})";

constexpr std::string_view kZephyr = R"({%- for message in messages -%}
{{ '<|' + message.role + '|>\n' + message.content + '<|endoftext|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %})";

constexpr std::array<BuiltinTemplate, 8> kTemplates = {{{"chatml", kChatMl},
                                                        {"llama2", kLlama2},
                                                        {"llama3", kLlama3},
                                                        {"minicpm", kMiniCpm},
                                                        {"mistral-v1", kMistralV1},
                                                        {"phi3", kPhi3},
                                                        {kPlainTemplate, kPlain},
                                                        {"zephyr", kZephyr}}};

}  // namespace

std::span<const BuiltinTemplate> builtin_templates() { return kTemplates; }

}  // namespace plm::chat
