// The finished model as a Hugging Face folder and as a GGUF file.
#pragma once

#include <string>

#include "base/error.h"
#include "train/core/model.h"
#include "train/setup/settings.h"

namespace plm::train {

// OUTPUT/model/ and, when asked for, OUTPUT/model.gguf. Weights are stored as bf16 when the run computed in
// bf16. Each file is replaced as a whole.
Status export_model(const Settings& settings, Model& model);

}  // namespace plm::train
