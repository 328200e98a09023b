// Helpers of the interpreter that undo themselves.
#pragma once

#include "jinja/interpreter.h"

namespace plm::jinja {

class Interpreter::Deeper {
 public:
  explicit Deeper(Interpreter& interpreter) : interpreter_(interpreter) { ++interpreter_.depth_; }
  ~Deeper() { --interpreter_.depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  Status check() const {
    if (interpreter_.depth_ <= interpreter_.depth_limit_) return {};
    return make_error(ErrorKind::bad_data,
                      "the template is nested deeper than {}, or calls itself without end",
                      interpreter_.depth_limit_);
  }

 private:
  Interpreter& interpreter_;
};

class Interpreter::InnerScope {
 public:
  InnerScope(Interpreter& interpreter, std::shared_ptr<Scope> around)
      : interpreter_(interpreter), before_(interpreter.scope_) {
    interpreter_.scope_ = std::make_shared<Scope>(Scope{.around = std::move(around)});
  }
  explicit InnerScope(Interpreter& interpreter) : InnerScope(interpreter, interpreter.scope_) {}
  ~InnerScope() { interpreter_.scope_ = std::move(before_); }
  InnerScope(const InnerScope&) = delete;
  InnerScope& operator=(const InnerScope&) = delete;

 private:
  Interpreter& interpreter_;
  std::shared_ptr<Scope> before_;
};

}  // namespace plm::jinja
