#include "runtime/drafter.h"

#include <utility>

namespace plm::runtime {

NgramDrafter::NgramDrafter(NgramSizes sizes, int n_sequences)
    : sequences_(static_cast<size_t>(n_sequences), NgramIndex(sizes)) {}

void NgramDrafter::begin(int sequence, std::span<const TokenId> tokens) {
  NgramIndex& index = sequences_[static_cast<size_t>(sequence)];
  index.clear();
  for (const TokenId token : tokens) index.add(token);
}

void NgramDrafter::append(int sequence, TokenId token) {
  sequences_[static_cast<size_t>(sequence)].add(token);
}

Status NgramDrafter::propose(std::span<DraftAsk> asks) {
  for (DraftAsk& ask : asks) {
    ask.tokens = sequences_[static_cast<size_t>(ask.sequence)].lookup(ask.most);
  }
  return {};
}

TwoDrafters::TwoDrafters(std::unique_ptr<Drafter> first, std::unique_ptr<Drafter> second)
    : first_(std::move(first)), second_(std::move(second)) {}

void TwoDrafters::begin(int sequence, std::span<const TokenId> tokens) {
  first_->begin(sequence, tokens);
  second_->begin(sequence, tokens);
}

void TwoDrafters::append(int sequence, TokenId token) {
  first_->append(sequence, token);
  second_->append(sequence, token);
}

Status TwoDrafters::propose(std::span<DraftAsk> asks) {
  PLM_TRY_STATUS(first_->propose(asks));
  std::vector<DraftAsk> rest;
  for (const DraftAsk& ask : asks) {
    if (ask.tokens.empty()) rest.push_back(ask);
  }
  if (rest.empty()) return {};
  PLM_TRY_STATUS(second_->propose(rest));
  size_t next = 0;
  for (DraftAsk& ask : asks) {
    if (ask.tokens.empty()) ask.tokens = std::move(rest[next++].tokens);
  }
  return {};
}

}  // namespace plm::runtime
