// All of an answer, read to its end.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "scheduler/scheduler.h"

namespace plm::scheduler {

struct Read {
  std::string text;
  std::vector<ScoredToken> prompt, tokens;
  Outcome outcome;
};

inline Read read(const std::shared_ptr<Answer>& answer) {
  constexpr std::chrono::seconds kPatience{60};
  Read result;
  Piece piece;
  for (auto next = answer->next(piece, kPatience); next != Answer::Next::finished;
       next = answer->next(piece, kPatience)) {
    EXPECT_EQ(next, Answer::Next::piece) << "nothing in a minute";
    if (next != Answer::Next::piece) return result;
    result.text += piece.text;
    result.prompt.insert(result.prompt.end(), piece.prompt.begin(), piece.prompt.end());
    result.tokens.insert(result.tokens.end(), piece.tokens.begin(), piece.tokens.end());
  }
  result.outcome = answer->outcome();
  return result;
}

inline Read run(Scheduler& scheduler, Request made) {
  auto answer = scheduler.submit(std::move(made));
  EXPECT_TRUE(answer.ok()) << answer.error().message;
  return answer.ok() ? read(*answer) : Read();
}

}  // namespace plm::scheduler
