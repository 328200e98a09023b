// Renders templates for tests/python/test_jinja_differential.py: reads lines of JSON, {"template": "..",
// "variables": {..}, "now": seconds}, and writes for each a line, {"text": ".."} or {"error": "..", "kind":
// ..}.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "jinja/template.h"

namespace {

using Json = nlohmann::ordered_json;

plm::Result<std::string> render(const Json& job) {
  PLM_TRY(const plm::jinja::Template parsed,
          plm::jinja::Template::parse("t", job["template"].get<std::string>()));
  PLM_TRY(const plm::jinja::Value variables, plm::jinja::from_json(job["variables"]));
  return parsed.render(variables.dict(), {.now = job.value("now", std::time_t{0})});
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto text = render(Json::parse(line));
    const Json answer =
        text.ok() ? Json{{"text", *text}}
                  : Json{{"error", text.error().message}, {"kind", static_cast<int>(text.error().kind)}};
    std::cout << answer.dump(-1, ' ', true, Json::error_handler_t::replace) << '\n';
  }
  return 0;
}
