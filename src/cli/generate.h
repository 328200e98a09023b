// Writing text: choose a token, show it, run it, again. For `run` and `chat`.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/drafting.h"
#include "runtime/engine.h"
#include "runtime/sampler.h"

namespace plm::cli {

enum class StopReason { end_of_generation, length, context_full, stop_text, interrupted };

// What a text is made with. All outlive the calls below.
struct Writer {
  runtime::Session& session;
  runtime::Sampler& sampler;
  const tokenizer::Tokenizer& tokenizer;
  Drafting* drafting = nullptr;  // null: token after token
};

struct GenerateOptions {
  int64_t n_predict = -1;               // most tokens to make; negative: no limit
  bool show_special = false;            // show the text of control tokens
  std::vector<std::string> stop_texts;  // the text ends before the first of these
  // Makes room in a full context and returns whether it did. Empty: the text ends there.
  std::function<bool()> make_room;
};

struct Generated {
  StopReason reason = StopReason::length;
  int64_t n_tokens = 0;     // chosen, the one that ended the text included
  int64_t n_steps = 0;      // run through the model: the first is chosen without
  double seconds = 0;       // from the first choice to the last
  std::string text;         // all that was shown
  std::string cached_text;  // the bytes of the tokens that the session has run, control tokens too
};

// Runs a prompt through the session in pieces of batch_size, and tells the sampler of it. The prompt must
// fit. Fails with cancelled on Ctrl-C.
Status feed(const Writer& writer, std::span<const tokenizer::TokenId> tokens, int64_t batch_size);

// Drops tokens [keep, keep + discard) of what is read and written.
void drop(const Writer& writer, int64_t keep, int64_t discard);

// Goes on from the last logits of the session. `show` gets pieces of whole characters. Drafts change nothing
// but the time it takes.
Result<Generated> generate(const Writer& writer, const GenerateOptions& options,
                           const std::function<Status(std::string_view)>& show);

// ", drafted 40, accepted 31 (78 %)"; empty without drafts.
std::string draft_text(const Drafting* drafting);

// "8 tokens, 23.4 tok/s": how many came out, and how fast n_steps of them were run.
std::string rate_text(int64_t n_tokens, int64_t n_steps, double seconds);

}  // namespace plm::cli
