#include "cli/chunk_scores.h"

#include <algorithm>
#include <cmath>

#include "cli/interrupt.h"
#include "runtime/log_probability.h"

namespace plm::cli {

namespace {

using runtime::LogitsWanted;
using tokenizer::TokenId;

// Runs tokens [begin, end) of a chunk in parts and calls visit(place of the token in the chunk, part, index
// in it).
template <class Visit>
Status decode_parts(runtime::Session& session, std::span<const TokenId> chunk, int64_t begin, int64_t end,
                    int64_t part_size, LogitsWanted wanted, Visit&& visit) {
  for (int64_t part = begin; part < end; part += part_size) {
    if (interrupted()) return interrupted_error();
    const int64_t n = std::min(part_size, end - part);
    PLM_TRY_STATUS(session.decode(chunk.subspan(static_cast<size_t>(part), static_cast<size_t>(n)), wanted,
                                  interrupt_flag()));
    for (int64_t i = 0; i < n; ++i) PLM_TRY_STATUS(visit(part + i, i));
  }
  return {};
}

}  // namespace

Result<ChunkedText> chunk_text(const tokenizer::Tokenizer& tokenizer, std::string_view text,
                               int64_t n_context, int64_t max_chunks) {
  ChunkedText chunks{.tokens = tokenizer.encode(text, {.add_special = true, .parse_special = false}),
                     .n_context = n_context};
  if (n_context < 4) {
    return make_error(ErrorKind::invalid_argument,
                      "a context of {} tokens is too short to score: give -c 4 or more", n_context);
  }
  if (std::ssize(chunks.tokens) < 2 * n_context) {
    return make_error(
        ErrorKind::invalid_argument,
        "the text has {} tokens; at least {} are needed for two chunks: give a longer text or a smaller -c",
        chunks.tokens.size(), 2 * n_context);
  }
  chunks.n_chunks = std::ssize(chunks.tokens) / n_context;
  if (max_chunks >= 0) chunks.n_chunks = std::min(chunks.n_chunks, std::max<int64_t>(max_chunks, 1));
  chunks.tokens.resize(static_cast<size_t>(chunks.n_chunks * n_context));
  return chunks;
}

Status score_chunks(const runtime::Engine& engine, runtime::Session& session, const ChunkedText& text,
                    int64_t batch_size, const ChunkVisitor& visitor) {
  const tokenizer::Tokenizer& tokenizer = engine.tokenizer();
  const int64_t first_scored = text.n_context / 2;
  const int64_t scored_part = runtime::scored_batch(batch_size, engine.config().vocabulary_size);
  for (int64_t index = 0; index < text.n_chunks; ++index) {
    const auto begin = text.tokens.begin() + index * text.n_context;
    std::vector<TokenId> chunk(begin, begin + text.n_context);
    if (tokenizer.adds_bos() && tokenizer.bos()) chunk.front() = *tokenizer.bos();
    session.truncate(0);
    PLM_TRY_STATUS(decode_parts(session, chunk, 0, first_scored, batch_size, LogitsWanted::none,
                                [](int64_t, int64_t) { return Status(); }));
    const auto visit = [&](int64_t place, int64_t index_in_part) {
      return visitor.row({.chunk = index,
                          .row = place - first_scored,
                          .token = chunk[static_cast<size_t>(place + 1)],
                          .logits = session.logits_of(index_in_part)});
    };
    PLM_TRY_STATUS(decode_parts(session, chunk, first_scored, text.n_context - 1, scored_part,
                                LogitsWanted::all, visit));
    visitor.chunk_done(index + 1);
  }
  return {};
}

double RunningMean::standard_error() const {
  if (count_ < 2) return 0.0;
  const double variance = mean_of_squares() - mean() * mean();
  return variance > 0.0 ? std::sqrt(variance / static_cast<double>(count_ - 1)) : 0.0;
}

}  // namespace plm::cli
