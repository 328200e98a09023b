#include "server/schema_terms.h"

namespace plm::server::schema {

Json of_type(std::string_view type) { return {{"type", type}}; }
Json text() { return of_type("string"); }
Json text(size_t least, size_t most) {
  return {{"type", "string"}, {"minLength", least}, {"maxLength", most}};
}
Json whole() { return of_type("integer"); }
Json real() { return of_type("number"); }
Json flag() { return of_type("boolean"); }
Json constant(std::string_view value) { return {{"const", value}}; }
Json one_of_words(Json words) { return {{"type", "string"}, {"enum", std::move(words)}}; }
Json any_of(Json schemas) { return {{"anyOf", std::move(schemas)}}; }
Json or_null(Json schema) { return any_of({std::move(schema), of_type("null")}); }

Json whole(int64_t least, int64_t most) {
  return {{"type", "integer"}, {"minimum", least}, {"maximum", most}};
}
Json real(double least, double most) { return {{"type", "number"}, {"minimum", least}, {"maximum", most}}; }
Json list(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json list(Json items, int64_t least, int64_t most) {
  Json json = list(std::move(items));
  json["minItems"] = least;
  json["maxItems"] = most;
  return json;
}
Json any_object() { return of_type("object"); }
Json object(Json required) {
  Json names = Json::array();
  for (const auto& field : required.items()) names.push_back(field.key());
  return {{"type", "object"}, {"properties", std::move(required)}, {"required", std::move(names)}};
}
Json object(Json required, const Json& optional) {
  Json json = object(std::move(required));
  for (const auto& field : optional.items()) json["properties"][field.key()] = or_null(field.value());
  return json;
}

Json with(Json fields, const Json& more) {
  fields.update(more);
  return fields;
}

Json ref(std::string_view name) { return {{"$ref", fmt::format("#/components/schemas/{}", name)}}; }

}  // namespace plm::server::schema
