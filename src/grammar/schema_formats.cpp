#include "grammar/schema_formats.h"

namespace plm::grammar {

namespace {

// No day that some year lacks.
#define PLM_DATE                                                                           \
  "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|" \
  "02-(0[1-9]|1[0-9]|2[0-8]))"
#define PLM_TIME                                                    \
  "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]" \
  "([01][0-9]|2[0-3]):[0-5][0-9])"
#define PLM_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"

}  // namespace

std::string_view format_pattern(std::string_view format) {
  if (format == "date") return "^" PLM_DATE "$";
  if (format == "time") return "^" PLM_TIME "$";
  if (format == "date-time") return "^" PLM_DATE "T" PLM_TIME "$";
  if (format == "ipv4") return "^" PLM_BYTE "\\." PLM_BYTE "\\." PLM_BYTE "\\." PLM_BYTE "$";
  if (format == "uuid") return "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
  return {};
}

}  // namespace plm::grammar
