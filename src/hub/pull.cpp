#include "hub/pull.h"

#include <filesystem>

#include "hub/cache.h"
#include "hub/online.h"

namespace plm::hub {

Result<Pulled> pull_cached(const PullRequest& request, const Settings& settings) {
  const Cache cache(settings.cache, request.repository);
  const auto commit = cache.commit_of(request.revision);
  if (!commit) {
    return make_error(ErrorKind::not_found, "{}: revision {} is not in the cache {}", request.repository,
                      request.revision, settings.cache);
  }
  const std::string where = request.repository + " in the cache";
  PLM_TRY(const auto names, select_files(cache.files_of(*commit), request.wish, where));
  Pulled pulled{.repository = request.repository,
                .revision = request.revision,
                .commit = *commit,
                .folder = cache.snapshot(*commit),
                .files = {}};
  for (const std::string& name : names) {
    const std::string path = cache.snapshot_file(*commit, name);
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    if (error) return errno_error(path, "cannot read its length", error.value());
    pulled.files.push_back({.name = name, .path = path, .bytes = bytes, .was_cached = true});
  }
  return pulled;
}

Result<Pulled> pull(const PullRequest& request, const Settings& settings, const PullHooks& hooks) {
  if (settings.is_offline) return pull_cached(request, settings);
  auto cached = pull_cached(request, settings);
  Settings online = settings;
  if (cached.ok()) online.n_tries = 1;  // there is something to fall back to
  auto listing = list_revision(request, online, hooks);
  if (!listing.ok()) {
    if (!cached.ok() || listing.error().kind != ErrorKind::io) return listing.error();
    if (hooks.on_note) hooks.on_note(listing.error().message + "; going on with what is in the cache");
    return cached;
  }
  PLM_TRY(const auto names, select_files(listing->files, request.wish, request.repository));
  return fetch_files(request, *listing, names, settings, hooks);
}

}  // namespace plm::hub
