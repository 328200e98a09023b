// The tokens still in the running while a sampler's chain works.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "tokenizer/token.h"

namespace plm::runtime {

using tokenizer::TokenId;

struct Candidate {
  TokenId id;
  float logit;
  double probability;  // as of the last softmax()
};

// Begins dense: one logit for each token of the vocabulary, so that a filter such as top-k can pass over
// 150,000 of them without building a list. Becomes a list, never empty, when first narrowed or listed.
class Candidates {
 public:
  // Takes a copy. Fails with bad_data on a NaN, +infinity or nothing above -infinity.
  Status assign(std::span<const float> logits);

  // The best n, in descending order; n at least 1.
  void keep_best(int64_t n);

  // The candidates; those of logit -infinity are left out.
  const std::vector<Candidate>& list();

  // Removes the first n of the list; fewer than all.
  void remove_first(int64_t n);
  // Removes all but the first n of the list; n at least 1.
  void keep_first(int64_t n);
  // Puts the candidates in order, first by `before`, up to the one for which `enough` (called once for each,
  // in order) is true, and removes the rest. What is not reached is never sorted.
  template <class Before, class Enough>
  void keep_until(Before before, Enough enough);

  // Sorts the list, best first (ties: lower id first).
  void sort();

  // Sets the probabilities of the list from its logits.
  void softmax();

  float max_logit() const;
  // Removes all below the threshold, which must be no more than max_logit().
  void keep_at_least(float threshold);

  struct Moments {
    double mean, standard_deviation;
  };
  Moments logit_moments() const;

  // logit = (logit - shift) / divisor
  void rescale(float shift, float divisor);

  // change(value&, logit&) for every candidate whose id is in the map.
  template <class Value, class Change>
  void change_each(const std::unordered_map<TokenId, Value>& values, Change&& change) {
    is_sorted_ = false;
    if (is_list_) {
      for (Candidate& candidate : list_) {
        if (auto it = values.find(candidate.id); it != values.end()) change(it->second, candidate.logit);
      }
      return;
    }
    for (const auto& [id, value] : values) {
      if (id >= 0 && static_cast<size_t>(id) < logits_.size())
        change(value, logits_[static_cast<size_t>(id)]);
    }
  }

 private:
  void become_list(float threshold);

  std::vector<float> logits_;
  std::vector<Candidate> list_;
  bool is_list_ = false;
  bool is_sorted_ = false;
};

// Better: larger logit, then lower id.
inline bool is_better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

template <class Before, class Enough>
void Candidates::keep_until(Before before, Enough enough) {
  list();
  // A heap whose root is the first; taken from the front of the reversed list, so that the first end up in
  // front.
  const auto after = [&before](const Candidate& a, const Candidate& b) { return before(b, a); };
  const auto begin = list_.rbegin();
  auto end = list_.rend();
  std::make_heap(begin, end, after);
  while (begin != end) {
    std::pop_heap(begin, end, after);
    --end;
    if (enough(*end)) break;
  }
  list_.resize(static_cast<size_t>(list_.rend() - end));
  is_sorted_ = false;
}

// Fails with bad_data unless the logits have a largest, finite one. Returns it.
Result<float> check_logits(std::span<const float> logits);

}  // namespace plm::runtime
