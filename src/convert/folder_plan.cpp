#include "convert/folder_plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "quant/formats.h"

namespace plm::convert {
namespace {

bool is_plain(TensorType type) {
  return type == TensorType::f32 || type == TensorType::f16 || type == TensorType::bf16;
}

}  // namespace

safetensors::DType to_dtype(TensorType type) {
  return type == TensorType::f16    ? safetensors::DType::f16
         : type == TensorType::bf16 ? safetensors::DType::bf16
                                    : safetensors::DType::f32;
}

TensorSource source_of(const gguf::File& file, const gguf::TensorInfo& tensor, RowMap row_map) {
  TensorSource source{.bytes = file.tensor_data(tensor),
                      .type = tensor.type,
                      .rows = tensor.n_elements / tensor.shape[0],
                      .cols = tensor.shape[0],
                      .row_map = row_map,
                      .mapping = file.mapping(tensor.shard)};
  // A bias is a column: its numbers follow the rows of the matrix.
  if (row_map.head_width != 0 && tensor.n_dims == 1) std::swap(source.rows, source.cols);
  return source;
}

std::span<const FolderTensor> FolderPlan::shard(size_t index) const {
  const size_t end = index + 1 < shard_begins_.size() ? shard_begins_[index + 1] : tensors_.size();
  return std::span(tensors_).subspan(shard_begins_[index], end - shard_begins_[index]);
}

int64_t FolderPlan::n_parameters() const {
  int64_t total = 0;
  for (const FolderTensor& tensor : tensors_) total += tensor.source->n_elements;
  return total;
}

uint64_t FolderPlan::bytes() const {
  uint64_t total = 0;
  for (const FolderTensor& tensor : tensors_) total += tensor.bytes;
  return total;
}

Status FolderPlan::add(const TensorRule& rule, int64_t layer) {
  const std::string name = layer_name(rule.gguf, layer);
  const gguf::TensorInfo* tensor = file_.find_tensor(name);
  if (tensor == nullptr) {
    const bool is_needed = rule.presence == Presence::required;
    if (!is_needed) return {};
    return make_error(ErrorKind::bad_data, "{}: tensor {}: not found", file_.path(), name);
  }
  const bool is_matrix = rule.cols != Size::none;
  std::vector<int64_t> expected{size_of(config_, rule.rows)};
  if (is_matrix) expected.insert(expected.begin(), size_of(config_, rule.cols));
  const std::span found(tensor->shape.data(), static_cast<size_t>(tensor->n_dims));
  if (!std::equal(found.begin(), found.end(), expected.begin(), expected.end())) {
    return make_error(ErrorKind::bad_data, "{}: tensor {}: shape: found [{}], expected [{}]", file_.path(),
                      name, fmt::join(found, ", "), fmt::join(expected, ", "));
  }
  if (quant::find_format(tensor->type) == nullptr) {
    return make_error(ErrorKind::unsupported, "{}: tensor {}: type: found {}, which cannot be decoded",
                      file_.path(), name, tensor_type_name(tensor->type));
  }
  RowMap row_map;
  if (rule.order == RowOrder::rope_pairs) {
    if (!is_plain(tensor->type) && !is_matrix) {
      return make_error(ErrorKind::unsupported, "{}: tensor {}: type: found {}, expected F32", file_.path(),
                        name, tensor_type_name(tensor->type));
    }
    row_map = {.head_width = config_.key_width, .makes_pairs = false};
  }
  tensors_.push_back({layer_name(rule.hf, layer), tensor, TensorType::f32,
                      std::vector<int64_t>(expected.rbegin(), expected.rend()), row_map, 0});
  return {};
}

Status FolderPlan::check_none_left() const {
  std::set<std::string_view> placed;
  for (const FolderTensor& tensor : tensors_) placed.insert(tensor.source->name);
  for (const GeneratedTensor& tensor : architecture_.generate(config_)) {
    if (const gguf::TensorInfo* info = file_.find_tensor(tensor.name)) placed.insert(info->name);
  }
  for (const gguf::TensorInfo& tensor : file_.tensors()) {
    if (placed.contains(tensor.name)) continue;
    return make_error(ErrorKind::bad_data, "{}: tensor {}: a {} model has no such tensor", file_.path(),
                      gguf::printable(tensor.name), architecture_.name);
  }
  return {};
}

void FolderPlan::choose_type(const Options& options) {
  std::set<TensorType> types;
  for (const FolderTensor& tensor : tensors_) {
    if (tensor.shape.size() > 1) types.insert(tensor.source->type);
  }
  if (options.type) {
    type_ = *options.type;
  } else if (std::any_of(types.begin(), types.end(), [](TensorType type) { return !is_plain(type); })) {
    type_ = TensorType::f16;
  } else {
    type_ = types.size() == 1 ? *types.begin() : TensorType::f32;
  }
}

void FolderPlan::choose_types_and_shards(const Options& options) {
  uint64_t shard_bytes = 0;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    FolderTensor& tensor = tensors_[i];
    const bool is_matrix = tensor.shape.size() > 1;
    const TensorSource source = source_of(file_, *tensor.source, tensor.row_map);
    tensor.type = is_matrix || options.type || fits_exactly(source, type_) ? type_ : TensorType::f32;
    tensor.bytes = static_cast<uint64_t>(row_bytes(tensor.type, tensor.source->n_elements));
    if (i == 0 || shard_bytes + tensor.bytes > options.max_shard_bytes) {
      shard_begins_.push_back(i);
      shard_bytes = 0;
    }
    shard_bytes += tensor.bytes;
  }
}

Status FolderPlan::make(const Options& options) {
  for (const TensorRule& rule : architecture_.tensors) {
    if (rule.gguf.empty()) continue;
    const int64_t n_layers = is_per_layer(rule.gguf) ? config_.n_layers : 1;
    for (int64_t layer = 0; layer < n_layers; ++layer) {
      // Optional tensors that are not there, of layers that are not there, would take for ever.
      if (layer >= std::ssize(file_.tensors())) {
        return make_error(ErrorKind::bad_data, "{}: key {}.block_count: found {}, but only {} tensors",
                          file_.path(), architecture_.name, config_.n_layers, file_.tensors().size());
      }
      PLM_TRY_STATUS(add(rule, layer));
    }
  }
  PLM_TRY_STATUS(check_none_left());
  std::sort(tensors_.begin(), tensors_.end(),
            [](const FolderTensor& a, const FolderTensor& b) { return a.name < b.name; });
  choose_type(options);
  choose_types_and_shards(options);
  return {};
}

}  // namespace plm::convert
