// A folder of prepared text: dataset.json and the token shards it lists. docs/training-data.md.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "train/data/packed_rows.h"

namespace plm::train {

struct DatasetPart {
  std::string file;  // within the folder; empty: no document fell into this part
  int64_t n_documents = 0;
  int64_t n_tokens = 0;
  int64_t text_bytes = 0;  // of the text behind the tokens: for bits per byte
};

// Documents that follow each other in the input.
struct DatasetSegment {
  int64_t documents_read = 0;  // from the input, those left out included
  std::string digest;          // of all those
  DatasetPart training, validation;
};

struct DatasetInput {
  std::string path;
  int64_t bytes = 0;
  bool operator==(const DatasetInput&) const = default;
};

struct DatasetSource {
  std::string name;
  std::string format;         // how documents lie in the files, in words
  int64_t max_documents = 0;  // 0: all
  std::vector<DatasetInput> inputs;
  std::vector<DatasetSegment> segments;
  int64_t duplicates = 0, bad_documents = 0;  // left out

  DatasetPart total(DatasetPart DatasetSegment::* part) const;
};

struct Dataset {
  std::string folder;
  bool is_complete = false;
  // How the text became tokens; two datasets with equal settings and inputs have equal shards.
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<DatasetSource> sources;
};

constexpr const char* kDatasetFile = "dataset.json";

// Fails with not_found when there is none, with bad_data on one that is not understood.
Result<Dataset> read_dataset(const std::string& folder);
Status write_dataset(const Dataset& dataset);

enum class DatasetSplit { training, validation };

// One stream for each source, with its name; one without tokens has an empty stream. Refuses a dataset that
// is not complete, and shards that are not those it lists.
Result<std::vector<NamedStream>> open_streams(const Dataset& dataset, DatasetSplit split);

// Reads and checks every token of every shard.
Status verify_shards(const Dataset& dataset);

}  // namespace plm::train
