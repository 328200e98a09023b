// Loading weights: the tensors of a file, checked against the shape a model expects and repacked into
// the layouts of the kernels, on all threads.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "gguf/gguf_file.h"
#include "kernels/neuron_major.h"
#include "kernels/pack.h"

namespace plm::model {

// Plans what to pack, then packs all of it at once into one block of memory. The pointers handed to
// add_* are filled by pack(); the loader's buffer must outlive them (release()).
class WeightLoader {
 public:
  explicit WeightLoader(const gguf::File& file) : file_(file) {}

  // The tensor, if it is there, has this shape (rows of `cols` numbers) and a type kernels compute with.
  Result<kernels::FileMatrix> matrix(const std::string& name, int64_t rows, int64_t cols) const;

  // A vector in float32, decoded. The tensor's type must be F32, F16 or BF16.
  Result<std::vector<float>> vector(const std::string& name, int64_t n) const;

  // Rows of the source in the order of row_map (-1: a row of zeros; empty: as they are).
  void add_packed(const kernels::FileMatrix& source, std::vector<int64_t> row_map,
                  kernels::PackedMatrix* out);
  void add_neuron_major(const kernels::FileMatrix& source, kernels::NeuronMajorMatrix* out);

  // Allocates and fills. Fails with out_of_memory, saying how much is needed and there is.
  Status pack(ThreadPool& pool, const std::function<void(double)>& progress);

  AlignedBuffer release() { return std::move(buffer_); }
  int64_t bytes() const { return bytes_; }

 private:
  // A stretch of one tensor's packed form, small enough to share the work evenly.
  struct Piece {
    std::function<void(std::byte*)> fill;  // gets where the tensor's packed form begins
    int64_t offset = 0;
    int64_t weight = 0;  // bytes it fills
  };
  int64_t reserve(int64_t n_bytes);

  const gguf::File& file_;
  AlignedBuffer buffer_;
  int64_t bytes_ = 0;
  std::vector<Piece> pieces_;
  std::vector<std::function<void(const std::byte*)>> set_pointers_;
};

}  // namespace plm::model
