// The metadata of a synthetic model: the keys that llama.cpp's converter writes for its architecture, and a
// vocabulary.
#pragma once

#include "gguf/metadata_builder.h"
#include "model/synth/synth.h"

namespace plm::model {

gguf::MetadataBuilder synth_metadata(const SynthOptions& options, uint32_t file_type);

}  // namespace plm::model
