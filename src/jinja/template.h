// Templates in the part of Jinja that chat templates use, with the results of Python's jinja2 as transformers
// sets it up (docs/formats/chat-template.md). Nothing of the machine can be reached from a template, and what
// it may use up is limited.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "jinja/budget.h"
#include "jinja/value.h"

namespace plm::jinja {

// Does not change after it was parsed; render may be called from several threads at once.
class Template {
 public:
  // name: for messages. Fails with bad_data or unsupported: "NAME: line 3: found ..., expected ...".
  static Result<Template> parse(std::string_view name, std::string_view source);

  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  struct Options {
    Limits limits = {};
    std::time_t now = 0;  // for strftime_now, which shows it in local time
  };
  // variables: the names are texts. Fails with invalid_argument when the template calls raise_exception, with
  // bad_data or unsupported when it cannot go on.
  Result<std::string> render(const Dict& variables, const Options& options) const;

 private:
  struct State;
  explicit Template(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace plm::jinja
