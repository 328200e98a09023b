// The pre-tokenizers and normalisers that tokenizer.json spells out and GGUF names. Internal to the folder.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "convert/architecture.h"
#include "convert/json_reader.h"

namespace plm::convert {

// The tokenizer.ggml.pre whose expressions are those of "pre_tokenizer". Compared as text, stage by stage: a
// pre-tokenizer that is merely alike is refused, since it would give plausible and wrong ids.
Result<std::string> pre_tokenizer_name(const JsonFields& tokenizer);

// "NFC", or "" for none. Others are refused.
Result<std::string> normalizer_name(const JsonFields& tokenizer);

// The way back: "pre_tokenizer" and "normalizer" of tokenizer.json.
Result<JsonOut> pre_tokenizer_json(std::string_view name);
JsonOut normalizer_json(std::string_view name);

}  // namespace plm::convert
