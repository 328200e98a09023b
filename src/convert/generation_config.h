// generation_config.json against general.sampling.*, both ways. Internal to the folder.
#pragma once

#include "base/error.h"
#include "convert/architecture.h"
#include "gguf/gguf_file.h"
#include "gguf/metadata_builder.h"

namespace plm::convert {

// The keys llama.cpp's converter writes: general.sampling.top_k, top_p, min_p, temp, penalty_repeat.
Status write_sampling_keys(const JsonFields& generation, gguf::MetadataBuilder& keys);

// The sampling fields that the file has keys for. Those of a wrong type are an error.
Status write_sampling_fields(const gguf::File& file, JsonOut& generation);

}  // namespace plm::convert
