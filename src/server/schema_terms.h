// The words that the schemas of /openapi.json are put together from.
#pragma once

#include "server/json.h"

namespace plm::server::schema {

Json of_type(std::string_view type);
Json text();
Json text(size_t least, size_t most);  // in characters
Json whole();
Json whole(int64_t least, int64_t most);
Json real();
Json real(double least, double most);
Json flag();
Json constant(std::string_view value);
Json one_of_words(Json words);
Json any_of(Json schemas);
Json or_null(Json schema);
Json list(Json items);
Json list(Json items, int64_t least, int64_t most);
Json any_object();
// With these fields, of which the optional ones may be null too. Others may be there.
Json object(Json required);
Json object(Json required, const Json& optional);

Json with(Json fields, const Json& more);
// {"$ref": ...} to a schema of the document.
Json ref(std::string_view name);

}  // namespace plm::server::schema
