#include "cli/inspect_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace plm::cli {

using inspect::ModelSummary;
using inspect::TensorGroup;

namespace {

constexpr size_t kMaxItemsShown = 6;
constexpr size_t kMaxTextShown = 120;

Json to_json(const gguf::Number& number) {
  if (const auto value = number.to_bool()) return *value;
  if (const auto value = number.to_uint()) return *value;
  if (const auto value = number.to_int()) return *value;
  if (const auto value = number.to_double()) return *value;  // NaN and infinity: written as null
  return nullptr;
}

Json to_json(const gguf::Array& array, size_t max_items) {
  Json items = Json::array();
  for (size_t i = 0; i < std::min(array.size, max_items); ++i) {
    if (array.holds_numbers()) {
      items.push_back(to_json(array.number(i)));
    } else if (array.element_type == gguf::ValueType::string) {
      items.push_back(std::string(array.strings[i]));
    } else {
      items.push_back(to_json(array.arrays[i], max_items));
    }
  }
  if (array.size <= max_items) return items;
  return Json{
      {"elements", array.size}, {"type", gguf::value_type_name(array.element_type)}, {"first", items}};
}

Json to_json(const TensorGroup& group) {
  return Json{{"tensors", group.n_tensors}, {"parameters", group.n_parameters}, {"bytes", group.bytes}};
}

Json to_json(const std::map<std::string, TensorGroup>& groups) {
  Json json = Json::object();
  for (const auto& [name, group] : groups) json[name] = to_json(group);
  return json;
}

Json tensors_json(const gguf::File& file) {
  Json tensors = Json::array();
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    tensors.push_back(Json{{"name", std::string(tensor.name)},
                           {"type", tensor_type_name(tensor.type)},
                           {"shape", shape_json(tensor)},
                           {"bytes", tensor.bytes},
                           {"shard", tensor.shard},
                           {"offset", tensor.file_offset}});
  }
  return tensors;
}

std::string group_lines(std::string_view title, const std::map<std::string, TensorGroup>& groups) {
  std::string text = fmt::format("\n{}\n", title);
  for (const auto& [name, group] : groups) {
    text += fmt::format("  {:<14}{:>6} tensors {:>15} parameters {:>15} bytes  {:5.2f} bits each\n", name,
                        group.n_tensors, group.n_parameters, group.bytes,
                        8.0 * static_cast<double>(group.bytes) / static_cast<double>(group.n_parameters));
  }
  return text;
}

}  // namespace

Json value_json(const gguf::Value& value, size_t max_items) {
  if (const auto* text = value.string()) return std::string(*text);
  if (const auto* array = value.array()) return to_json(*array, max_items);
  return to_json(*value.number());
}

std::string shape_text(const gguf::TensorInfo& tensor) {
  return fmt::format("{}", fmt::join(tensor.shape.begin(), tensor.shape.begin() + tensor.n_dims, " x "));
}

Json shape_json(const gguf::TensorInfo& tensor) {
  return std::vector(tensor.shape.begin(), tensor.shape.begin() + tensor.n_dims);
}

std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json file_json(const gguf::File& file, const ModelSummary& summary, const ReportOptions& options) {
  Json metadata = Json::object();
  const size_t max_items = options.all_items ? SIZE_MAX : kMaxItemsShown;
  for (const gguf::KeyValue& item : file.metadata())
    metadata[std::string(item.key)] = value_json(item.value, max_items);
  Json json{{"file", file.path()},
            {"file_bytes", file.file_bytes()},
            {"shards", file.shard_paths().size()},
            {"gguf_version", file.version()},
            {"architecture", summary.architecture},
            {"parameters", summary.all.n_parameters},
            {"tensor_bytes", summary.all.bytes},
            {"by_part", to_json(summary.by_part)},
            {"by_type", to_json(summary.by_type)},
            {"output_tied", summary.is_output_tied},
            {"bytes_per_token", summary.bytes_per_token},
            {"zero_share", options.zero_share},
            {"activated_parameters", summary.activated_parameters(options.zero_share)},
            {"activated_parameters_with_up", summary.activated_parameters_with_up(options.zero_share)},
            {"activated_bytes_per_token", summary.activated_bytes(options.zero_share)}};
  if (summary.cache) {
    Json& cache = json["cache_bytes_per_token"];
    if (summary.cache->latent_f16 > 0) cache["latent_f16"] = summary.cache->latent_f16;
    cache["expanded_f16"] = summary.cache->expanded_f16;
  }
  json["metadata"] = std::move(metadata);
  if (!options.no_tensors) json["tensors"] = tensors_json(file);
  return json;
}

std::string title_text(const gguf::File& file) {
  std::string text =
      fmt::format("{}: GGUF version {}, {} bytes", file.path(), file.version(), file.file_bytes());
  if (file.shard_paths().size() > 1) text += fmt::format(" in {} shards", file.shard_paths().size());
  return text;
}

std::string sizes_text(const ModelSummary& summary, double zero_share) {
  std::string text =
      fmt::format("\nparameters      {}\nweight bytes    {}\n", summary.all.n_parameters, summary.all.bytes);
  text += fmt::format("read per token  {} bytes{}\n", summary.bytes_per_token,
                      summary.is_output_tied ? " (the embedding is the output matrix too)" : "");
  if (summary.down_projection.n_tensors > 0) {
    text += fmt::format("                {} bytes when {:.1f} % of the squared ReLUs are zero\n",
                        summary.activated_bytes(zero_share), 100 * zero_share);
    text += fmt::format(
        "activated       {} parameters then: without rows of ffn_down that meet a zero\n"
        "                {} without the rows of ffn_up that gave it too, as the PLM paper counts\n",
        summary.activated_parameters(zero_share), summary.activated_parameters_with_up(zero_share));
  }
  if (summary.cache && summary.cache->latent_f16 == 0) {
    text += fmt::format("cache per token {} bytes (f16 keys and values)\n", summary.cache->expanded_f16);
  } else if (summary.cache) {
    text += fmt::format("cache per token {} bytes (f16 latent); expanded keys and values: {} bytes\n",
                        summary.cache->latent_f16, summary.cache->expanded_f16);
  }
  return text + group_lines("by part", summary.by_part) + group_lines("by type", summary.by_type);
}

std::string file_text(const gguf::File& file, const ModelSummary& summary, const ReportOptions& options) {
  std::string text = fmt::format("{}\n\nmetadata ({})\n", title_text(file), file.metadata().size());
  for (const gguf::KeyValue& item : file.metadata()) {
    const auto* string = item.value.string();
    text +=
        fmt::format("  {} = {}\n", gguf::printable(item.key, kMaxTextShown),
                    string != nullptr && !options.all_items
                        ? fmt::format("\"{}\"", gguf::printable(*string, kMaxTextShown))
                        : gguf::to_display_string(item.value, options.all_items ? SIZE_MAX : kMaxItemsShown));
  }
  if (file.tensors().empty()) return text + "\nno tensors\n";
  text += sizes_text(summary, options.zero_share);
  if (options.no_tensors) return text;
  text += fmt::format("\ntensors ({}; shapes begin with the contiguous dimension)\n", file.tensors().size());
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    text += fmt::format("  {:<40} {:>8} {:>20} {:>14} bytes\n", gguf::printable(tensor.name),
                        tensor_type_name(tensor.type), shape_text(tensor), tensor.bytes);
  }
  return text;
}

}  // namespace plm::cli
