// The down projection stored neuron by neuron, so that a neuron that did not fire is never read
// (the paper's squared ReLU leaves about one in ten). Repacking loses nothing.
//
// The matrix is W[o, j]: n_outputs rows, n_neurons columns; blocks of the file run along j. Plain
// numbers: neuron after neuron, its n_outputs numbers in order. Quantised: for each unit of 32 or 256
// neurons
//   header   [K-quants] n_outputs x f16 d [, n_outputs x f16 dmin]
//   blocks   of 32 neurons, each
//     scales  half:  n_outputs x f16 d [, minimum]
//             super: n_outputs x 8 bit (per 16: twice) [, the same of minima]
//     neurons 32 rows, each a sequence of chunks of 128 outputs
// A chunk of a row holds the codes of outputs 0..127 of that chunk. Within each half of 64 outputs,
// output o = 16 t + 4 l + i (t, l, i < 4) lies at place p(o) = 16 l + 4 t + i: interleaving four
// neurons byte by byte inside 128-bit lanes then gives 16 outputs in order.
//   nibbles  64 bytes: byte p(o) has output o low, output 64 + o high
//   high1    16 bytes after them: bit b of byte i is the fifth bit of place i + 16 (b mod 4), of the
//            first half of outputs for b < 4, of the second for the others
//   high2    32 bytes after them: bits 2q, 2q+1 of byte i are bits 4, 5 of place i + 32 (q mod 2), of
//            the first half for q < 2, of the second for the others
//   bytes    2 x 64 bytes, place by place, as signed numbers (code - 128)
// n_outputs is padded to a multiple of 128 with zeros.
#pragma once

#include <cstdint>

#include "kernels/pack.h"
#include "kernels/packed_format.h"

namespace plm::kernels {

inline constexpr int64_t kNeuronMajorOutputs = 128;

struct NeuronMajorMatrix {
  TensorType type = TensorType::f32;
  int64_t n_outputs = 0;  // rows of the file's tensor
  int64_t n_neurons = 0;  // columns of the file's tensor
  const std::byte* data = nullptr;

  int64_t padded_outputs() const {
    return (n_outputs + kNeuronMajorOutputs - 1) / kNeuronMajorOutputs * kNeuronMajorOutputs;
  }
  int64_t chunk_bytes() const;   // of 128 outputs of one neuron
  int64_t neuron_bytes() const;  // of one neuron's codes or numbers
  int64_t header_bytes() const;  // of a unit
  int64_t scale_bytes() const;   // of a block, all its scales and minima
  int64_t block_bytes() const;
  int64_t unit_bytes() const;
  int64_t n_units() const;  // plain numbers: units of one neuron
  int64_t bytes() const { return n_units() * unit_bytes(); }
};

// Fills the units [unit_begin, unit_end) of a matrix of source.cols neurons; `out` is where unit 0
// lies, 64-byte aligned and zeroed (for the scales of outputs that only fill up). Threads may fill different
// units at the same time.
void pack_neurons(const FileMatrix& source, int64_t unit_begin, int64_t unit_end, std::byte* out);

// The numbers of one neuron for all outputs, exactly those of the file.
void unpack_neuron(const NeuronMajorMatrix& matrix, int64_t neuron, float* out);

}  // namespace plm::kernels
