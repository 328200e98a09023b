// The table of configuration keys: what parsing, writing back and the list for users are made from. Internal.
#pragma once

#include <array>

#include "train/setup/settings.h"

namespace plm::train {

struct SettingKey {
  const char* name;
  const char* help;
};

// Calls visit(SettingKey, pointer to member) for every key.
template <class Visitor>
void for_each_key(Visitor&& visit) {
  using S = Settings;
  visit(SettingKey{"model_name_or_path",
                   "folder with config.json and tokenizer files; weights are drawn if it has none"},
        &S::model_name_or_path);
  visit(SettingKey{"stage", "pt: pretraining"}, &S::stage);
  visit(SettingKey{"finetuning_type", "full"}, &S::finetuning_type);
  visit(SettingKey{"train_files", "text, JSONL, .gz, .zst, or folders of them"}, &S::train_files);
  visit(SettingKey{"dataset", "names in dataset_dir/dataset_info.json"}, &S::dataset);
  visit(SettingKey{"dataset_dir", "folder of dataset_info.json"}, &S::dataset_dir);
  visit(SettingKey{"eval_files", "validation texts; else val_size of the documents"}, &S::eval_files);
  visit(SettingKey{"tokenized_path", "where token shards are kept; empty: output_dir/data"},
        &S::tokenized_path);
  visit(SettingKey{"cutoff_len", "tokens of a row"}, &S::cutoff_len);
  visit(SettingKey{"val_size", "share of the documents kept for validation"}, &S::val_size);
  visit(SettingKey{"neat_packing", "attention stays within documents"}, &S::neat_packing);
  visit(SettingKey{"data_phases",
                   "list of {start_step | start_tokens | start_phase, weights: {source: weight}}"},
        &S::data_phases);
  visit(SettingKey{"per_device_train_batch_size", "rows of a micro-batch of one worker"},
        &S::per_device_train_batch_size);
  visit(SettingKey{"gradient_accumulation_steps", "micro-batches of a step"},
        &S::gradient_accumulation_steps);
  visit(SettingKey{"max_steps", "-1: num_train_epochs decides"}, &S::max_steps);
  visit(SettingKey{"num_train_epochs", "when max_steps is -1"}, &S::num_train_epochs);
  visit(SettingKey{"learning_rate", "the peak"}, &S::learning_rate);
  visit(SettingKey{"lr_scheduler_type", "warmup_stable_decay_constant, or a name of transformers"},
        &S::lr_scheduler_type);
  visit(SettingKey{"lr_scheduler_kwargs",
                   "num_{warmup,stable,decay}_{steps,tokens}, min_lr_ratio, min_lr, decay_type, num_cycles, "
                   "power, lr_end, timescale"},
        &S::lr_scheduler_kwargs);
  visit(SettingKey{"warmup_steps", "steps; lr_scheduler_kwargs goes before"}, &S::warmup_steps);
  visit(SettingKey{"warmup_ratio", "share of all steps, when warmup_steps is 0"}, &S::warmup_ratio);
  visit(SettingKey{"optim", "adamw_torch_fused"}, &S::optim);
  visit(SettingKey{"weight_decay", "of matrices, not of norms"}, &S::weight_decay);
  visit(SettingKey{"adam_beta1", ""}, &S::adam_beta1);
  visit(SettingKey{"adam_beta2", ""}, &S::adam_beta2);
  visit(SettingKey{"adam_epsilon", ""}, &S::adam_epsilon);
  visit(SettingKey{"max_grad_norm", "clipping; 0: none"}, &S::max_grad_norm);
  visit(SettingKey{"bf16", "compute in bfloat16; masters, gradients and moments stay float32"}, &S::bf16);
  visit(SettingKey{"gradient_checkpointing", "keep one vector a layer, compute the inside twice"},
        &S::gradient_checkpointing);
  visit(SettingKey{"sparsity_penalty", "weight of the mean of relu(u): raises the zero rate"},
        &S::sparsity_penalty);
  visit(SettingKey{"seed", "of drawn weights and of the order of the data"}, &S::seed);
  visit(SettingKey{"zero_stage", "1: moments are divided among the workers"}, &S::zero_stage);
  visit(SettingKey{"device", "auto, cpu, cuda"}, &S::device);
  visit(SettingKey{"output_dir", "checkpoints, logs, results"}, &S::output_dir);
  visit(SettingKey{"overwrite_output_dir", "start anew in a folder that holds checkpoints"},
        &S::overwrite_output_dir);
  visit(SettingKey{"logging_steps", "steps between log lines"}, &S::logging_steps);
  visit(SettingKey{"save_steps", "steps between checkpoints"}, &S::save_steps);
  visit(SettingKey{"save_total_limit", "checkpoints kept; at least two are"}, &S::save_total_limit);
  visit(SettingKey{"plot_loss", "training_loss.png and .svg"}, &S::plot_loss);
  visit(SettingKey{"report_to", "tensorboard, none"}, &S::report_to);
  visit(SettingKey{"eval_strategy", "no, steps"}, &S::eval_strategy);
  visit(SettingKey{"eval_steps", "0: logging_steps"}, &S::eval_steps);
  visit(SettingKey{"per_device_eval_batch_size", ""}, &S::per_device_eval_batch_size);
  visit(SettingKey{"sample_steps", "steps between sample texts; 0: none"}, &S::sample_steps);
  visit(SettingKey{"sample_prompt", "what sample texts begin with"}, &S::sample_prompt);
  visit(SettingKey{"sample_tokens", "length of a sample text"}, &S::sample_tokens);
  visit(SettingKey{"resume_from_checkpoint", "auto: the newest whole one in output_dir; or a folder"},
        &S::resume_from_checkpoint);
  visit(SettingKey{"start_decay", "with resume_from_checkpoint: the decay begins there"}, &S::start_decay);
  visit(
      SettingKey{"loss_spike_factor", "skip steps whose loss is this many times the running mean; 0: never"},
      &S::loss_spike_factor);
  visit(SettingKey{"export", "hf: output_dir/model/, gguf: output_dir/model.gguf"}, &S::export_formats);
  visit(SettingKey{"threads", "0: all, divided among the workers of this machine"}, &S::threads);
}

struct IgnoredKey {
  const char* name;
  const char* why;
};
constexpr auto kIgnoredKeys = std::to_array<IgnoredKey>({
    {"do_train", "training is what this program does"},
    {"trust_remote_code", "no code is loaded with a model"},
    {"overwrite_cache", "token shards are checked against the texts"},
    {"preprocessing_num_workers", "all threads tokenise"},
    {"dataloader_num_workers", "one thread reads ahead"},
    {"ddp_timeout", "the default is used"},
    {"packing", "pretraining always packs"},
    {"template", "pretraining has none"},
    {"flash_attn", "torch chooses the fastest"},
    {"ddp_find_unused_parameters", "every weight is used"},
    {"include_num_input_tokens_seen", "always logged"},
    {"save_only_model", "checkpoints are whole; use export"},
});

struct RefusedKey {
  const char* name;
  const char* harmless_value;
  const char* why;
};
constexpr auto kRefusedKeys = std::to_array<RefusedKey>({
    {"fp16", "false", "float16 needs loss scaling; use bf16"},
    {"deepspeed", "", "use zero_stage"},
    {"fsdp", "", "not built; use zero_stage"},
    {"adapter_name_or_path", "", "adapters are not part of pretraining"},
    {"streaming", "false", "texts are tokenised once, then mapped"},
});

}  // namespace plm::train
