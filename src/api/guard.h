// Keeps exceptions of the standard library inside.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <utility>

#include "base/error.h"

namespace plm::api {

// work(), which returns a Result. What it throws becomes an error: out_of_memory, or bad_data where a library
// beneath refused what it was given.
template <class Work>
auto guarded(Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (const std::bad_alloc&) {
    return make_error(ErrorKind::out_of_memory, "there is no memory left for this");
  } catch (const std::length_error&) {
    return make_error(ErrorKind::out_of_memory, "this is larger than memory can be");
  } catch (const std::exception& problem) {
    return make_error(ErrorKind::bad_data, "{}", problem.what());
  }
}

}  // namespace plm::api
