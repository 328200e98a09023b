#include "cli/commands.h"

#include <array>

namespace plm::cli {

std::span<const CommandEntry> all_commands() {
  static constexpr std::array kCommands = {
      CommandEntry{"tokenize", "text to token ids",
                   "  plm tokenize --text \"Hello, world!\"\n"
                   "  plm tokenize -m model.gguf -f book.txt --json\n",
                   make_tokenize_command},
      CommandEntry{"detokenize", "token ids to text",
                   "  plm detokenize --ids \"9707 11 1879\"\n"
                   "  plm tokenize -f book.txt | plm detokenize -f -\n",
                   make_detokenize_command},
      CommandEntry{"inspect", "what is in a GGUF file: metadata, tensors, sizes, parameters",
                   "  plm inspect model.gguf\n"
                   "  plm inspect --json model.gguf | jq .parameters\n",
                   make_inspect_command},
  };
  return kCommands;
}

}  // namespace plm::cli
