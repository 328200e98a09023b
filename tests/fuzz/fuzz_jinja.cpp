// Any bytes as a template, after a NUL with JSON as its variables: an error, or text within the limits.
#include "jinja/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace plm::jinja;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const size_t end = std::min(input.find('\0'), input.size());
  const auto parsed = Template::parse("t", input.substr(0, end));
  if (!parsed.ok()) return 0;
  Dict variables;
  if (end < input.size()) {
    const auto json = nlohmann::ordered_json::parse(input.substr(end + 1), nullptr, false);
    if (json.is_object()) {
      const auto value = from_json(json);
      if (!value.ok()) return 0;
      variables = value->dict();
    }
  }
  const Limits limits = {.steps = 100'000, .bytes = 1 << 24, .output_bytes = 1 << 20};
  const auto text = parsed->render(variables, {.limits = limits});
  PLM_CHECK(!text.ok() || text->size() <= 1 << 20);
  return 0;
}
