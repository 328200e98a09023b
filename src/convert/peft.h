// LoRA adapters as PEFT saves them, made into what the engine reads (model/lora/adapter.h).
#pragma once

#include <string>

#include "base/error.h"
#include "gguf/gguf_file.h"
#include "model/lora/adapter.h"

namespace plm::convert {

// A GGUF file; or a folder with adapter_config.json and adapter_model.safetensors, or that file in it. `base`
// is the model it is for: names and row order of PEFT's matrices are those of its Hugging Face folder.
// What is in docs/formats/lora.md as not done is refused by name.
Result<model::Adapter> read_adapter(const std::string& path, const gguf::File& base);

}  // namespace plm::convert
