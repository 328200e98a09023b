#include "convert/gguf_plan.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace plm::convert {
namespace {

std::string shape_text(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace

Error GgufPlan::problem(const CheckpointTensor& tensor, std::string_view text) const {
  return make_error(ErrorKind::bad_data, "{}: tensor {}: {}", checkpoint_.path(tensor),
                    shown(tensor.info->name), text);
}

Result<GgufPlan::Match> GgufPlan::match(const CheckpointTensor& tensor) const {
  constexpr std::string_view kPrefix = "model.";
  for (const TensorRule& rule : architecture_.tensors) {
    for (const std::string_view pattern : {rule.hf, rule.hf_also}) {
      auto found = match_layer_name(pattern, tensor.info->name);
      // A checkpoint of the bare model, without its head, has no prefix.
      if (!found && pattern.starts_with(kPrefix)) {
        found = match_layer_name(pattern.substr(kPrefix.size()), tensor.info->name);
      }
      if (!found) continue;
      if (found->layer >= config_.n_layers) {
        return problem(tensor, fmt::format("found layer {}, expected less than the num_hidden_layers of {}",
                                           found->layer, config_.n_layers));
      }
      return Match{&rule, found->layer};
    }
  }
  return problem(tensor, fmt::format("a {} model has no such tensor", architecture_.name));
}

Status GgufPlan::check_shape(const CheckpointTensor& tensor, const Match& match) const {
  std::vector<int64_t> expected{size_of(config_, match.rule->rows)};
  if (match.rule->cols != Size::none) expected.push_back(size_of(config_, match.rule->cols));
  if (tensor.info->shape == expected) return {};
  return problem(tensor, fmt::format("shape: found {}, expected the {} of config.json",
                                     shape_text(tensor.info->shape), shape_text(expected)));
}

// As llama.cpp's converter: what has one dimension stays float32.
TensorType GgufPlan::choose_type(const TensorRule& rule) const {
  if (rule.cols == Size::none) return TensorType::f32;
  const TensorTypeInfo& info = tensor_type_info(type_);
  return size_of(config_, rule.cols) % info.block_elements == 0 ? type_ : TensorType::f16;
}

TensorSource source_of(const Checkpoint& checkpoint, const CheckpointTensor& tensor) {
  const auto& shape = tensor.info->shape;
  return {.bytes = checkpoint.data(tensor),
          .type = tensor.type,
          .rows = shape.size() > 1 ? shape[0] : 1,
          .cols = shape.empty() ? 1 : shape.back(),
          .mapping = &checkpoint.mapping(tensor)};
}

Status GgufPlan::check_copy_of_embedding(const CheckpointTensor& tensor) const {
  const CheckpointTensor* embedding = nullptr;
  for (const CheckpointTensor& other : checkpoint_.tensors()) {
    if (other.info->name.ends_with("embed_tokens.weight")) embedding = &other;
  }
  if (embedding == nullptr) return {};  // reported as missing
  const auto ours = checkpoint_.data(tensor);
  const auto theirs = checkpoint_.data(*embedding);
  if (std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end())) return {};
  return problem(tensor,
                 fmt::format("found another matrix than the embedding, expected the same: in a {} model "
                             "of tied embeddings it serves as output matrix too",
                             architecture_.name));
}

Status GgufPlan::add(const CheckpointTensor& tensor, const Match& match) {
  PLM_TRY_STATUS(check_shape(tensor, match));
  const TensorRule& rule = *match.rule;
  if (rule.presence == Presence::zero_or_none) {
    if (is_all_zero(source_of(checkpoint_, tensor))) return {};
    return problem(tensor, fmt::format("found numbers that are not zero; GGUF's {} has no such bias",
                                       architecture_.name));
  }
  if (rule.presence == Presence::unless_tied && config_.is_tied) return check_copy_of_embedding(tensor);
  std::string name = layer_name(rule.gguf, match.layer);
  if (!places_.insert(name).second) {
    return problem(tensor, fmt::format("found a second tensor for {}, expected one spelling", name));
  }
  std::vector<int64_t> shape(tensor.info->shape.rbegin(), tensor.info->shape.rend());
  tensors_.push_back({&tensor, &rule, {std::move(name), choose_type(rule), std::move(shape)}});
  return {};
}

Status GgufPlan::check_complete() const {
  for (const TensorRule& rule : architecture_.tensors) {
    const bool is_needed =
        rule.presence == Presence::required || (rule.presence == Presence::unless_tied && !config_.is_tied);
    if (!is_needed) continue;
    const int64_t n_layers = is_per_layer(rule.hf) ? config_.n_layers : 1;
    // Ends at the first that is missing, so a hostile num_hidden_layers costs nothing.
    for (int64_t layer = 0; layer < n_layers; ++layer) {
      if (places_.contains(layer_name(rule.gguf, layer))) continue;
      return make_error(ErrorKind::bad_data, "{}: tensor {}: not found", folder_, layer_name(rule.hf, layer));
    }
  }
  return {};
}

Status GgufPlan::make(std::optional<TensorType> type) {
  std::vector<Match> matches;
  std::set<TensorType> types;  // of the matrices
  for (const CheckpointTensor& tensor : checkpoint_.tensors()) {
    PLM_TRY(const Match found, match(tensor));
    matches.push_back(found);
    if (found.rule->cols != Size::none) types.insert(tensor.type);
  }
  type_ = type ? *type : types.size() == 1 ? *types.begin() : TensorType::f32;
  for (size_t i = 0; i < matches.size(); ++i) PLM_TRY_STATUS(add(checkpoint_.tensors()[i], matches[i]));
  return check_complete();
}

}  // namespace plm::convert
