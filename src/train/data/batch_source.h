// What the trainer reads: rows of tokens, in an order that is a function of (seed, phase, position) alone.
//
// A training run is one endless sequence of rows, numbered from 0. A row is T tokens. The number of rows that
// all workers together have consumed is the whole state of the data: there is no random stream to save, and
// any number of workers reads the same rows in the same order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace plm::train {

constexpr int64_t kIgnoredLabel = -100;  // no loss at this position (the number torch and transformers use)

// Host arrays, row after row.
struct Batch {
  int64_t n_rows = 0;      // B
  int64_t row_tokens = 0;  // T
  std::vector<int64_t> ids_BT = {};
  // Shifted already: labels_BT[b, t] is the token that follows ids_BT[b, t], or kIgnoredLabel. The label of
  // a row's last position is the first token after the row, so that every token is predicted once.
  std::vector<int64_t> labels_BT = {};
  // Numbers of the documents within the row, ascending from 0: attention stays within equal numbers. Empty
  // when it may cross from document to document.
  std::vector<int64_t> documents_BT = {};
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;

  // Rows first_row .. first_row + n_rows - 1. Several threads may call it at once, for example one that
  // fetches ahead. Fails with bad_data on a corrupted shard, naming file and place.
  virtual Result<Batch> batch(int64_t first_row, int64_t n_rows) const = 0;

  virtual int64_t row_tokens() const = 0;  // T

  // Rows that hold every token once; batch() goes on beyond it, with the next epoch. A mixture has no such
  // number and counts the rows of all its sources.
  virtual int64_t rows_in_epoch() const = 0;

  // Changes with the data, their order, the seed and T: a checkpoint keeps it and refuses to go on with other
  // data. The phases of a mixture do not count, since a branch may change those that are still to come.
  virtual std::string fingerprint() const = 0;
};

// Who reads what of a step. All workers of a step read disjoint rows of the same global batch; the rows of a
// step depend on rows_per_step() alone, not on how it is divided.
struct WorkerShare {
  int64_t rank = 0;
  int64_t n_workers = 1;
  int64_t rows = 1;             // of one micro-batch of one worker
  int64_t n_micro_batches = 1;  // accumulated by each worker in a step

  int64_t rows_per_step() const { return n_workers * rows * n_micro_batches; }
  // Where this worker's micro-batch begins, in a step whose first row is step_row.
  int64_t first_row(int64_t step_row, int64_t micro_batch) const {
    return step_row + (micro_batch * n_workers + rank) * rows;
  }
};

}  // namespace plm::train
