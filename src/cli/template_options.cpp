#include "cli/template_options.h"

#include "base/json_shape.h"
#include "chat/template.h"
#include "cli/text_input.h"

namespace plm::cli {

void TemplateOptions::add_to(CLI::App& app) {
  std::string names;
  for (const std::string_view name : chat::template_names())
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  app.add_option("--chat-template", template_,
                 fmt::format("in place of the file's own: the text of a template (Jinja), or {}", names))
      ->type_name("TEXT");
  app.add_option("--chat-template-file", file_, "a file with such a text")->type_name("FILE");
  app.add_option("--chat-template-kwargs", variables_,
                 R"(further variables of the template, as JSON: {"enable_thinking": false})")
      ->type_name("JSON");
  app.add_flag("--jinja,!--no-jinja", jinja_, "templates are always run as Jinja: --jinja changes nothing");
}

Result<std::string> TemplateOptions::chosen() const {
  if (!jinja_)
    return make_error(ErrorKind::invalid_argument, "--no-jinja: templates are always run as Jinja");
  if (file_.empty()) return template_;
  if (!template_.empty()) {
    return make_error(ErrorKind::invalid_argument, "give --chat-template or --chat-template-file, not both");
  }
  return read_input(file_);
}

Result<chat::Json> TemplateOptions::variables() const {
  constexpr int kMaxDepth = 64;
  if (variables_.empty()) return chat::Json::object();
  if (json_shape(variables_).depth <= kMaxDepth) {
    chat::Json json = chat::Json::parse(variables_, nullptr, false);
    if (json.is_object()) return json;
  }
  return make_error(ErrorKind::invalid_argument, "--chat-template-kwargs: found {}, expected a JSON object",
                    variables_);
}

}  // namespace plm::cli
