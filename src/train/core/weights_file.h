// Weights between safetensors files with Hugging Face's names and a flat buffer.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "safetensors/safetensors_file.h"
#include "train/setup/parameter_layout.h"

namespace plm::train {

// Fills `flat` (float32, on any device) from PREFIX + name of every parameter: F32, F16 or BF16. Refuses a
// file that lacks one or has another shape; other tensors are passed over.
Status read_parameters(const safetensors::File& file, const std::string& prefix,
                       const ParameterLayout& layout, at::Tensor& flat);

enum class StoredAs { f32, bf16 };
struct NamedBuffer {
  std::string prefix;  // before the name of every parameter
  at::Tensor flat;
};
// Writes every parameter of every buffer; the file appears whole under its name.
Status write_parameters(const std::string& path, const ParameterLayout& layout,
                        const std::vector<NamedBuffer>& buffers, StoredAs stored_as);

// The weights of a Hugging Face folder: model.safetensors, or the shards named in
// model.safetensors.index.json. False when the folder has neither.
Result<bool> read_folder_weights(const std::string& folder, const ParameterLayout& layout, at::Tensor& flat);

}  // namespace plm::train
