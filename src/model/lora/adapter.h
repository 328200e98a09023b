// LoRA adapters (arXiv 2106.09685): low-rank changes of a model's matrices, W + scale B A. Read from GGUF
// files here and from PEFT's safetensors in convert/peft.h; docs/formats/lora.md has both.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/tensor_type.h"
#include "kernels/pack.h"

namespace plm::gguf {
class File;
}

namespace plm::model {

// Rows one after the other, in F32, F16 or BF16.
struct AdapterMatrix {
  TensorType type = TensorType::f32;
  int64_t rows = 0, cols = 0;
  std::vector<std::byte> bytes;

  void decode_row(int64_t row, float* out) const;
};

struct AdapterPair {
  std::string tensor;        // the matrix it changes, by its name in GGUF: Y rows of K numbers
  AdapterMatrix a_ZK, b_YZ;  // Z: the rank. Also of an embedding, whatever way round its file had them
  float scale = 1;           // what the file asks for: alpha over the rank

  int64_t rank() const { return a_ZK.rows; }
};

// Checked by itself, not yet against a model: pairs are whole and of one rank, numbers are finite, and no
// matrix occurs twice. Immutable, so any number of threads may read it.
struct Adapter {
  std::string path;
  std::string architecture;  // of the models it is for
  std::vector<AdapterPair> pairs;
};

// How strongly an adapter is to work; 1 is as it was trained. Several add up.
struct ScaledAdapter {
  std::shared_ptr<const Adapter> adapter;
  float scale = 1;
};

// An adapter in llama.cpp's GGUF form.
Result<Adapter> read_gguf_adapter(const std::string& path);
Result<Adapter> read_gguf_adapter(const gguf::File& file);

// "tensor NAME: found a change of ROWS x COLS ..": refuses a pair that does not fit its matrix.
Status check_pair_shape(const Adapter& adapter, const AdapterPair& pair, int64_t rows, int64_t cols);

// Refuses an adapter of another architecture than the model's.
Status check_adapter_architecture(const Adapter& adapter, std::string_view architecture);

// Refuses a pair whose matrix the model has not, or has for two purposes: an embedding that is the output
// matrix too.
Error misplaced_pair(const Adapter& adapter, const AdapterPair& pair, std::string_view architecture);

}  // namespace plm::model
