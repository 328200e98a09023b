#include "train/program/sample_text.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "train/data/counter_random.h"

namespace plm::train {

std::string sample_text(Model& model, const tokenizer::Tokenizer& tokenizer, const SampleRequest& request) {
  std::vector<tokenizer::TokenId> ids = tokenizer.encode(request.prompt);
  if (ids.empty()) ids.push_back(tokenizer.bos().value_or(tokenizer.eos().value_or(0)));
  for (int64_t i = 0;
       i < request.n_tokens && static_cast<int64_t>(ids.size()) < model.config().context_length; ++i) {
    const std::vector<int64_t> so_far(ids.begin(), ids.end());
    const at::Tensor input = at::tensor(so_far, at::kLong).unsqueeze(0).to(model.masters().device());
    const at::Tensor last = model.logits(input).select(1, -1).squeeze(0).to(at::kCPU, at::kDouble);
    const at::Tensor sums = last.div(request.temperature).softmax(0).cumsum(0);
    const double place =
        static_cast<double>(scramble(scramble(request.seed) + static_cast<uint64_t>(i)) >> 11) * 0x1p-53;
    const int64_t id = std::min(at::searchsorted(sums, place).item<int64_t>(), last.numel() - 1);
    ids.push_back(static_cast<tokenizer::TokenId>(id));
    if (tokenizer.is_end_of_generation(ids.back())) break;
  }
  return tokenizer.decode(ids, {.skip_special = true});
}

}  // namespace plm::train
