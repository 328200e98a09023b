#include "jinja/template.h"

#include "jinja/interpreter.h"
#include "jinja/parser.h"

namespace plm::jinja {
namespace {

constexpr size_t kMaxSourceBytes = 1 << 20;

}  // namespace

struct Template::State {
  std::string name;
  Block block;
};

Template::Template(std::unique_ptr<State> state) : state_(std::move(state)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::parse(std::string_view name, std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    return make_error(ErrorKind::bad_data, "{}: found {} bytes, expected at most {}", name, source.size(),
                      kMaxSourceBytes);
  }
  auto block = plm::jinja::parse(source);
  if (!block.ok()) return block.error().with_context(name);
  return Template(std::make_unique<State>(State{.name = std::string(name), .block = *std::move(block)}));
}

Result<std::string> Template::render(const Dict& variables, const Options& options) const {
  std::tm now = {};
  localtime_r(&options.now, &now);
  Interpreter interpreter(options.limits, now);
  auto text = interpreter.run(state_->block, variables);
  if (text.ok()) return text;
  return text.error().with_context(fmt::format("{}: line {}", state_->name, interpreter.line()));
}

}  // namespace plm::jinja
