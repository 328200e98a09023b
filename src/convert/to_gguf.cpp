// Hugging Face folder -> GGUF.
#include <filesystem>
#include <utility>

#include "convert/architecture.h"
#include "convert/checkpoint.h"
#include "convert/convert.h"
#include "convert/generation_config.h"
#include "convert/gguf_plan.h"
#include "convert/hf_vocabulary.h"
#include "convert/output_place.h"
#include "convert/trouble_log.h"
#include "gguf/gguf_writer.h"

namespace plm::convert {
namespace {

// ggml's number for its present block formats.
constexpr uint32_t kQuantizationVersion = 2;

// llama.cpp's numbers for general.file_type.
uint32_t file_type(TensorType type) {
  switch (type) {
    case TensorType::f32:
      return 0;
    case TensorType::f16:
      return 1;
    case TensorType::q8_0:
      return 7;
    default:
      return 32;  // BF16
  }
}

Status check_type(const Options& options) {
  if (!options.type) return {};
  switch (*options.type) {
    case TensorType::f32:
    case TensorType::f16:
    case TensorType::bf16:
      return {};
    case TensorType::q8_0:
      if (!options.allow_nonfinite) return {};
      return make_error(ErrorKind::invalid_argument,
                        "Q8_0 cannot hold NaN or infinities: choose F32, F16 or BF16");
    default:
      return make_error(ErrorKind::invalid_argument,
                        "found the type {}, expected F32, F16, BF16 or Q8_0 (the others: plm quantize)",
                        tensor_type_name(*options.type));
  }
}

// "1.8B", "662.6K": two digits at least, as llama.cpp's converter labels sizes.
std::string size_label(int64_t n_parameters) {
  const auto count = static_cast<double>(n_parameters);
  const auto [scale, suffix] = count > 1e12  ? std::pair{1e-12, 'T'}
                               : count > 1e9 ? std::pair{1e-9, 'B'}
                               : count > 1e6 ? std::pair{1e-6, 'M'}
                                             : std::pair{1e-3, 'K'};
  const double scaled = count * scale;
  const std::string rounded = fmt::format("{:.0f}", scaled);
  const bool has_one_digit = rounded.size() < 2;
  return fmt::format("{:.{}f}{}", scaled, rounded == "0" ? 2 : has_one_digit ? 1 : 0, suffix);
}

std::string name_of(const std::string& folder, const Options& options) {
  if (!options.name.empty()) return options.name;
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::weakly_canonical(folder, error);
  return whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
}

struct Source {
  std::string folder;
  Json config_json;
  const Architecture* architecture = nullptr;
  ModelConfig config;
  Checkpoint checkpoint;

  JsonFields fields() const { return {config_json, folder + "/config.json"}; }
};

Status open_source(const std::string& folder, Source& source) {
  source.folder = folder;
  PLM_TRY(source.config_json, read_json_object(folder + "/config.json"));
  PLM_TRY(source.architecture, find_architecture(source.fields()));
  PLM_TRY(source.config, read_config(*source.architecture, source.fields()));
  PLM_TRY(source.checkpoint, Checkpoint::open(folder));
  return {};
}

Result<gguf::MetadataBuilder> make_metadata(const Source& source, const GgufPlan& plan, const Report& report,
                                            const Options& options) {
  gguf::MetadataBuilder keys;
  keys.set_string("general.architecture", source.architecture->name);
  keys.set_string("general.type", "model");
  const std::string generation_path = source.folder + "/generation_config.json";
  PLM_TRY(const Json generation, read_json_object_if_there(generation_path));
  PLM_TRY_STATUS(write_sampling_keys(JsonFields(generation, generation_path), keys));
  keys.set_string("general.name", name_of(source.folder, options));
  keys.set_string("general.size_label", size_label(report.n_parameters));
  write_common_keys(*source.architecture, source.config, keys);
  keys.set_u32("general.file_type", file_type(plan.type()));
  source.architecture->write_keys(source.config, keys);
  keys.set_u32("general.quantization_version", kQuantizationVersion);
  PLM_TRY(const HfVocabulary vocabulary,
          read_hf_vocabulary(source.folder, source.fields(), source.config.vocabulary_size));
  write_vocabulary_keys(vocabulary, keys);
  return keys;
}

std::vector<gguf::TensorDescription> describe(const GgufPlan& plan,
                                              const std::vector<GeneratedTensor>& generated) {
  std::vector<gguf::TensorDescription> tensors;
  for (const GeneratedTensor& tensor : generated) {
    tensors.push_back({tensor.name, TensorType::f32, {std::ssize(tensor.values)}});
  }
  for (const PlannedTensor& tensor : plan.tensors()) tensors.push_back(tensor.description);
  return tensors;
}

Status write_tensors(const Source& source, const GgufPlan& plan, const Options& options, const Report& report,
                     gguf::Writer& writer, TroubleLog& troubles) {
  ThreadPool pool(options.n_threads);
  TensorStream stream(pool);
  uint64_t done = 0;
  for (const PlannedTensor& tensor : plan.tensors()) {
    const std::string& name = tensor.source->info->name;
    TensorSource numbers = source_of(source.checkpoint, *tensor.source);
    if (tensor.rule->order == RowOrder::rope_pairs) {
      numbers.row_map = {.head_width = source.config.key_width, .makes_pairs = true};
      if (tensor.rule->cols == Size::none) std::swap(numbers.rows, numbers.cols);
    }
    const TensorType type = tensor.description.type;
    PLM_TRY(const Trouble trouble,
            stream.convert(numbers, type, [&](std::span<const std::byte> bytes) -> Status {
              PLM_TRY_STATUS(writer.append(bytes));
              done += bytes.size();
              const double fraction = static_cast<double>(done) / static_cast<double>(report.bytes);
              if (!options.progress || options.progress(fraction, name)) return {};
              return Error{ErrorKind::cancelled, "interrupted"};
            }));
    troubles.add(name, type, trouble);
  }
  return {};
}

}  // namespace

Result<Report> huggingface_to_gguf(const std::string& folder, const std::string& path,
                                   const Options& options) {
  PLM_TRY_STATUS(check_type(options));
  Source source;
  PLM_TRY_STATUS(open_source(folder, source));
  GgufPlan plan(*source.architecture, source.config, source.checkpoint, folder);
  PLM_TRY_STATUS(plan.make(options.type));
  const auto generated = source.architecture->generate(source.config);

  Report report{.architecture = std::string(source.architecture->name), .type = plan.type()};
  const auto descriptions = describe(plan, generated);
  report.n_tensors = std::ssize(descriptions);
  for (const gguf::TensorDescription& tensor : descriptions) {
    // The safetensors reader has checked that the product is small.
    const int64_t cols = tensor.shape[0];
    const int64_t rows = tensor.shape.size() > 1 ? tensor.shape[1] : 1;
    report.n_parameters += rows * cols;
    report.bytes += static_cast<uint64_t>(rows * row_bytes(tensor.type, cols));
  }
  PLM_TRY_STATUS(
      check_place({.input = folder, .output = path, .overwrite = options.overwrite, .bytes = report.bytes}));
  PLM_TRY(const gguf::MetadataBuilder metadata, make_metadata(source, plan, report, options));

  PLM_TRY(gguf::Writer writer, gguf::Writer::create(path, metadata, descriptions));
  for (const GeneratedTensor& tensor : generated) {
    PLM_TRY_STATUS(writer.append(std::as_bytes(std::span(tensor.values))));
  }
  TroubleLog troubles;
  PLM_TRY_STATUS(write_tensors(source, plan, options, report, writer, troubles));
  PLM_TRY_STATUS(troubles.judge(folder, options.allow_nonfinite, report.notes));
  PLM_TRY_STATUS(writer.finish());
  return report;
}

}  // namespace plm::convert
