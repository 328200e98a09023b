// A matrix's adapters in a step: the product with two narrow matrices beside the one with the model's own,
//   y += B (scale * (A x)),
// so that weights stay as they are, quantised or not. Several adapters lie side by side: Z is the sum of
// their ranks. Without an adapter nothing is computed and nothing allocated.
#pragma once

#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "model/team.h"

namespace plm::model {

struct LowRank {
  kernels::PackedMatrix a_ZK, b_YZ;  // F32, F16 or BF16, in the order of rows of the model's matrix
  std::vector<float> scale_Z;        // of each adapter, for each of its ranks

  bool is_none() const { return scale_Z.empty(); }
  int64_t bytes() const { return is_none() ? 0 : a_ZK.bytes() + b_YZ.bytes(); }
};

// Of the matrix that makes keys and values from a latent: B's rows as those of k_up_HNC and v_up_HVC.
struct LatentLowRank {
  kernels::PackedMatrix a_ZC, k_HNZ, v_HVZ;
  std::vector<float> scale_Z;

  bool is_none() const { return scale_Z.empty(); }
  int64_t bytes() const { return is_none() ? 0 : a_ZC.bytes() + k_HNZ.bytes() + v_HVZ.bytes(); }
};

// n rows of Z numbers, each times its rank's scale.
void scale_rows(const std::vector<float>& scale_Z, int64_t n, float* u_nZ);

// u = scale * (A x) for tokens [begin, end) of x, row t at u_TZ + t * Z, by the calling thread alone. In
// float, whatever x was rounded to.
void reduce_tokens(const Team& team, const kernels::PackedMatrix& a_ZK, const std::vector<float>& scale_Z,
                   const kernels::Activations& x, ThreadPool::Range tokens, float* u_TZ);

// Where threads share out tokens for reduce_tokens they take whole multiples of this: kernels add up the last
// tokens of a product, which do not fill a tile, in another order. All tiles divide it.
inline constexpr int64_t kTokenGrain = 48;

// Room for A x between the two products.
class LowRankRoom {
 public:
  // largest_rank: Z of any matrix; 0 takes no memory.
  static Result<LowRankRoom> allocate(int64_t max_tokens, int64_t largest_rank, int n_threads);

  // y += B (scale * (A x)) for all tokens of x: this thread's rows, which are those Team::matmul gives it in
  // a matrix as high. Every thread of the team calls it with the same arguments; x is complete and its
  // numbers are there. As after Team::matmul, the others' rows may not be there yet.
  void add(const Team& team, const LowRank& lora, const kernels::Activations& x, float* y, int64_t y_stride);

  // The first half: scale * (A x), complete, until the thread's next call.
  kernels::Activations reduce(const Team& team, const LowRank& lora, const kernels::Activations& x);

  // The same for few tokens (StepInputs::kPrivateTokens at most) by this thread alone.
  kernels::Activations reduce_alone(const Team& team, const kernels::PackedMatrix& a_ZK,
                                    const std::vector<float>& scale_Z, const kernels::Activations& x);

  // Z numbers of this thread's.
  float* mine(const Team& team) const { return of_thread_[static_cast<size_t>(team.thread)]; }

 private:
  float* shared_TZ_ = nullptr;
  std::vector<float*> of_thread_;  // [kPrivateTokens][Z]
  AlignedBuffer storage_;
};

}  // namespace plm::model
