// Workers over torch's c10d with Gloo: any number of processes on CPUs. Internal; start at workers.h.
#pragma once

#include <memory>

#include "base/error.h"
#include "train/core/workers.h"

namespace plm::train {

Result<std::unique_ptr<Workers>> join_gloo_workers(const WorkerPlace& place, at::Device device);

}  // namespace plm::train
