#include "base/json_shape.h"

#include <algorithm>
#include <array>

namespace plm {

JsonShape json_shape(std::string_view text) {
  JsonShape shape;
  constexpr int kTracked = 128;                   // deeper than any limit: what is there counts as one object
  std::array<size_t, kTracked + 1> members = {};  // of the objects that are open
  int depth = 0;
  const auto level = [&] { return static_cast<size_t>(std::clamp(depth, 0, kTracked)); };
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    switch (c) {
      case '"':
        in_string = true;
        break;
      case '[':
      case '{':
        ++shape.n_values;
        shape.depth = std::max(shape.depth, ++depth);
        members[level()] = 0;
        break;
      case ']':
      case '}':
        --depth;
        break;
      case ':':
        ++shape.n_values;
        shape.most_members = std::max(shape.most_members, ++members[level()]);
        break;
      case ',':
        ++shape.n_values;
        break;
      default:
        break;
    }
  }
  return shape;
}

}  // namespace plm
