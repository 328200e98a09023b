// Checkpoints: OUTPUT/checkpoint-STEP/ with model.safetensors (float32 masters), optimizer.safetensors (both
// moments), trainer_state.json, settings.yaml, config.json, and last of all complete.json.
//
// All files are written to a folder with another name, synced and renamed; complete.json, with the size and
// the hash of every file, comes after the rename. A folder without it, or that does not agree with it, is
// never used.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "train/setup/parameter_layout.h"

namespace plm::train {

// All that a run is beside its tensors.
struct TrainerState {
  int64_t step = 0;      // updates done
  int64_t next_row = 0;  // of the data (data/batch_source.h)
  int64_t tokens_seen = 0;
  int64_t optimizer_steps = 0;  // less than step by the skipped ones
  int64_t skipped_in_a_row = 0;
  double running_loss = 0;  // mean of the last hundred or so; 0: none yet
  // Since the last log line.
  double loss_since_log = 0;
  int64_t steps_since_log = 0;
  std::string data_fingerprint;
};

struct CheckpointTexts {
  std::string settings_yaml;
  std::string config_json;
};

struct LoadedCheckpoint {
  TrainerState state;
  at::Tensor masters, first_moments, second_moments;  // float32 on the CPU, in the layout's order
};

// Whole checkpoints of a folder, the newest first. What is broken is passed over, with a word to `say`.
std::vector<std::string> find_checkpoints(const std::string& output_folder,
                                          const std::function<void(const std::string&)>& say);
// Fails when the folder is not complete, or its files are not those that were written.
Status verify_checkpoint(const std::string& folder);
Result<LoadedCheckpoint> load_checkpoint(const std::string& folder, const ParameterLayout& layout);

// Writes checkpoints on a thread of its own while training goes on. One at a time.
class CheckpointWriter {
 public:
  struct Options {
    std::string output_folder;
    int64_t keep = 2;  // newest whole checkpoints; at least two are kept
    CheckpointTexts texts;
  };
  CheckpointWriter(Options options, ParameterLayout layout)
      : options_(std::move(options)), layout_(std::move(layout)) {}
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // Waits for the one before, whose error it returns, copies the tensors and begins.
  Status begin(const TrainerState& state, const at::Tensor& masters, const at::Tensor& first_moments,
               const at::Tensor& second_moments);
  // Waits for the one that is being written.
  Status wait();

 private:
  Status write(const LoadedCheckpoint& snapshot) const;
  void remove_old() const;

  Options options_;
  ParameterLayout layout_;
  std::thread thread_;
  std::optional<Error> error_;
};

}  // namespace plm::train
