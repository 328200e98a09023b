// plm as a library: load a model, let it write, chat, score texts, turn them into vectors, keep sessions.
//
//   auto model = plm::Model::load({.path = "model.gguf"});
//   if (!model.ok()) return complain(model.error().message);
//   auto answer = model->generate("Once upon a time", {.max_tokens = 50}, [](const plm::Piece& piece) {
//     std::cout << piece.text << std::flush;
//     return true;  // false: stop
//   });
//
// Errors are values (base/error.h): nothing here throws, prints, aborts or exits on what it is given; only to
// take the value of a Result that holds an error throws. What a callback throws passes through, and stops the
// work. Texts are UTF-8, and other bytes are taken as they are; names of files are bytes without NUL.
//
// Threads: everything in Model may be called from any thread at any time. One thread of its own runs the
// model; up to ModelOptions::n_parallel answers are written at once, the others wait their turn. A Stream is
// for one thread, but for stop(). Callbacks run in the thread that called, with no lock held: they may call
// the model again, but with n_parallel = 1 such a call waits for the answer it was called from to end.
//
// A model must not be used in a child after fork(): its threads are not there.
// There is no promise of binary compatibility; plm_c.h makes one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace plm {

using TokenId = std::int32_t;

// Asked about ten times a second while a call waits, in the thread that called; false: the work stops, the
// call fails with cancelled. It may be null.
using KeepGoing = std::function<bool()>;

// LoRA: a GGUF file or PEFT's folder.
struct AdapterFile {
  std::string path;
  float scale = 1;  // how strong it is
};

struct ModelOptions {
  std::string path;                 // a GGUF file, of shards any; must stay as it is while the model is used
  int n_threads = 0;                // 0, or more than there are: all CPUs of this process
  std::int64_t context_length = 0;  // tokens of prompt and answer; 0: what the model was trained for
  std::int64_t batch_size = 1024;   // most tokens of a prompt in a step
  std::string cache_type = {};      // "f32", "f16", "bf16", "q8_0"; empty: what is fastest here
  std::vector<AdapterFile> adapters = {};
  std::string chat_template = {};  // name of a built-in one, or Jinja; empty: the file's
  // Answers written at once, 1 to 256. Each has a cache of its own, of context_length tokens of
  // ModelInfo::cache_bytes_per_token.
  int n_parallel = 1;
  std::int64_t prefix_bytes =
      256 << 20;  // memory for rows of earlier texts, to begin alike without running; 0: none
  // Guesses at the next tokens, several of which are checked in one step: the same text, sooner. From what
  // stood in the text before, and from a smaller model of the same vocabulary and at least this context, a
  // GGUF file; empty: none.
  bool prompt_lookup = false;
  std::string draft_path = {};
  std::function<void(double fraction)> progress = {};  // of loading; in this thread, must not throw
};

struct ModelInfo {
  std::string path, architecture, name;  // name: general.name of the file
  std::int64_t vocabulary_size = 0;      // token ids are 0 to one less
  std::int64_t width = 0;                // numbers of a hidden row, and so of an embedding
  std::int64_t n_layers = 0;
  std::int64_t context_length = 0;  // tokens of prompt and answer; may be more than those it was trained for
  std::int64_t trained_context_length = 0;
  std::int64_t cache_bytes_per_token = 0;  // of one answer, all layers together
  std::string cache_type;
  int n_threads = 0, n_parallel = 0;
  std::optional<TokenId> bos, eos;
  // Source of the one in use: the file's, or a plain one where it has none. Empty where the file's is broken:
  // then all but chat works.
  std::string chat_template;
};

// A text, or token ids as they are. Only looks at what it was made of: for the length of a call.
class Prompt {
 public:
  Prompt(const char* text) : source_(text == nullptr ? std::string_view() : std::string_view(text)) {}
  Prompt(std::string_view text) : source_(text) {}
  Prompt(const std::string& text) : source_(std::string_view(text)) {}
  Prompt(std::span<const TokenId> ids) : source_(ids) {}
  Prompt(const std::vector<TokenId>& ids) : source_(std::span<const TokenId>(ids)) {}
  const std::variant<std::string_view, std::span<const TokenId>>& source() const { return source_; }

 private:
  std::variant<std::string_view, std::span<const TokenId>> source_;
};

struct TokenizeOptions {
  bool add_special = true;     // put tokens before and after as the vocabulary says
  bool parse_special = false;  // read "<|im_end|>" as that token; off for text from strangers
};

// Names, meaning and defaults of the samplers are llama.cpp's.
struct GenerateOptions {
  std::int64_t max_tokens = -1;        // of the answer; negative: as many as the context holds
  std::vector<std::string> stop = {};  // the text ends before the first of these; empty ones do not count

  float temperature = 0.8F;         // 0: always the most likely
  std::int32_t top_k = 40;          // 0: off
  float top_p = 0.95F;              // 1: off
  float min_p = 0.05F;              // 0: off
  float typical_p = 1;              // 1: off
  std::int32_t repeat_last_n = 64;  // tokens that penalties look back on; 0: none, -1: all
  float repeat_penalty = 1, presence_penalty = 0, frequency_penalty = 0;
  std::optional<std::uint64_t> seed = {};  // none: another each time. A seed gives the same answer again
  std::vector<std::pair<TokenId, float>> logit_bias = {};  // -infinity bans a token

  // What the answer may look like, at most one of them (docs/formats/grammar.md).
  std::string grammar = {};      // GBNF
  std::string json_schema = {};  // "{}" for any JSON
  std::string regex = {};

  int n_top = -1;              // tell log-probabilities, and this many alternatives; negative: none
  bool ignores_end = false;    // write on where the model would end
  bool shows_special = false;  // write the text of control tokens
  bool parse_special = true;   // of a prompt that is text: see TokenizeOptions
  KeepGoing keep_going = {};   // of generate and chat, not of streams
};

struct TokenScore {
  TokenId id = 0;
  // Natural, before any sampler changed it. None where none was asked for, and for the first token of a text.
  std::optional<float> log_probability;
  std::vector<std::pair<TokenId, float>> top;  // the most likely, descending
};

struct ToolCall {
  std::string id;  // as the message says; empty in answers
  std::string name;
  std::string arguments;  // JSON
};

// A part of an answer. Text ends at whole characters, so that it is UTF-8 where the model wrote UTF-8; it may
// be empty while a character, a stop text or a call of a tool is not complete.
struct Piece {
  std::string text;
  std::vector<TokenScore> tokens;    // the choices made since the piece before
  std::vector<ToolCall> tool_calls;  // of a chat with tools
};

// Returns whether to go on.
using OnPiece = std::function<bool(const Piece& piece)>;

enum class StopReason {
  end,        // the model said so
  stop_text,  // see Answer::stop_text
  max_tokens,
  context_full,
  stopped,  // by a callback or Stream::stop
};

struct Answer {
  std::string text;
  std::vector<TokenScore> tokens;    // all choices, also of tokens that show no text
  std::vector<ToolCall> tool_calls;  // of a chat with tools
  StopReason reason = StopReason::stopped;
  std::string stop_text;
  std::int64_t n_prompt = 0, n_reused = 0;  // tokens of the prompt, and those of them that were not run again
  std::int64_t n_drafted = 0, n_accepted = 0;  // guesses at tokens of the answer, and those that came true
  std::uint64_t seed = 0;
  double prompt_seconds = 0, answer_seconds = 0;
};

// In OpenAI's terms, which templates share.
struct Message {
  std::string role;  // "system", "user", "assistant", "tool"
  std::string content = {};
  std::vector<ToolCall> tool_calls = {};
  std::string tool_call_id = {}, name = {}, reasoning_content = {};
};

// The value of "messages" in a request to OpenAI's API. Fails naming message and field.
Result<std::vector<Message>> messages_from_json(std::string_view json);

struct ChatOptions {
  std::string tools = {};  // JSON, the value of "tools" in OpenAI's API; empty: none
  // JSON: {"enable_thinking": false}; empty: none. Of what is given by itself (messages, tools,
  // add_generation_prompt) nothing can be among them.
  std::string template_variables = {};
  bool add_generation_prompt = true;  // end with the opening of the answer
};

enum class Pooling { mean, cls, last };  // of a text's hidden rows to one vector

struct EmbedOptions {
  Pooling pooling = Pooling::mean;
  bool normalise = true;  // to length 1, so that a dot product is the cosine
  KeepGoing keep_going = {};
};

struct ScoreOptions {
  int n_top = 0;              // alternatives to tell of each token
  bool parse_special = true;  // of a prompt that is text
  KeepGoing keep_going = {};
};

// What a file of a session holds.
struct Session {
  std::vector<TokenId> tokens;
  std::int64_t n_bytes = 0;  // of the file
};

// An answer while it is written. The work goes on whether it is read or not; a stream that is destroyed
// before its end stops it. It keeps the model alive. One that was moved from may only be assigned to or
// destroyed.
class Stream {
 public:
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  enum class Next { piece, finished, nothing_yet };
  // Waits up to `patience` for a piece, which it writes over `piece`; otherwise `piece` is of no use.
  Next next(Piece& piece, std::chrono::milliseconds patience = std::chrono::hours(1));

  // From any thread: nothing more is read, next() says finished as soon as the work has ended.
  void stop();

  // All that was read; after next() said finished, which it does after an error too. Fails with
  // invalid_argument before, with cancelled after Model::stop_all, and with what went wrong.
  Result<Answer> answer() const;

  struct State;  // defined in src/api

 private:
  friend class Model;
  explicit Stream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A handle: copies are the same model, which goes when the last of them and of their streams does. A handle
// that was moved from may only be assigned to or destroyed.
class Model {
 public:
  // Reads the file once, which takes a second for a gigabyte or so. Fails with not_found, io, bad_data or
  // unsupported on the file, adapters and draft model, with out_of_memory, and with invalid_argument on
  // options.
  static Result<Model> load(const ModelOptions& options);

  const ModelInfo& info() const;

  Result<std::vector<TokenId>> tokenize(std::string_view text, TokenizeOptions options = {}) const;
  // Bytes: UTF-8 where ids begin and end at characters. Fails with invalid_argument on an id outside the
  // vocabulary.
  Result<std::string> detokenize(std::span<const TokenId> ids, bool skip_special = false) const;

  // Continues a text; an empty one is the token that texts begin with. Fails with invalid_argument on
  // settings that cannot be, on a prompt of no tokens or of ids outside the vocabulary, and on one that
  // leaves no room in the context.
  Result<Answer> generate(const Prompt& prompt, const GenerateOptions& options = {},
                          const OnPiece& on_piece = {}) const;
  Result<Stream> stream(const Prompt& prompt, const GenerateOptions& options = {}) const;

  // Answers a conversation, by the model's template. Fails as generate does, with bad_data where that is
  // broken or cannot take the messages, and with unsupported where it knows of no tools.
  Result<Answer> chat(std::span<const Message> messages, const ChatOptions& chat_options = {},
                      const GenerateOptions& options = {}, const OnPiece& on_piece = {}) const;
  Result<Stream> stream_chat(std::span<const Message> messages, const ChatOptions& chat_options = {},
                             const GenerateOptions& options = {}) const;
  // The text that the template makes of a conversation.
  Result<std::string> chat_prompt(std::span<const Message> messages, const ChatOptions& options = {}) const;

  // The log-probability of each token given those before it: as many as the prompt has tokens, which is at
  // most context_length. Fails as generate does.
  Result<std::vector<TokenScore>> score(const Prompt& prompt, const ScoreOptions& options = {}) const;

  // A vector of info().width numbers for each text, in their order. Fails as generate does, with none of them
  // told.
  Result<std::vector<float>> embed(const Prompt& text, const EmbedOptions& options = {}) const;
  Result<std::vector<std::vector<float>>> embed_all(std::span<const Prompt> texts,
                                                    const EmbedOptions& options = {}) const;

  // Keeps the cached rows of the text that the answer read to its end last stands in, prompt and answer;
  // waits while another answer is written there. The file is there in whole or as it was before. The first of
  // these two calls reads the whole model file once more, to know it by. Fails with invalid_argument where
  // there was no answer yet, and with not_found or io where no such file can be written.
  Result<Session> save_session(const std::string& path, const KeepGoing& keep_going = {}) const;
  // Takes them back: a prompt that begins with these tokens runs only the rest. Fails with not_found and io,
  // and with bad_data on a file that is none, is damaged, was saved by another model, build, adapter or cache
  // type, or holds more than the context.
  Result<Session> load_session(const std::string& path, const KeepGoing& keep_going = {}) const;

  // Stops all that is under way or waits, of all handles and streams: it fails with cancelled.
  void stop_all() const;

  struct State;  // defined in src/api

 private:
  explicit Model(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

std::string_view version();

}  // namespace plm
