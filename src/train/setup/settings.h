// Everything a run is told: one YAML file with LLaMA-Factory's key names where it has them, and overrides
// key=value from the command line.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "train/setup/schedule.h"

namespace plm::train {

// From where in the run the sources have these weights. One of the three starts is given.
struct DataPhase {
  int64_t start_step = -1;
  int64_t start_tokens = -1;
  std::string start_phase;                // "warmup", "stable", "decay", "constant": of the schedule
  std::map<std::string, double> weights;  // source name to weight; sources not named have 0
};

struct Settings {
  // The model: a Hugging Face folder. Weights are drawn when it has none.
  std::string model_name_or_path;
  std::string stage = "pt";
  std::string finetuning_type = "full";

  // The data.
  std::vector<std::string> train_files;  // text, JSONL, compressed, or folders of them
  std::vector<std::string> dataset;      // names in dataset_dir/dataset_info.json
  std::string dataset_dir = "data";
  std::vector<std::string> eval_files;  // else val_size of the documents of train_files
  std::string tokenized_path;           // where token shards are kept; empty: output_dir/data
  int64_t cutoff_len = 2048;
  double val_size = 0;        // below 1: a share of the documents
  bool neat_packing = false;  // attention stays within documents
  std::vector<DataPhase> data_phases;

  // The steps.
  int64_t per_device_train_batch_size = 8;
  int64_t gradient_accumulation_steps = 1;
  int64_t max_steps = -1;
  double num_train_epochs = 3;
  double learning_rate = 5e-5;
  std::string lr_scheduler_type = "linear";
  std::map<std::string, std::string> lr_scheduler_kwargs;
  int64_t warmup_steps = 0;
  double warmup_ratio = 0;
  std::string optim = "adamw_torch_fused";
  double weight_decay = 0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1;
  bool bf16 = false;
  bool gradient_checkpointing = false;
  double sparsity_penalty = 0;
  int64_t seed = 42;
  int64_t zero_stage = 0;
  std::string device = "auto";

  // What is kept and shown.
  std::string output_dir;
  bool overwrite_output_dir = false;
  int64_t logging_steps = 10;
  int64_t save_steps = 500;
  int64_t save_total_limit = 2;
  bool plot_loss = true;
  std::string report_to = "tensorboard";
  std::string eval_strategy = "no";
  int64_t eval_steps = 0;  // 0: logging_steps
  int64_t per_device_eval_batch_size = 8;
  int64_t sample_steps = 0;  // 0: no sample texts
  std::string sample_prompt;
  int64_t sample_tokens = 64;
  std::string resume_from_checkpoint;  // "": from the start; "auto"; or a folder
  bool start_decay = false;            // the decay begins at the checkpoint that is resumed
  double loss_spike_factor = 0;  // a step whose loss is this many times the running mean is skipped; 0: never
  std::vector<std::string> export_formats;  // key `export`: hf, gguf

  int64_t threads = 0;             // 0: as many as the machine has, divided among its workers
  std::vector<std::string> notes;  // keys that were accepted and mean nothing here, for the user to see
};

// `name` is for messages. Overrides: "learning_rate=1e-3", "lr_scheduler_kwargs.min_lr_ratio=0.2". Unknown
// keys are refused by name, with the nearest known one; so are values that this trainer cannot honour.
Result<Settings> parse_settings(const std::string& yaml, const std::string& name,
                                const std::vector<std::string>& overrides);
Result<Settings> read_settings(const std::string& path, const std::vector<std::string>& overrides);

// All keys with the values in use, as YAML that parse_settings reads back to the same.
std::string to_yaml(const Settings& settings);

// One line for each key: name, default, meaning.
std::string describe_keys();

// The schedule of a run of n_steps. tokens_per_step turns num_*_tokens into steps.
Result<ScheduleOptions> schedule_options(const Settings& settings, int64_t n_steps, int64_t tokens_per_step);

}  // namespace plm::train
