// What a model architecture is in the two worlds: fields of config.json against keys of GGUF, names and
// shapes of tensors. One table for each architecture, in the file of its name; names and keys are those
// llama.cpp's converter writes. Internal to the folder.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "convert/json_reader.h"
#include "gguf/gguf_file.h"
#include "gguf/metadata_builder.h"

namespace plm::convert {

// JSON about to be written, in the order of writing.
using JsonOut = nlohmann::ordered_json;

// The llama3 kind: low frequencies are divided by `factor`, high ones stay, a ramp between.
struct RopeScaling {
  double factor = 8, low_frequency_factor = 1, high_frequency_factor = 4;
  int64_t original_context = 8192;
};

// Shapes and constants of a model, as either side states them. Letters: docs/dimensions.md.
struct ModelConfig {
  int64_t n_layers = 0;
  int64_t width = 0;            // D
  int64_t ffn_width = 0;        // F
  int64_t n_heads = 0;          // H
  int64_t n_kv_heads = 0;       // of keys and values
  int64_t vocabulary_size = 0;  // W
  int64_t context_length = 0;
  int64_t key_width = 0;    // of one head, Q
  int64_t value_width = 0;  // of one head, V
  double rms_epsilon = 0;
  double rope_base = 0;
  bool is_tied = false;  // the output matrix is the embedding

  int64_t latent_width = 0;                                         // C, latent attention only
  int64_t rope_width = 0;                                           // R, likewise
  bool has_attention_biases = false;                                // llama, read from the tensors of GGUF
  bool states_head_width = false;                                   // the file says head_dim by itself
  std::optional<RopeScaling> rope_scaling = {};                     // llama
  double embedding_scale = 0, residual_scale = 0, logit_scale = 0;  // minicpm
};

// A size of a tensor, said of any model of the architecture.
enum class Size {
  none,        // the tensor has one dimension only
  width,       // D
  ffn,         // F
  vocabulary,  // W
  queries,     // H Q
  keys,        // key heads * Q
  values,      // value heads * V
  attended,    // H V
  head,        // Q
  latent,      // C
  cache_row,   // C + R
  expanded,    // H (Q - R + V)
};

int64_t size_of(const ModelConfig& config, Size size);

// GGUF has a head's rope pairs side by side where Hugging Face has first all first halves: llama, minicpm.
enum class RowOrder { same, rope_pairs };

enum class Presence {
  required,
  optional,
  unless_tied,   // the output matrix: absent when the embedding serves; a copy of the embedding is dropped
  zero_or_none,  // GGUF has no place for it: dropped when all its numbers are zero, else refused
};

struct TensorRule {
  std::string_view hf;    // "{}" stands for the number of a layer
  std::string_view gguf;  // likewise; empty for zero_or_none
  Size rows = Size::none;
  Size cols = Size::none;  // none: one dimension, of `rows` numbers
  Presence presence = Presence::required;
  RowOrder order = RowOrder::same;
  std::string_view hf_also = {};  // another name seen in checkpoints
};

// A small tensor that only GGUF has.
struct GeneratedTensor {
  std::string name;
  std::vector<float> values;
};

struct Architecture {
  std::string_view name;                // general.architecture, and what keys begin with
  std::string_view model_type;          // of config.json
  std::string_view class_name;          // "architectures" of config.json
  std::span<const TensorRule> tensors;  // in the order in which transformers saves them

  // From config.json. The fields common to all architectures are read already; refuses what the engine's
  // architecture of this name does not compute.
  Status (*read_fields)(const JsonFields& fields, ModelConfig& config);
  // The keys after the common ones, and tensors made from the configuration.
  void (*write_keys)(const ModelConfig& config, gguf::MetadataBuilder& keys);
  std::vector<GeneratedTensor> (*generate)(const ModelConfig& config);

  // The way back.
  Status (*read_keys)(const gguf::File& file, ModelConfig& config);
  void (*write_fields)(const ModelConfig& config, JsonOut& fields);
};

// 1e-06 and not 9.999999974752427e-07: the shortest decimal that reads as the same float32.
double shortest_decimal(double value);

std::span<const Architecture* const> all_architectures();

// By "architectures" or "model_type" of config.json; by general.architecture. Errors list those known.
Result<const Architecture*> find_architecture(const JsonFields& fields);
Result<const Architecture*> find_architecture(const gguf::File& file);

Result<ModelConfig> read_config(const Architecture& architecture, const JsonFields& fields);
Result<ModelConfig> read_config(const Architecture& architecture, const gguf::File& file);

// plm.block_count and so on, up to what write_keys adds after general.file_type.
void write_common_keys(const Architecture& architecture, const ModelConfig& config,
                       gguf::MetadataBuilder& keys);
JsonOut write_config(const Architecture& architecture, const ModelConfig& config);

// A rule's name for a layer, and the layer of a name: nothing when the name is not of this rule.
std::string layer_name(std::string_view pattern, int64_t layer);
struct LayerMatch {
  int64_t layer = -1;  // -1 for patterns without "{}"
};
std::optional<LayerMatch> match_layer_name(std::string_view pattern, std::string_view name);
inline bool is_per_layer(std::string_view pattern) { return pattern.find("{}") != std::string_view::npos; }

extern const Architecture kPlm, kLlama, kQwen2, kQwen3, kMiniCpm;

}  // namespace plm::convert
