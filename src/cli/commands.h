// The makers of all commands, one for each subcommand.
#pragma once

#include <memory>

#include "cli/command.h"

namespace plm::cli {

std::unique_ptr<Command> make_run_command();
std::unique_ptr<Command> make_chat_command();
std::unique_ptr<Command> make_serve_command();
std::unique_ptr<Command> make_score_command();
std::unique_ptr<Command> make_perplexity_command();
std::unique_ptr<Command> make_tokenize_command();
std::unique_ptr<Command> make_detokenize_command();
std::unique_ptr<Command> make_inspect_command();
std::unique_ptr<Command> make_quantize_command();
std::unique_ptr<Command> make_imatrix_command();
std::unique_ptr<Command> make_convert_command();
std::unique_ptr<Command> make_export_lora_command();
std::unique_ptr<Command> make_pull_command();
std::unique_ptr<Command> make_prepare_command();
std::unique_ptr<Command> make_train_tokenizer_command();
std::unique_ptr<Command> make_synth_command();
std::unique_ptr<Command> make_bench_command();

}  // namespace plm::cli
