// The bytes of the built page, put into the program by CMake.
#pragma once

#include <string_view>

namespace plm::server {

// Empty when the program was built without the page.
std::string_view page_archive();

}  // namespace plm::server
