// The head of a request, and its body as JSON: whatever comes, an error or a value.
#include <cstdint>

#include "server/http_head.h"
#include "server/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  plm::server::HttpHead head;
  (void)plm::server::parse_http_head(text, head);
  if (const auto json = plm::server::parse_json_object(text); json.ok()) (void)plm::server::dump(*json);
  return 0;
}
