// dataset_info.json of LLaMA-Factory: names for data sets, with the place of their files and the meaning of
// their columns. Entries of a hub are refused: this program reads local files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "train/data/prepare.h"

namespace plm::train {

struct DatasetInfo {
  enum class Formatting { alpaca, sharegpt };

  std::string name;
  std::string path;  // of a file or folder, within the folder of dataset_info.json
  Formatting formatting = Formatting::alpaca;
  bool has_ranking = false;                    // pairs of answers, for preference training
  int64_t n_samples = 0;                       // the first ones; 0: all
  std::map<std::string, std::string> columns;  // "prompt", "response", "messages", ..: name in the file
  std::map<std::string, std::string> tags;     // "role_tag", "user_tag", ..: of sharegpt
};

// The entries of `names`, "a,b", from FOLDER/dataset_info.json. Fails with not_found on an unknown name,
// listing the known ones.
Result<std::vector<DatasetInfo>> find_datasets(const std::string& folder, const std::string& names);

// As text for pretraining: the prompt column alone, text files line by line, as LLaMA-Factory reads them.
// Refuses conversations.
Result<TextSource> pretraining_source(const DatasetInfo& info);

}  // namespace plm::train
