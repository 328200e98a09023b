// The methods of str that templates use.
#pragma once

#include <string>
#include <string_view>

#include "jinja/arguments.h"
#include "jinja/budget.h"

namespace plm::jinja {

bool is_text_method(std::string_view name);
// name: one for which is_text_method holds.
Result<Value> call_text_method(const std::string& name, const std::string& self, Arguments arguments,
                               Budget& budget);

// str.replace and the filter of that name. max_count < 0: all. An empty `old` stands between all characters.
Result<Value> replace_in(std::string_view text, std::string_view old, std::string_view by, int64_t max_count,
                         Budget& budget);
// The texts of items with a separator between.
Result<Value> join_texts(const std::vector<Value>& texts, std::string_view separator, Budget& budget);

}  // namespace plm::jinja
