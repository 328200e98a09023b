/* plm for C, and for whatever can call C: the interface of plm.h with a stable ABI. Link libplm.so (plm::c).
 *
 *   plm_model *model = NULL;
 *   plm_model_options options;
 *   plm_model_options_init(&options);
 *   options.path = plm_text_of("model.gguf");
 *   if (plm_model_load(&options, &model) != PLM_OK) return complain(plm_last_error());
 *   plm_answer *answer = NULL;
 *   plm_generate(model, plm_text_of("Once upon a time"), NULL, print_piece, NULL, &answer);
 *   ...
 *   plm_answer_free(answer);
 *   plm_model_free(model);
 *
 * Ownership. What a function puts into an `**out` is the caller's, until it hands it to the function whose
 * name ends in _free, once. Freeing NULL does nothing. On failure *out is NULL. Everything else belongs to
 * who made it: what the caller passes is only read during the call; what a plm_answer or plm_piece shows
 * lives as long as it does (a piece: until the callback returns). An answer does not need its model any more.
 *
 * Errors. Functions return a plm_result and never print, exit, abort or throw on what they are given, null
 * pointers included. plm_last_error() says in one line what was wrong with this thread's last call that
 * failed.
 *
 * Threads. A model may be used by any threads at the same time; plm_model_free must come after all of them.
 * Callbacks run in the thread that called, and may call the library, but must not free what they were called
 * from. They must return: no longjmp, no exception. An answer may be read by several threads, and freed by
 * one.
 *
 * Growth. A struct of options begins with its size, which its _init sets; a newer library takes an older
 * program's. All other structs stay as they are as long as plm_abi_version() does.
 */
#ifndef PLM_PLM_C_H
#define PLM_PLM_C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define PLM_C_API __attribute__((visibility("default")))
#else
#define PLM_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif
/* NOLINTBEGIN(modernize-use-using, modernize-use-nullptr): this is C. */

/* What this header describes; plm_abi_version() is what the library does. */
#define PLM_C_ABI_VERSION 1
PLM_C_API int32_t plm_abi_version(void);
PLM_C_API const char* plm_version(void);

typedef enum plm_result {
  PLM_OK = 0,
  PLM_INVALID_ARGUMENT = 1, /* what was asked for cannot be */
  PLM_NOT_FOUND = 2,
  PLM_BAD_DATA = 3, /* a file that breaks its format */
  PLM_UNSUPPORTED = 4,
  PLM_OUT_OF_MEMORY = 5,
  PLM_IO = 6,
  PLM_CANCELLED = 7,
  PLM_TOO_SMALL = 8 /* of a buffer: *n says what is needed */
} plm_result;

/* Of this thread's last call that failed, one line; "" before. Valid until the next one that fails. */
PLM_C_API const char* plm_last_error(void);

typedef int32_t plm_token;

/* Bytes with a length, UTF-8 where they are text; NULs are bytes as others. {NULL, 0} is the empty text. What
 * the library returns is followed by a NUL that is not counted. */
typedef struct plm_text {
  const char* data;
  size_t size;
} plm_text;

static inline plm_text plm_text_of(const char* text) {
  plm_text made;
  made.data = text;
  made.size = text == NULL ? 0 : strlen(text);
  return made;
}

/* Returns 0 to stop. Asked about ten times a second while a call waits, which then fails with PLM_CANCELLED.
 */
typedef int (*plm_keep_going)(void* data);

/* ---- A model ---- */

typedef struct plm_model plm_model;

/* Meaning and defaults of fields: plm.h. */
typedef struct plm_model_options {
  size_t struct_size;
  plm_text path;
  int32_t n_threads;
  int32_t n_parallel;
  int64_t context_length;
  int64_t batch_size;
  int64_t prefix_bytes;
  plm_text cache_type;
  plm_text chat_template;
  plm_text draft_path;
  int32_t prompt_lookup; /* 0 or 1 */
} plm_model_options;
PLM_C_API void plm_model_options_init(plm_model_options* options);

PLM_C_API plm_result plm_model_load(const plm_model_options* options, plm_model** out);
/* Stops what is under way, and waits for it. */
PLM_C_API void plm_model_free(plm_model* model);

typedef struct plm_model_info {
  int64_t vocabulary_size, width, n_layers, context_length, trained_context_length, cache_bytes_per_token;
  int32_t n_threads, n_parallel;
  plm_token bos, eos;                                           /* -1: none */
  plm_text path, architecture, name, cache_type, chat_template; /* the model's */
} plm_model_info;
PLM_C_API plm_result plm_model_describe(const plm_model* model, plm_model_info* info);

/* From any thread: all that is under way or waits fails with PLM_CANCELLED. */
PLM_C_API plm_result plm_model_stop_all(const plm_model* model);

/* ---- Tokens. Both write how many there are to *n, and all of them to the buffer or, where `capacity`
 * elements are too few, none: PLM_TOO_SMALL. It may be NULL where capacity is 0; no NUL ends a text. ---- */

PLM_C_API plm_result plm_tokenize(const plm_model* model, plm_text text, int add_special, int parse_special,
                                  plm_token* ids, size_t capacity, size_t* n);
PLM_C_API plm_result plm_detokenize(const plm_model* model, const plm_token* ids, size_t n_ids,
                                    int skip_special, char* text, size_t capacity, size_t* n);

/* ---- Writing ---- */

typedef struct plm_alternative {
  plm_token id;
  float log_probability;
} plm_alternative;

typedef struct plm_token_score {
  plm_token id;
  float log_probability; /* NaN: none */
  const plm_alternative* top;
  size_t n_top;
} plm_token_score;

typedef struct plm_tool_call {
  plm_text name, arguments; /* arguments: JSON */
} plm_tool_call;

typedef struct plm_piece {
  plm_text text; /* whole characters; may be empty */
  const plm_token_score* tokens;
  size_t n_tokens;
  const plm_tool_call* tool_calls;
  size_t n_tool_calls;
} plm_piece;

/* Returns 0 to stop there: the answer ends with what was written, PLM_OK. */
typedef int (*plm_on_piece)(const plm_piece* piece, void* data);

typedef struct plm_bias {
  plm_token id;
  float bias; /* -INFINITY bans the token */
} plm_bias;

typedef struct plm_generate_options {
  size_t struct_size;
  int64_t max_tokens;
  float temperature;
  int32_t top_k;
  float top_p, min_p, typical_p;
  int32_t repeat_last_n;
  float repeat_penalty, presence_penalty, frequency_penalty;
  int32_t has_seed;
  uint64_t seed;
  const plm_text* stop;
  size_t n_stop;
  const plm_bias* logit_bias;
  size_t n_logit_bias;
  plm_text grammar, json_schema, regex;
  int32_t n_top;
  int32_t ignores_end, shows_special, parse_special; /* 0 or 1 */
  plm_keep_going keep_going;                         /* may be NULL */
  void* keep_going_data;
} plm_generate_options;
PLM_C_API void plm_generate_options_init(plm_generate_options* options);

typedef enum plm_stop_reason {
  PLM_STOP_END = 0,
  PLM_STOP_TEXT = 1,
  PLM_STOP_MAX_TOKENS = 2,
  PLM_STOP_CONTEXT_FULL = 3,
  PLM_STOP_STOPPED = 4
} plm_stop_reason;

typedef struct plm_answer plm_answer;

/* Continues a text. options, on_piece and out may be NULL; `data` is for on_piece. */
PLM_C_API plm_result plm_generate(const plm_model* model, plm_text prompt,
                                  const plm_generate_options* options, plm_on_piece on_piece, void* data,
                                  plm_answer** out);
PLM_C_API plm_result plm_generate_from_tokens(const plm_model* model, const plm_token* ids, size_t n_ids,
                                              const plm_generate_options* options, plm_on_piece on_piece,
                                              void* data, plm_answer** out);

/* Answers a conversation. messages, tools, template_variables: JSON, as in OpenAI's API; all but messages may
 * be empty. */
typedef struct plm_conversation {
  plm_text messages, tools, template_variables;
} plm_conversation;
PLM_C_API plm_result plm_chat(const plm_model* model, const plm_conversation* conversation,
                              const plm_generate_options* options, plm_on_piece on_piece, void* data,
                              plm_answer** out);

/* An answer as a whole; owned by it. */
typedef struct plm_answer_info {
  plm_piece whole;
  plm_stop_reason reason;
  plm_text stop_text;
  int64_t n_prompt, n_reused, n_drafted, n_accepted;
  uint64_t seed;
  double prompt_seconds, answer_seconds;
} plm_answer_info;
PLM_C_API plm_result plm_answer_describe(const plm_answer* answer, plm_answer_info* info);
PLM_C_API void plm_answer_free(plm_answer* answer);

/* ---- Reading ---- */

/* The natural log-probability of each token given those before it to log_probabilities[0 .. n_ids - 1], NaN
 * for the first. On failure nothing is written. */
PLM_C_API plm_result plm_score(const plm_model* model, const plm_token* ids, size_t n_ids,
                               float* log_probabilities, plm_keep_going keep_going, void* data);

typedef enum plm_pooling { PLM_POOLING_MEAN = 0, PLM_POOLING_CLS = 1, PLM_POOLING_LAST = 2 } plm_pooling;

/* A vector of plm_model_info.width numbers, of length 1 if `normalise`. `capacity`: how many numbers `vector`
 * has room for; fewer than that are PLM_INVALID_ARGUMENT. */
PLM_C_API plm_result plm_embed(const plm_model* model, plm_text text, plm_pooling pooling, int normalise,
                               float* vector, size_t capacity, plm_keep_going keep_going, void* data);

/* ---- Sessions, in files: plm.h. *n_tokens, which may be NULL: of the text whose rows they are. ---- */

PLM_C_API plm_result plm_save_session(const plm_model* model, plm_text path, size_t* n_tokens);
PLM_C_API plm_result plm_load_session(const plm_model* model, plm_text path, size_t* n_tokens);

/* NOLINTEND(modernize-use-using, modernize-use-nullptr) */
#ifdef __cplusplus
}
#endif

#endif /* PLM_PLM_C_H */
