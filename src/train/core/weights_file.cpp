#include "train/core/weights_file.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "safetensors/safetensors_writer.h"
#include "train/core/model.h"

namespace plm::train {
namespace {

namespace fs = std::filesystem;
using safetensors::DType;

Result<at::ScalarType> scalar_type(const safetensors::TensorInfo& info, const std::string& path) {
  switch (info.dtype) {
    case DType::f32:
      return at::kFloat;
    case DType::f16:
      return at::kHalf;
    case DType::bf16:
      return at::kBFloat16;
    default:
      return make_error(ErrorKind::unsupported, "{}: tensor {}: found {}, expected F32, F16 or BF16", path,
                        info.name, safetensors::dtype_name(info.dtype));
  }
}

Status read_one(const safetensors::File& file, const safetensors::TensorInfo& info,
                const Parameter& parameter, at::Tensor& flat) {
  if (info.shape != parameter.shape) {
    return make_error(ErrorKind::bad_data, "{}: tensor {}: found shape [{}], expected [{}]", file.path(),
                      info.name, fmt::join(info.shape, ", "), fmt::join(parameter.shape, ", "));
  }
  PLM_TRY(const at::ScalarType type, scalar_type(info, file.path()));
  at::Tensor stored = at::empty(parameter.shape, type);
  const auto bytes = file.tensor_data(info);
  std::memcpy(stored.mutable_data_ptr(), bytes.data(), bytes.size());
  Model::view(flat, parameter).copy_(stored);
  return {};
}

// The files a folder's weights lie in; empty when there are none.
Result<std::vector<std::string>> weight_files(const std::string& folder) {
  if (fs::exists(folder + "/model.safetensors"))
    return std::vector<std::string>{folder + "/model.safetensors"};
  const std::string index = folder + "/model.safetensors.index.json";
  if (!fs::exists(index)) return std::vector<std::string>{};
  PLM_TRY(const MappedFile file, MappedFile::open(index));
  const auto bytes = file.bytes();
  const auto* begin = reinterpret_cast<const char*>(bytes.data());
  const auto json = nlohmann::json::parse(begin, begin + bytes.size(), nullptr, false);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return make_error(ErrorKind::bad_data, "{}: weight_map: missing, expected an object", index);
  }
  std::set<std::string> names;
  for (const auto& [tensor, shard] : json["weight_map"].items()) {
    if (!shard.is_string() || fs::path(shard.get<std::string>()).has_parent_path()) {
      return make_error(ErrorKind::bad_data, "{}: {}: found {}, expected a file name", index, tensor,
                        shard.dump());
    }
    names.insert(folder + "/" + shard.get<std::string>());
  }
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace

Status read_parameters(const safetensors::File& file, const std::string& prefix,
                       const ParameterLayout& layout, at::Tensor& flat) {
  const at::NoGradGuard no_graph;
  for (const Parameter& parameter : layout.parameters) {
    const safetensors::TensorInfo* info = file.find_tensor(prefix + parameter.name);
    if (info == nullptr) {
      return make_error(ErrorKind::bad_data, "{}: tensor {}{}: missing", file.path(), prefix, parameter.name);
    }
    PLM_TRY_STATUS(read_one(file, *info, parameter, flat));
  }
  return {};
}

Status write_parameters(const std::string& path, const ParameterLayout& layout,
                        const std::vector<NamedBuffer>& buffers, StoredAs stored_as) {
  const at::NoGradGuard no_graph;
  const bool narrow = stored_as == StoredAs::bf16;
  std::vector<safetensors::TensorDescription> tensors;
  for (const NamedBuffer& buffer : buffers) {
    for (const Parameter& parameter : layout.parameters) {
      tensors.push_back({buffer.prefix + parameter.name, narrow ? DType::bf16 : DType::f32, parameter.shape});
    }
  }
  const safetensors::File::MetadataEntry format{"format", "pt"};
  PLM_TRY(auto writer, safetensors::Writer::create(path, std::move(tensors), std::span(&format, 1)));
  for (const NamedBuffer& buffer : buffers) {
    for (const Parameter& parameter : layout.parameters) {
      const at::Tensor numbers = Model::view(buffer.flat, parameter)
                                     .to(at::kCPU)
                                     .to(narrow ? at::kBFloat16 : at::kFloat)
                                     .contiguous();
      const auto* data = static_cast<const std::byte*>(numbers.const_data_ptr());
      PLM_TRY_STATUS(writer.append({data, static_cast<size_t>(numbers.nbytes())}));
    }
  }
  return writer.finish();
}

Result<bool> read_folder_weights(const std::string& folder, const ParameterLayout& layout, at::Tensor& flat) {
  const at::NoGradGuard no_graph;
  PLM_TRY(const std::vector<std::string> paths, weight_files(folder));
  if (paths.empty()) return false;
  std::set<std::string> missing;
  for (const Parameter& parameter : layout.parameters) missing.insert(parameter.name);
  for (const std::string& path : paths) {
    PLM_TRY(const auto file, safetensors::File::open(path));
    for (const safetensors::TensorInfo& info : file.tensors()) {
      // A tied head may be stored as well; it is the embedding.
      if (info.name == "lm_head.weight") continue;
      if (missing.erase(info.name) == 0) {
        return make_error(ErrorKind::bad_data, "{}: tensor {}: no such weight in this model, or found twice",
                          path, info.name);
      }
      PLM_TRY_STATUS(read_one(file, info, layout.find(info.name), flat));
    }
  }
  if (!missing.empty()) {
    return make_error(ErrorKind::bad_data, "{}: tensor {}: missing", folder, *missing.begin());
  }
  return true;
}

}  // namespace plm::train
