#include "runtime/vocabulary_file.h"

namespace plm::runtime {

namespace {

Status read_id(const gguf::File& file, std::string_view key, std::optional<int64_t>& id) {
  const gguf::Value* value = file.find(key);
  if (value == nullptr) return {};
  // llama.cpp writes -1 for "none" in files of 32-bit signed ids.
  if (const gguf::Number* number = value->number()) id = number->to_int();
  if (id == -1) id.reset();
  if (id || value->number() != nullptr) return {};
  return file.get_uint(key).error();
}

Status read_flag(const gguf::File& file, std::string_view key, std::optional<bool>& flag) {
  if (file.find(key) == nullptr) return {};
  PLM_TRY(flag, file.get_bool(key));
  return {};
}

Status read_strings(const gguf::File& file, std::string_view key, std::vector<std::string>& strings) {
  if (file.find(key) == nullptr) return {};
  PLM_TRY(const auto views, file.get_strings(key));
  strings.assign(views.begin(), views.end());
  return {};
}

Status read_string(const gguf::File& file, std::string_view key, std::string& text) {
  PLM_TRY(text, file.get_string_or(key, ""));
  return {};
}

}  // namespace

Result<tokenizer::VocabularyData> read_vocabulary(const gguf::File& file) {
  tokenizer::VocabularyData data;
  PLM_TRY(data.model, file.get_string("tokenizer.ggml.model"));
  PLM_TRY_STATUS(read_string(file, "tokenizer.ggml.pre", data.pre_tokenizer));
  PLM_TRY(const auto tokens, file.get_strings("tokenizer.ggml.tokens"));
  data.tokens.assign(tokens.begin(), tokens.end());
  PLM_TRY_STATUS(read_strings(file, "tokenizer.ggml.merges", data.merges));
  if (file.find("tokenizer.ggml.scores") != nullptr) {
    PLM_TRY(data.scores, file.get_floats("tokenizer.ggml.scores"));
  }
  if (file.find("tokenizer.ggml.token_type") != nullptr) {
    PLM_TRY(data.types, file.get_int32s("tokenizer.ggml.token_type"));
  }
  PLM_TRY_STATUS(read_id(file, "tokenizer.ggml.bos_token_id", data.bos_id));
  PLM_TRY_STATUS(read_id(file, "tokenizer.ggml.eos_token_id", data.eos_id));
  PLM_TRY_STATUS(read_id(file, "tokenizer.ggml.eot_token_id", data.eot_id));
  PLM_TRY_STATUS(read_id(file, "tokenizer.ggml.eom_token_id", data.eom_id));
  PLM_TRY_STATUS(read_id(file, "tokenizer.ggml.unknown_token_id", data.unknown_id));
  PLM_TRY_STATUS(read_id(file, "tokenizer.ggml.padding_token_id", data.padding_id));
  PLM_TRY_STATUS(read_flag(file, "tokenizer.ggml.add_bos_token", data.add_bos));
  PLM_TRY_STATUS(read_flag(file, "tokenizer.ggml.add_eos_token", data.add_eos));
  PLM_TRY_STATUS(read_flag(file, "tokenizer.ggml.add_space_prefix", data.add_space_prefix));
  PLM_TRY_STATUS(read_string(file, "plm.tokenizer.normalizer", data.normalizer));
  PLM_TRY_STATUS(read_string(file, "tokenizer.chat_template", data.chat_template));
  return data;
}

Result<tokenizer::Tokenizer> load_tokenizer(const gguf::File& file) {
  PLM_TRY(auto data, read_vocabulary(file));
  auto tokenizer = tokenizer::Tokenizer::create(std::move(data));
  if (!tokenizer.ok()) return tokenizer.error().with_context(file.path());
  return tokenizer;
}

}  // namespace plm::runtime
