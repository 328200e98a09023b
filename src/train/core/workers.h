// The processes that train together, each with a copy of the model and its own rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"

namespace plm::train {

// Every worker must make the same calls in the same order. A worker that dies or that does not answer for
// minutes makes the others throw; the program then ends with one line.
class Workers {
 public:
  virtual ~Workers() = default;

  virtual int64_t rank() const { return 0; }
  virtual int64_t count() const { return 1; }

  // Sums over all workers, in place.
  virtual void sum(at::Tensor& /*numbers*/) {}
  // The same, begun now and complete after finish(). `numbers` must stay untouched until then.
  virtual void begin_sum(const at::Tensor& /*numbers*/) {}
  // After finish(), `part`, which lies in `whole` at rank * its size, holds the sum; the rest of `whole` is
  // undefined.
  virtual void begin_sum_part(const at::Tensor& /*whole*/, const at::Tensor& /*part*/) {}
  virtual void finish() {}
  // Every worker's part, which lies in `whole` as above, to all.
  virtual void gather_parts(const at::Tensor& /*whole*/, const at::Tensor& /*part*/) {}
  virtual void wait_for_all() {}
};

// Alone, or as the environment says: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT (torchrun), or Open MPI's
// OMPI_COMM_WORLD_RANK and _SIZE with the two addresses.
Result<std::unique_ptr<Workers>> join_workers(at::Device device);

// Rank and count from the environment, without joining; 0 and 1 alone.
struct WorkerPlace {
  int64_t rank = 0;
  int64_t count = 1;
  int64_t local_rank = 0;
  int64_t local_count = 1;
};
Result<WorkerPlace> worker_place();

}  // namespace plm::train
