#include "cli/inspect_difference.h"

#include <fmt/format.h>

#include <optional>

namespace plm::cli {

using inspect::FileDifference;
using inspect::KeyDifference;
using inspect::TensorDifference;

namespace {

constexpr size_t kItemsShown = 4;
constexpr size_t kTextShown = 80;

std::string value_text(const gguf::Value& value) {
  if (const auto* text = value.string()) return fmt::format("\"{}\"", gguf::printable(*text, kTextShown));
  return gguf::to_display_string(value, kItemsShown);
}

// Both are arrays of one type: where they begin to differ.
std::optional<size_t> differing_element(const KeyDifference& key) {
  const gguf::Array* a = key.a->array();
  const gguf::Array* b = key.b->array();
  if (a == nullptr || b == nullptr || a->element_type != b->element_type) return std::nullopt;
  return inspect::first_difference(*a, *b);
}

std::string key_line(const KeyDifference& key) {
  const std::string name = gguf::printable(key.key, kTextShown);
  if (key.b == nullptr) return fmt::format("  - {} = {}\n", name, value_text(*key.a));
  if (key.a == nullptr) return fmt::format("  + {} = {}\n", name, value_text(*key.b));
  std::string remark;
  if (key.a->type() != key.b->type()) {
    remark =
        fmt::format(" (types {} and {})", value_type_name(key.a->type()), value_type_name(key.b->type()));
  } else if (const auto element = differing_element(key)) {
    remark = fmt::format(" (from element {} on)", *element);
  }
  return fmt::format("  ! {}: {} | {}{}\n", name, value_text(*key.a), value_text(*key.b), remark);
}

std::string tensor_of(const gguf::TensorInfo& tensor) {
  return fmt::format("{} [{}]", tensor_type_name(tensor.type), shape_text(tensor));
}

std::string tensor_line(const TensorDifference& tensor) {
  const std::string name = gguf::printable(tensor.name());
  if (tensor.b == nullptr) return fmt::format("  - {:<32} {}\n", name, tensor_of(*tensor.a));
  if (tensor.a == nullptr) return fmt::format("  + {:<32} {}\n", name, tensor_of(*tensor.b));
  const bool same_type = tensor.a->type == tensor.b->type;
  std::string line = fmt::format("  ! {:<32} {}", name, tensor_of(*tensor.a));
  if (!same_type || !tensor.has_same_shape()) line += " | " + tensor_of(*tensor.b);
  if (!tensor.has_same_shape()) return line + "\n";
  if (!tensor.has_numbers) {
    return line + (same_type ? ": other bytes, of a type that is not decoded\n" : ": not decoded\n");
  }
  if (tensor.n_different == 0) return line + ": the same numbers\n";
  line += fmt::format(
      ": largest {:.3g}, rms {:.3g} ({:.3g} % of A's), {:.3g} % of the numbers", tensor.largest, tensor.rms,
      100 * tensor.relative(),
      100.0 * static_cast<double>(tensor.n_different) / static_cast<double>(tensor.a->n_elements));
  if (tensor.n_not_finite > 0) line += fmt::format(", {} of them not finite", tensor.n_not_finite);
  return line + "\n";
}

Json tensor_json(const TensorDifference& tensor) {
  Json json{{"name", std::string(tensor.name())}};
  for (const auto& [side, info] : {std::pair{"a", tensor.a}, std::pair{"b", tensor.b}}) {
    json[side] = info == nullptr ? Json(nullptr)
                                 : Json{{"type", tensor_type_name(info->type)}, {"shape", shape_json(*info)}};
  }
  if (!tensor.has_numbers) return json;
  json["different_numbers"] = tensor.n_different;
  json["not_finite"] = tensor.n_not_finite;
  json["largest"] = tensor.largest;
  json["rms"] = tensor.rms;
  json["relative_rms"] = tensor.relative();
  return json;
}

}  // namespace

std::string difference_text(const gguf::File& a, const gguf::File& b, const FileDifference& difference) {
  std::string text = fmt::format("A: {}\nB: {}\n", a.path(), b.path());
  text += fmt::format("\nmetadata: {} equal, {} not\n", difference.n_equal_keys, difference.keys.size());
  for (const KeyDifference& key : difference.keys) text += key_line(key);
  text += fmt::format("\ntensors: {} equal, {} not\n", difference.n_equal_tensors, difference.tensors.size());
  for (const TensorDifference& tensor : difference.tensors) text += tensor_line(tensor);
  return text + (difference.is_equal() ? "\nequal\n" : "\ndifferent (- only in A, + only in B, ! in both)\n");
}

Json difference_json(const gguf::File& a, const gguf::File& b, const FileDifference& difference) {
  Json keys = Json::array(), tensors = Json::array();
  for (const KeyDifference& key : difference.keys) {
    Json entry{{"key", std::string(key.key)}};
    for (const auto& [side, value] : {std::pair{"a", key.a}, std::pair{"b", key.b}}) {
      entry[side] = value == nullptr ? Json(nullptr)
                                     : Json{{"type", gguf::value_type_name(value->type())},
                                            {"value", value_json(*value, kItemsShown)}};
    }
    if (key.a != nullptr && key.b != nullptr) {
      if (const auto element = differing_element(key)) entry["from_element"] = *element;
    }
    keys.push_back(std::move(entry));
  }
  for (const TensorDifference& tensor : difference.tensors) tensors.push_back(tensor_json(tensor));
  return Json{{"a", a.path()},
              {"b", b.path()},
              {"equal", difference.is_equal()},
              {"equal_keys", difference.n_equal_keys},
              {"different_keys", std::move(keys)},
              {"equal_tensors", difference.n_equal_tensors},
              {"different_tensors", std::move(tensors)}};
}

}  // namespace plm::cli
