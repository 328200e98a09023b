// The answers to one request, read together while its client listens.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "scheduler/answer.h"
#include "server/http_server.h"

namespace plm::server {

class Choices {
 public:
  explicit Choices(std::vector<std::shared_ptr<scheduler::Answer>> answers) : answers_(std::move(answers)) {}
  // What is still under way is cancelled.
  ~Choices();
  Choices(const Choices&) = delete;
  Choices& operator=(const Choices&) = delete;

  // Called with each piece, and with the outcome at the end of each answer (then the piece is empty). False:
  // stop.
  using Show = std::function<bool(size_t index, scheduler::Piece piece, const scheduler::Outcome* outcome)>;
  // Called now and then while nothing comes. False: nobody listens.
  using Idle = std::function<bool()>;

  // False when it was stopped before all answers ended.
  bool read(const Show& show, const Idle& idle);

 private:
  std::vector<std::shared_ptr<scheduler::Answer>> answers_;
};

}  // namespace plm::server
