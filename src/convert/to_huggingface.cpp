// GGUF -> Hugging Face folder.
#include <algorithm>
#include <utility>

#include "convert/checkpoint.h"
#include "convert/convert.h"
#include "convert/folder_plan.h"
#include "convert/generation_config.h"
#include "convert/hf_tokenizer_files.h"
#include "convert/output_place.h"
#include "convert/sentencepiece_model.h"
#include "convert/trouble_log.h"
#include "runtime/vocabulary_file.h"
#include "safetensors/safetensors_writer.h"

namespace plm::convert {
namespace {

Status check_type(const Options& options) {
  if (!options.type || *options.type == TensorType::f32 || *options.type == TensorType::f16 ||
      *options.type == TensorType::bf16) {
    return {};
  }
  return make_error(ErrorKind::invalid_argument, "found the type {}, expected F32, F16 or BF16 for a folder",
                    tensor_type_name(*options.type));
}

std::string_view torch_dtype(TensorType type) {
  return type == TensorType::f16 ? "float16" : type == TensorType::bf16 ? "bfloat16" : "float32";
}

std::string shard_name(size_t shard, size_t n_shards) {
  if (n_shards == 1) return kWeightsFile;
  return fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, n_shards);
}

Status write_json(const std::string& path, const JsonOut& json) {
  PLM_TRY(const std::string text, dump_json(json, path));
  return write_text_file(path, text);
}

class FolderWriter {
 public:
  FolderWriter(const gguf::File& file, const Architecture& architecture, const ModelConfig& config,
               const FolderPlan& plan, const Options& options)
      : file_(file), architecture_(architecture), config_(config), plan_(plan), options_(options) {}

  Status write_weights(const std::string& folder, TroubleLog& troubles);
  Status write_settings(const std::string& folder) const;

 private:
  Status write_shard(const std::string& path, std::span<const FolderTensor> tensors, TensorStream& stream,
                     TroubleLog& troubles);
  Status write_index(const std::string& folder) const;
  Status write_vocabulary(const std::string& folder, const tokenizer::VocabularyData& data) const;
  bool keep_going(size_t n_bytes, std::string_view name);

  const gguf::File& file_;
  const Architecture& architecture_;
  const ModelConfig& config_;
  const FolderPlan& plan_;
  const Options& options_;
  uint64_t done_ = 0;
};

bool FolderWriter::keep_going(size_t n_bytes, std::string_view name) {
  done_ += n_bytes;
  const double fraction = static_cast<double>(done_) / static_cast<double>(plan_.bytes());
  return !options_.progress || options_.progress(fraction, name);
}

Status FolderWriter::write_shard(const std::string& path, std::span<const FolderTensor> tensors,
                                 TensorStream& stream, TroubleLog& troubles) {
  std::vector<safetensors::TensorDescription> descriptions;
  for (const FolderTensor& tensor : tensors) {
    descriptions.push_back({tensor.name, to_dtype(tensor.type), tensor.shape});
  }
  PLM_TRY(safetensors::Writer writer,
          safetensors::Writer::create(path, std::move(descriptions), {{{"format", "pt"}}}));
  for (const FolderTensor& tensor : tensors) {
    PLM_TRY(const Trouble trouble,
            stream.convert(source_of(file_, *tensor.source, tensor.row_map), tensor.type,
                           [&](std::span<const std::byte> bytes) -> Status {
                             PLM_TRY_STATUS(writer.append(bytes));
                             if (keep_going(bytes.size(), tensor.source->name)) return {};
                             return Error{ErrorKind::cancelled, "interrupted"};
                           }));
    troubles.add(tensor.source->name, tensor.type, trouble);
  }
  return writer.finish();
}

Status FolderWriter::write_index(const std::string& folder) const {
  JsonOut map = JsonOut::object();
  for (size_t shard = 0; shard < plan_.n_shards(); ++shard) {
    for (const FolderTensor& tensor : plan_.shard(shard)) {
      map.get_ref<JsonOut::object_t&>().push_back({tensor.name, shard_name(shard, plan_.n_shards())});
    }
  }
  return write_json(folder + "/" + kIndexFile,
                    {{"metadata", {{"total_size", plan_.bytes()}}}, {"weight_map", std::move(map)}});
}

Status FolderWriter::write_weights(const std::string& folder, TroubleLog& troubles) {
  ThreadPool pool(options_.n_threads);
  TensorStream stream(pool);
  for (size_t shard = 0; shard < plan_.n_shards(); ++shard) {
    const std::string path = folder + "/" + shard_name(shard, plan_.n_shards());
    PLM_TRY_STATUS(write_shard(path, plan_.shard(shard), stream, troubles));
  }
  return plan_.n_shards() > 1 ? write_index(folder) : Status();
}

Status FolderWriter::write_vocabulary(const std::string& folder,
                                      const tokenizer::VocabularyData& data) const {
  if (data.model == "llama")
    return write_text_file(folder + "/tokenizer.model", make_sentencepiece_model(data));
  auto tokenizer = make_tokenizer_json(data);
  if (!tokenizer) return tokenizer.error().with_context(file_.path());
  return write_json(folder + "/tokenizer.json", *tokenizer);
}

Status FolderWriter::write_settings(const std::string& folder) const {
  PLM_TRY([[maybe_unused]] const auto checked, runtime::load_tokenizer(file_));
  PLM_TRY(const tokenizer::VocabularyData vocabulary, runtime::read_vocabulary(file_));
  PLM_TRY_STATUS(write_vocabulary(folder, vocabulary));
  PLM_TRY(const JsonOut tokenizer_config, make_tokenizer_config(file_, vocabulary, config_.context_length));
  PLM_TRY_STATUS(write_json(folder + "/tokenizer_config.json", tokenizer_config));

  JsonOut config = write_config(architecture_, config_);
  JsonOut generation = JsonOut::object();
  for (const auto& [name, id] :
       {std::pair{"bos_token_id", vocabulary.bos_id}, std::pair{"eos_token_id", vocabulary.eos_id},
        std::pair{"pad_token_id", vocabulary.padding_id}}) {
    if (id) config[name] = generation[name] = *id;
  }
  config["torch_dtype"] = torch_dtype(plan_.type());
  PLM_TRY_STATUS(write_sampling_fields(file_, generation));
  PLM_TRY_STATUS(write_json(folder + "/generation_config.json", generation));
  return write_json(folder + "/config.json", config);
}

}  // namespace

Result<Report> gguf_to_huggingface(const std::string& path, const std::string& folder,
                                   const Options& options) {
  PLM_TRY_STATUS(check_type(options));
  PLM_TRY(const gguf::File file, gguf::File::open(path));
  PLM_TRY(const Architecture* architecture, find_architecture(file));
  PLM_TRY(const ModelConfig config, read_config(*architecture, file));
  FolderPlan plan(*architecture, config, file);
  PLM_TRY_STATUS(plan.make(options));
  PLM_TRY_STATUS(check_place({.input = path,
                              .output = folder,
                              .overwrite = options.overwrite,
                              .is_folder = true,
                              .bytes = plan.bytes()}));

  Report report{.architecture = std::string(architecture->name),
                .type = plan.type(),
                .n_tensors = plan.n_tensors(),
                .n_parameters = plan.n_parameters(),
                .bytes = plan.bytes()};
  PLM_TRY(StagedFolder staged, StagedFolder::create(folder));
  FolderWriter writer(file, *architecture, config, plan, options);
  PLM_TRY_STATUS(writer.write_settings(staged.path()));
  TroubleLog troubles;
  PLM_TRY_STATUS(writer.write_weights(staged.path(), troubles));
  PLM_TRY_STATUS(troubles.judge(path, options.allow_nonfinite, report.notes));
  PLM_TRY_STATUS(staged.commit());
  return report;
}

}  // namespace plm::convert
