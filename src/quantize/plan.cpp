#include "quantize/plan.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "quant/formats.h"

namespace plm::quantize {
namespace {

// The number in "blk.<number>.", or -1.
int64_t layer_of(std::string_view tensor) {
  constexpr std::string_view kPrefix = "blk.";
  int64_t layer = -1;
  if (tensor.substr(0, kPrefix.size()) != kPrefix) return -1;
  std::from_chars(tensor.data() + kPrefix.size(), tensor.data() + tensor.size(), layer);
  return layer;
}

// The place of each tensor among those of its role, in order of layer and name.
std::map<std::string_view, TensorPlace> places(const gguf::File& file) {
  std::vector<const gguf::TensorInfo*> order;
  for (const gguf::TensorInfo& tensor : file.tensors()) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    const int64_t layer_a = layer_of(a->name), layer_b = layer_of(b->name);
    return layer_a != layer_b ? layer_a < layer_b : a->name < b->name;
  });
  const auto counted_role = [](Role role) {
    return role == Role::attention_qkv ? Role::attention_v : role;  // llama.cpp counts them together
  };
  std::map<Role, int64_t> count;
  std::map<std::string_view, TensorPlace> result;
  for (const gguf::TensorInfo* tensor : order) {
    const Role role = role_of(tensor->name);
    result[tensor->name] = {.role = role, .row = tensor->shape[0], .ordinal = count[counted_role(role)]++};
  }
  for (auto& [name, place] : result) place.n_alike = count[counted_role(place.role)];
  return result;
}

class Planner {
 public:
  Planner(const PlanOptions& options, const ModelTraits& traits) : options_(options), traits_(traits) {}

  PlannedTensor plan(const gguf::TensorInfo& tensor, const TensorPlace& place) const {
    PlannedTensor planned{.source = tensor, .type = tensor.type};
    if (is_chosen(tensor, place)) {
      const TensorType wished = wish(tensor, place);
      planned.type = fallback_type(wished, place.row);
      planned.fell_back = planned.type != wished;
    }
    planned.bytes = row_bytes(planned.type, tensor.shape[0]) * (tensor.n_elements / tensor.shape[0]);
    return planned;
  }

 private:
  bool is_chosen(const gguf::TensorInfo& tensor, const TensorPlace& place) const {
    if (place.role == Role::output && options_.keep_output) return false;
    return may_be_quantized(tensor.name, tensor.n_dims) && quant::find_format(tensor.type) != nullptr;
  }

  TensorType wish(const gguf::TensorInfo& tensor, const TensorPlace& place) const {
    if (place.role == Role::embedding && options_.embedding_type) return *options_.embedding_type;
    const bool is_output =
        place.role == Role::output || (place.role == Role::embedding && traits_.output_is_tied);
    if (place.role == Role::output && options_.output_type) return *options_.output_type;
    const std::string name(tensor.name);
    for (const TensorRule& rule : options_.rules) {
      if (std::regex_search(name, rule.regex)) return rule.type;
    }
    if (is_output && options_.output_type) return *options_.output_type;
    return options_.pure ? options_.file_type->main : type_by_rule(*options_.file_type, traits_, place);
  }

  const PlanOptions& options_;
  const ModelTraits& traits_;
};

Status check_source(const gguf::File& file, const PlannedTensor& tensor, const PlanOptions& options) {
  if (tensor.type == tensor.source.type || options.may_requantize) return {};
  if (tensor_type_info(tensor.source.type).block_elements == 1) return {};
  return make_error(ErrorKind::invalid_argument,
                    "{}: tensor {}: found {}, which has lost precision already; start from F32, F16 or BF16, "
                    "or say --allow-requantize",
                    file.path(), gguf::printable(tensor.source.name), tensor_type_name(tensor.source.type));
}

}  // namespace

Result<TensorType> writable_type(const std::string& name) {
  const auto type = tensor_type_from_name(name);
  const quant::Format* format = type ? quant::find_format(*type) : nullptr;
  if (format != nullptr && format->encode != nullptr) return *type;
  std::string known;
  for (const quant::Format& candidate : quant::all_formats()) {
    if (candidate.encode == nullptr) continue;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", tensor_type_name(candidate.type));
  }
  return make_error(ErrorKind::invalid_argument, "tensor type: found {}, expected one of {}", name, known);
}

Result<TensorRule> TensorRule::parse(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return make_error(ErrorKind::invalid_argument, "--tensor-type: found \"{}\", expected PATTERN=TYPE",
                      text);
  }
  TensorRule rule;
  rule.pattern = text.substr(0, equals);
  PLM_TRY(rule.type, writable_type(text.substr(equals + 1)));
  try {
    rule.regex = std::regex(rule.pattern, std::regex::ECMAScript | std::regex::icase);
  } catch (const std::regex_error& error) {
    return make_error(ErrorKind::invalid_argument, "--tensor-type: \"{}\" is no regular expression: {}",
                      rule.pattern, error.what());
  }
  return rule;
}

Result<ModelTraits> read_traits(const gguf::File& file) {
  PLM_TRY(const std::string_view architecture, file.get_string("general.architecture"));
  const std::string prefix = std::string(architecture) + ".";
  ModelTraits traits;
  PLM_TRY(const uint64_t n_layers, file.get_uint_or(prefix + "block_count", 0));
  PLM_TRY(const uint64_t n_experts, file.get_uint_or(prefix + "expert_count", 0));
  constexpr uint64_t kMost = 1 << 20;
  traits.n_layers = static_cast<int64_t>(std::min(n_layers, kMost));
  traits.n_experts = static_cast<int64_t>(std::min(n_experts, kMost));
  // Some architectures have a number of heads for each layer, an array: those share no rule with us.
  const auto heads = file.get_uint_or(prefix + "attention.head_count", 1);
  const auto kv_heads = heads ? file.get_uint_or(prefix + "attention.head_count_kv", *heads) : heads;
  if (heads && kv_heads && *kv_heads > 0) {
    traits.heads_per_kv_head = static_cast<int64_t>(std::min(*heads / *kv_heads, kMost));
  }
  traits.output_is_tied = file.find_tensor("output.weight") == nullptr;
  return traits;
}

Result<Plan> make_plan(const gguf::File& file, const PlanOptions& options) {
  PLM_TRY(ModelTraits traits, read_traits(file));
  traits.has_importance = options.importance != nullptr;
  Plan plan;
  plan.file_type = options.file_type;
  const std::map<std::string_view, TensorPlace> place_of = places(file);
  const Planner planner(options, traits);
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    const PlannedTensor planned = planner.plan(tensor, place_of.at(tensor.name));
    PLM_TRY_STATUS(check_source(file, planned, options));
    plan.bytes_before += tensor.bytes;
    plan.bytes_after += planned.bytes;
    plan.n_elements += tensor.n_elements;
    plan.tensors.push_back(planned);
  }
  if (plan.tensors.empty()) {
    return make_error(ErrorKind::bad_data, "{}: found no tensors, expected a model", file.path());
  }
  return plan;
}

Plan plan_as_it_is(const gguf::File& file) {
  Plan plan;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    plan.tensors.push_back({.source = tensor, .type = tensor.type, .bytes = tensor.bytes});
    plan.bytes_before += tensor.bytes;
    plan.bytes_after += tensor.bytes;
    plan.n_elements += tensor.n_elements;
  }
  return plan;
}

}  // namespace plm::quantize
