#include "hub/online.h"

#include <filesystem>

#include "hub/cache.h"
#include "hub/download.h"
#include "hub/hub_api.h"

namespace plm::hub {
namespace {

namespace fs = std::filesystem;

Retries::Options retry_options(const Settings& settings, const PullHooks& hooks) {
  return {.n_tries = settings.n_tries, .cancel = hooks.cancel, .on_note = hooks.on_note};
}

bool is_there(const std::string& path, uint64_t bytes) {
  std::error_code error;
  return fs::is_regular_file(path, error) && fs::file_size(path, error) == bytes;
}

// Whether the blob was there already.
Result<bool> fetch_blob(HttpClient& client, const Cache& cache, const BlobRequest& request,
                        const Settings& settings, const PullHooks& hooks, const std::string& name) {
  if (is_there(request.path, request.bytes)) return true;
  std::error_code error;
  fs::create_directories(fs::path(request.path).parent_path(), error);
  if (error) {
    return errno_error(fs::path(request.path).parent_path().string(), "cannot create the folder",
                       error.value());
  }
  const auto note_wait = [&] {
    if (hooks.on_note) hooks.on_note(request.where + ": another process is fetching it; waiting");
  };
  PLM_TRY(const FileLock lock,
          FileLock::acquire(cache.lock_path(request.hash), {.cancel = hooks.cancel, .on_wait = note_wait}));
  if (is_there(request.path, request.bytes)) return true;
  PLM_TRY_STATUS(download_blob(client, request, retry_options(settings, hooks), [&](uint64_t bytes_there) {
    if (hooks.on_progress) hooks.on_progress(name, bytes_there, request.bytes);
  }));
  return false;
}

}  // namespace

Result<Listing> list_revision(const PullRequest& request, const Settings& settings, const PullHooks& hooks) {
  PLM_TRY(HttpClient client, HttpClient::create(settings, hooks.cancel));
  HubApi api(client, settings, retry_options(settings, hooks));
  PLM_TRY(Revision revision, api.revision(request.repository, request.revision));
  return Listing{.commit = std::move(revision.commit), .files = std::move(revision.files)};
}

Result<Pulled> fetch_files(const PullRequest& request, const Listing& listing,
                           const std::vector<std::string>& names, const Settings& settings,
                           const PullHooks& hooks) {
  PLM_TRY(HttpClient client, HttpClient::create(settings, hooks.cancel));
  HubApi api(client, settings, retry_options(settings, hooks));
  const Cache cache(settings.cache, request.repository);
  Pulled pulled{.repository = request.repository,
                .revision = request.revision,
                .commit = listing.commit,
                .folder = cache.snapshot(listing.commit),
                .files = {}};
  for (const std::string& name : names) {
    PLM_TRY(const FileFacts facts, api.facts(request.repository, listing.commit, name));
    const BlobRequest blob{.url = api.file_url(request.repository, listing.commit, name),
                           .where = request.repository + "/" + name,
                           .path = cache.blob(facts.hash),
                           .hash = facts.hash,
                           .bytes = facts.bytes,
                           .has_token = !settings.token.empty()};
    PLM_TRY(const bool was_cached, fetch_blob(client, cache, blob, settings, hooks, name));
    PLM_TRY_STATUS(cache.link(listing.commit, name, facts.hash));
    pulled.files.push_back({.name = name,
                            .path = cache.snapshot_file(listing.commit, name),
                            .bytes = facts.bytes,
                            .was_cached = was_cached});
  }
  PLM_TRY_STATUS(cache.set_commit(request.revision, listing.commit));
  return pulled;
}

}  // namespace plm::hub
