// Importance in GGUF: tensors NAME.in_sum2 [width, matrices] and NAME.counts [1, matrices] in F32, as
// llama.cpp writes them; ours alone are NAME.in_corr in F16 and the keys plm.*.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "base/half.h"
#include "base/mapped_file.h"
#include "gguf/gguf_file.h"
#include "gguf/gguf_writer.h"
#include "quantize/importance.h"
#include "quantize/legacy_importance.h"

namespace plm::quantize {
namespace {

constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts", kCorrelations = ".in_corr";
constexpr std::string_view kDatasets = "imatrix.datasets", kChunks = "imatrix.chunk_count",
                           kChunkTokens = "imatrix.chunk_size";
constexpr std::string_view kSensitiveTensors = "plm.sensitivity.tensors",
                           kSensitivities = "plm.sensitivity.values";
constexpr std::string_view kNeuronOrder = "plm.neuron_order.";

bool strip_suffix(std::string_view& name, std::string_view suffix) {
  if (name.size() <= suffix.size() || name.substr(name.size() - suffix.size()) != suffix) return false;
  name.remove_suffix(suffix.size());
  return true;
}

Result<std::vector<float>> read_floats(const gguf::File& file, const gguf::TensorInfo& tensor) {
  if (tensor.type != TensorType::f32) {
    return make_error(ErrorKind::bad_data, "{}: tensor {}: found {}, expected F32", file.path(),
                      gguf::printable(tensor.name), tensor_type_name(tensor.type));
  }
  std::vector<float> values(static_cast<size_t>(tensor.n_elements));
  std::memcpy(values.data(), file.tensor_data(tensor).data(), values.size() * sizeof(float));
  for (const float value : values) {
    if (!(value >= 0) || !std::isfinite(value)) {
      return make_error(ErrorKind::bad_data, "{}: tensor {}: found {}, expected finite numbers from 0 on",
                        file.path(), gguf::printable(tensor.name), value);
    }
  }
  return values;
}

Status read_correlations(const gguf::File& file, const gguf::TensorInfo& tensor,
                         InputStatistics& statistics) {
  const auto width = static_cast<int64_t>(statistics.sums.size());
  const int64_t block = tensor.shape[0];
  if (tensor.type != TensorType::f16 || tensor.shape[1] != block || block > width || width % block != 0 ||
      tensor.shape[2] != width / block || tensor.shape[3] != 1) {
    return make_error(ErrorKind::bad_data,
                      "{}: tensor {}: found {} of {} x {} x {}, expected F16, square blocks over {}",
                      file.path(), gguf::printable(tensor.name), tensor_type_name(tensor.type),
                      tensor.shape[0], tensor.shape[1], tensor.shape[2], width);
  }
  const auto bytes = file.tensor_data(tensor);
  statistics.correlations.block = block;
  statistics.correlations.coefficient.resize(static_cast<size_t>(tensor.n_elements));
  for (size_t i = 0; i < statistics.correlations.coefficient.size(); ++i) {
    uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + 2 * i, sizeof bits);
    const float value = f16_to_f32(bits);
    if (!(std::fabs(value) <= 1.001f)) {
      return make_error(ErrorKind::bad_data, "{}: tensor {}: found {}, expected numbers from -1 to 1",
                        file.path(), gguf::printable(tensor.name), value);
    }
    statistics.correlations.coefficient[i] = value;
  }
  return {};
}

Status read_tensors(const gguf::File& file, Importance& importance) {
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    std::string_view name = tensor.name;
    if (strip_suffix(name, kSums)) {
      PLM_TRY(importance.tensors[std::string(name)].sums, read_floats(file, tensor));
    } else if (strip_suffix(name, kCounts)) {
      PLM_TRY(importance.tensors[std::string(name)].counts, read_floats(file, tensor));
    }
  }
  for (const auto& [name, statistics] : importance.tensors) {
    if (statistics.sums.empty() || statistics.counts.empty() ||
        statistics.sums.size() % statistics.counts.size() != 0) {
      return make_error(ErrorKind::bad_data,
                        "{}: tensor {}: found {} sums and {} counts, expected both, in proportion",
                        file.path(), gguf::printable(name), statistics.sums.size(), statistics.counts.size());
    }
  }
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    std::string_view name = tensor.name;
    if (!strip_suffix(name, kCorrelations)) continue;
    const auto owner = importance.tensors.find(name);
    if (owner == importance.tensors.end()) continue;
    PLM_TRY_STATUS(read_correlations(file, tensor, owner->second));
  }
  return {};
}

Status read_neuron_orders(const gguf::File& file, Importance& importance) {
  for (const gguf::KeyValue& entry : file.metadata()) {
    if (entry.key.substr(0, kNeuronOrder.size()) != kNeuronOrder) continue;
    const std::string layer_text(entry.key.substr(kNeuronOrder.size()));
    PLM_TRY(std::vector<int32_t> order, file.get_int32s(entry.key));
    const auto n = static_cast<int32_t>(order.size());
    const bool in_range = std::all_of(order.begin(), order.end(), [n](int32_t i) { return i >= 0 && i < n; });
    if (!in_range || std::set<int32_t>(order.begin(), order.end()).size() != order.size() ||
        layer_text.empty() || layer_text.size() > 6 ||
        layer_text.find_first_not_of("0123456789") != std::string::npos) {
      return make_error(ErrorKind::bad_data, "{}: key {}: found no order of the numbers below {}",
                        file.path(), gguf::printable(entry.key), n);
    }
    importance.neuron_order[std::stoll(layer_text)] = std::move(order);
  }
  return {};
}

Status read_sensitivities(const gguf::File& file, Importance& importance) {
  if (file.find(kSensitiveTensors) == nullptr) return {};
  PLM_TRY(const auto names, file.get_strings(kSensitiveTensors));
  PLM_TRY(const std::vector<float> values, file.get_floats(kSensitivities));
  const bool in_range =
      std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v) && v >= 0; });
  if (names.size() != values.size() || !in_range) {
    return make_error(ErrorKind::bad_data, "{}: key {}: found {} numbers, expected {}, finite, from 0 on",
                      file.path(), kSensitivities, values.size(), names.size());
  }
  for (size_t i = 0; i < names.size(); ++i) importance.sensitivity[std::string(names[i])] = values[i];
  return {};
}

Result<Importance> read_gguf(const gguf::File& file) {
  Importance importance;
  if (file.find(kDatasets) == nullptr || file.find(kChunks) == nullptr ||
      file.find(kChunkTokens) == nullptr) {
    return make_error(ErrorKind::bad_data, "{}: found no keys imatrix.*, expected an importance matrix",
                      file.path());
  }
  PLM_TRY(const auto datasets, file.get_strings(kDatasets));
  importance.datasets.assign(datasets.begin(), datasets.end());
  PLM_TRY(const uint64_t n_chunks, file.get_uint(kChunks));
  PLM_TRY(const uint64_t chunk_tokens, file.get_uint(kChunkTokens));
  importance.n_chunks = static_cast<uint32_t>(std::min<uint64_t>(n_chunks, UINT32_MAX));
  importance.chunk_tokens = static_cast<uint32_t>(std::min<uint64_t>(chunk_tokens, UINT32_MAX));
  PLM_TRY_STATUS(read_tensors(file, importance));
  PLM_TRY_STATUS(read_neuron_orders(file, importance));
  PLM_TRY_STATUS(read_sensitivities(file, importance));
  return importance;
}

struct NamedData {
  gguf::TensorDescription description;
  std::vector<std::byte> bytes;
};

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

std::vector<NamedData> tensors_to_write(const Importance& importance) {
  std::vector<NamedData> result;
  for (const auto& [name, statistics] : importance.tensors) {
    const auto n_matrices = static_cast<int64_t>(statistics.counts.size());
    const auto width = static_cast<int64_t>(statistics.sums.size()) / n_matrices;
    result.push_back(
        {{name + std::string(kSums), TensorType::f32, {width, n_matrices}}, bytes_of(statistics.sums)});
    result.push_back(
        {{name + std::string(kCounts), TensorType::f32, {1, n_matrices}}, bytes_of(statistics.counts)});
    const Correlations& correlations = statistics.correlations;
    if (correlations.block == 0) continue;
    std::vector<uint16_t> halves;
    halves.reserve(correlations.coefficient.size());
    for (const float value : correlations.coefficient) halves.push_back(f32_to_f16(value));
    result.push_back({{name + std::string(kCorrelations),
                       TensorType::f16,
                       {correlations.block, correlations.block, width / correlations.block}},
                      bytes_of(halves)});
  }
  return result;
}

Status write_gguf(const std::string& path, const Importance& importance) {
  gguf::MetadataBuilder metadata;
  metadata.set_string("general.type", "imatrix");
  metadata.set_strings(kDatasets, std::span<const std::string>(importance.datasets));
  metadata.set_u32(kChunks, importance.n_chunks);
  metadata.set_u32(kChunkTokens, importance.chunk_tokens);
  for (const auto& [layer, order] : importance.neuron_order) {
    metadata.set_i32s(fmt::format("{}{}", kNeuronOrder, layer), order);
  }
  if (!importance.sensitivity.empty()) {
    std::vector<std::string> names;
    std::vector<float> values;
    for (const auto& [name, value] : importance.sensitivity) {
      names.push_back(name);
      values.push_back(value);
    }
    metadata.set_strings(kSensitiveTensors, std::span<const std::string>(names));
    metadata.set_f32s(kSensitivities, values);
  }
  const std::vector<NamedData> tensors = tensors_to_write(importance);
  std::vector<gguf::TensorDescription> descriptions;
  for (const NamedData& tensor : tensors) descriptions.push_back(tensor.description);
  PLM_TRY(gguf::Writer writer, gguf::Writer::create(path, metadata, std::move(descriptions)));
  for (const NamedData& tensor : tensors) PLM_TRY_STATUS(writer.append(tensor.bytes));
  return writer.finish();
}

}  // namespace

Result<Importance> parse_importance(std::span<const std::byte> bytes, const std::string& name) {
  constexpr std::string_view kMagic = "GGUF";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) return parse_legacy_importance(text, name);
  PLM_TRY(const gguf::File file, gguf::File::parse(bytes, name));
  return read_gguf(file);
}

Result<Importance> read_importance(const std::string& path) {
  PLM_TRY(const MappedFile mapped, MappedFile::open(path));
  return parse_importance(mapped.bytes(), path);
}

Status write_importance(const std::string& path, const Importance& importance, ImportanceFormat format) {
  if (importance.tensors.empty()) {
    return make_error(ErrorKind::invalid_argument, "{}: nothing was collected to write", path);
  }
  return format == ImportanceFormat::gguf ? write_gguf(path, importance)
                                          : write_legacy_importance(path, importance);
}

}  // namespace plm::quantize
