// How much there is in a JSON text: asked before it is parsed. What walks a parsed value recurses, a parsed
// value takes many times the memory of its text, and nlohmann::ordered_json searches an object's keys one by
// one for each that is added.
#pragma once

#include <cstddef>
#include <string_view>

namespace plm {

struct JsonShape {
  int depth = 0;            // how deep brackets are nested
  size_t n_values = 1;      // at most: values and keys
  size_t most_members = 0;  // of one object
};

// Of what stands outside strings. The text need not be valid; checking the rest is the parser's.
JsonShape json_shape(std::string_view text);

}  // namespace plm
