#include "train/core/workers.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "train/core/gloo_workers.h"

namespace plm::train {
namespace {

// The first of these variables that is set.
Result<int64_t> from_environment(std::initializer_list<const char*> names, int64_t otherwise) {
  for (const char* name : names) {
    const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread is started
    if (text == nullptr) continue;
    const std::string_view view(text);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
    if (error != std::errc() || end != view.data() + view.size() || value < 0) {
      return make_error(ErrorKind::invalid_argument, "{}: found {}, expected a whole number", name, view);
    }
    return value;
  }
  return otherwise;
}

}  // namespace

Result<WorkerPlace> worker_place() {
  WorkerPlace place;
  PLM_TRY(place.rank, from_environment({"RANK", "OMPI_COMM_WORLD_RANK"}, 0));
  PLM_TRY(place.count, from_environment({"WORLD_SIZE", "OMPI_COMM_WORLD_SIZE"}, 1));
  PLM_TRY(place.local_rank, from_environment({"LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"}, 0));
  PLM_TRY(place.local_count, from_environment({"LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"}, 1));
  if (place.count < 1 || place.rank >= place.count || place.local_count < 1) {
    return make_error(ErrorKind::invalid_argument,
                      "RANK and WORLD_SIZE: found {} of {}, expected a rank below the size", place.rank,
                      place.count);
  }
  return place;
}

Result<std::unique_ptr<Workers>> join_workers(at::Device device) {
  PLM_TRY(const WorkerPlace place, worker_place());
  if (place.count == 1) return std::make_unique<Workers>();
  return join_gloo_workers(place, device);
}

}  // namespace plm::train
