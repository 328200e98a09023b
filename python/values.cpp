#include "values.h"

namespace plm::python {

namespace {

const char* exception_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument:
      return "InvalidArgumentError";
    case ErrorKind::not_found:
      return "NotFoundError";
    case ErrorKind::bad_data:
      return "BadDataError";
    case ErrorKind::unsupported:
      return "UnsupportedError";
    case ErrorKind::out_of_memory:
      return "OutOfMemoryError";
    case ErrorKind::io:
      return "InputOutputError";
    case ErrorKind::cancelled:
      return "CancelledError";
  }
  return "Error";
}

}  // namespace

void register_errors() {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Raised& raised) {
      const nb::object type = nb::module_::import_("plm.errors").attr(exception_name(raised.error.kind));
      PyErr_SetObject(type.ptr(), text_of(raised.error.message).ptr());
    }
  });
}

Prompt prompt_of(const PromptValue& value) {
  if (const auto* ids = std::get_if<std::vector<TokenId>>(&value)) return *ids;
  return view(std::get<nb::bytes>(value));
}

nb::str text_of(std::string_view bytes) {
  PyObject* text = PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "replace");
  if (text == nullptr) throw nb::python_error();
  return nb::steal<nb::str>(text);
}

nb::bytes bytes_of(std::string_view bytes) { return nb::bytes(bytes.data(), bytes.size()); }

nb::list scores_of(const std::vector<TokenScore>& tokens) {
  nb::list made;
  for (const TokenScore& token : tokens) {
    nb::list top;
    for (const auto& [id, log_probability] : token.top) top.append(nb::make_tuple(id, log_probability));
    const nb::object log_probability =
        token.log_probability ? nb::object(nb::float_(static_cast<double>(*token.log_probability)))
                              : nb::none();
    made.append(nb::make_tuple(token.id, log_probability, top));
  }
  return made;
}

nb::list calls_of(const std::vector<ToolCall>& calls) {
  nb::list made;
  for (const ToolCall& call : calls) made.append(nb::make_tuple(text_of(call.name), text_of(call.arguments)));
  return made;
}

}  // namespace plm::python
