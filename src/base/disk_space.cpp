#include "base/disk_space.h"

#include <filesystem>

namespace plm {

Status check_free_space(const std::string& path, uint64_t bytes) {
  constexpr uint64_t kMegabyte = 1'000'000;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(parent.empty() ? "." : parent, error);
  if (error || space.available >= bytes) return {};
  return make_error(ErrorKind::io, "{}: {} MB are needed, but its disk has {} MB free", path,
                    bytes / kMegabyte + 1, space.available / kMegabyte);
}

}  // namespace plm
