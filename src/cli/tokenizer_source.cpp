#include "cli/tokenizer_source.h"

#include <filesystem>

#include "cli/model_path.h"
#include "convert/tokenizer_folder.h"
#include "gguf/gguf_file.h"
#include "runtime/vocabulary_file.h"

namespace plm::cli {

Result<tokenizer::VocabularyData> read_tokenizer(const std::string& given) {
  std::error_code error;
  if (!given.empty() && std::filesystem::is_directory(given, error)) {
    return convert::read_tokenizer_folder(given);
  }
  PLM_TRY(const std::string path, find_model(given));
  PLM_TRY(const auto file, gguf::File::open(path));
  return runtime::read_vocabulary(file);
}

}  // namespace plm::cli
