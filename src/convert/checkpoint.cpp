#include "convert/checkpoint.h"

#include <filesystem>
#include <set>
#include <utility>

namespace plm::convert {
namespace {

std::optional<TensorType> to_tensor_type(safetensors::DType dtype) {
  switch (dtype) {
    case safetensors::DType::f32:
      return TensorType::f32;
    case safetensors::DType::f16:
      return TensorType::f16;
    case safetensors::DType::bf16:
      return TensorType::bf16;
    default:
      return std::nullopt;
  }
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

Result<std::map<std::string, std::string>> read_weight_map(const Json& index, const std::string& path) {
  const JsonFields fields(index, path);
  const Json* map = fields.find("weight_map");
  if (map == nullptr) return fields.missing("weight_map");
  if (!map->is_object() || map->empty()) return fields.wrong("weight_map", *map, "an object with tensors");
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) return fields.wrong("weight_map", file, "the name of a file for each tensor");
    const auto& name = file.get_ref<const std::string&>();
    if (name.empty() || name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos ||
        name.front() == '.') {
      return make_error(
          ErrorKind::bad_data,
          "{}: weight_map: tensor {}: found the file name \"{}\", expected a file of this folder", path,
          shown(tensor), shown(name));
    }
    files.emplace(tensor, name);
  }
  return files;
}

Status Checkpoint::add_shard(const std::string& path) {
  PLM_TRY(MappedFile mapping, MappedFile::open(path));
  PLM_TRY(safetensors::File file, safetensors::File::parse(mapping.bytes(), path));
  shards_.push_back({std::move(mapping), std::move(file)});
  const Shard& shard = shards_.back();
  for (const safetensors::TensorInfo& info : shard.file.tensors()) {
    // Files from before transformers 4.30 hold these constants; they are computed.
    if (info.name.ends_with(".rotary_emb.inv_freq")) continue;
    const auto type = to_tensor_type(info.dtype);
    if (!type) {
      return make_error(ErrorKind::unsupported, "{}: tensor {}: dtype: found {}, expected F32, F16 or BF16",
                        path, shown(info.name), safetensors::dtype_name(info.dtype));
    }
    const auto [other, is_new] = by_name_.emplace(info.name, tensors_.size());
    if (!is_new) {
      return make_error(ErrorKind::bad_data, "{}: tensor {}: found again, it is in {} too", path,
                        shown(info.name), this->path(tensors_[other->second]));
    }
    tensors_.push_back({&info, shards_.size() - 1, *type});
  }
  return {};
}

Status Checkpoint::add_indexed(const std::string& folder, const std::string& index_path) {
  PLM_TRY(const Json index, read_json_object(index_path));
  PLM_TRY(const auto files, read_weight_map(index, index_path));
  std::set<std::string> names;
  for (const auto& [tensor, file] : files) names.insert(file);
  shards_.reserve(names.size());
  for (const std::string& name : names) {
    const auto added = add_shard(fmt::format("{}/{}", folder, name));
    if (!added)
      return added.error().with_context(fmt::format("{} names a shard that cannot be used", index_path));
  }
  for (const auto& [tensor, file] : files) {
    if (tensor.ends_with(".rotary_emb.inv_freq")) continue;
    const CheckpointTensor* found = find(tensor);
    if (found == nullptr || path(*found) != fmt::format("{}/{}", folder, file)) {
      return make_error(ErrorKind::bad_data, "{}: tensor {}: not found in {}, where the index has it",
                        index_path, shown(tensor), file);
    }
  }
  return {};
}

Result<Checkpoint> Checkpoint::open(const std::string& folder) {
  Checkpoint checkpoint;
  const std::string single = folder + "/" + kWeightsFile;
  const std::string index = folder + "/" + kIndexFile;
  if (exists(single)) {
    checkpoint.shards_.reserve(1);
    PLM_TRY_STATUS(checkpoint.add_shard(single));
  } else if (exists(index)) {
    PLM_TRY_STATUS(checkpoint.add_indexed(folder, index));
  } else if (exists(folder + "/pytorch_model.bin") || exists(folder + "/pytorch_model.bin.index.json")) {
    return make_error(ErrorKind::unsupported,
                      "{}: found pytorch_model.bin, expected {}: save the model as safetensors", folder,
                      kWeightsFile);
  } else {
    return make_error(ErrorKind::not_found, "{}: found neither {} nor {}", folder, kWeightsFile, kIndexFile);
  }
  return checkpoint;
}

const CheckpointTensor* Checkpoint::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace plm::convert
