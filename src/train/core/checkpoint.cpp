#include "train/core/checkpoint.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "train/core/weights_file.h"
#include "train/data/stable_hash.h"

namespace plm::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kPrefix = "checkpoint-";
constexpr const char* kMarker = "complete.json";

std::optional<int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  int64_t step = 0;
  const char* begin = name.data() + std::string_view(kPrefix).size();
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(begin, end, step);
  return error == std::errc() && stop == end ? std::optional(step) : std::nullopt;
}

Status write_text(const std::string& path, std::string_view text) {
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  PLM_TRY_STATUS(file.write(text));
  return file.commit();
}

Result<Json> read_json(const std::string& path) {
  PLM_TRY(const MappedFile file, MappedFile::open(path));
  const auto* begin = reinterpret_cast<const char*>(file.bytes().data());
  Json json = Json::parse(begin, begin + file.bytes().size(), nullptr, false);
  if (!json.is_object()) return make_error(ErrorKind::bad_data, "{}: not a JSON object", path);
  return json;
}

Result<Json> describe_file(const std::string& path) {
  PLM_TRY(const MappedFile file, MappedFile::open(path));
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const Hash128 hash = hash128(text);
  return Json{{"bytes", text.size()}, {"xxh3", fmt::format("{:016x}{:016x}", hash.high, hash.low)}};
}

Status sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno_error(path, "cannot open", errno);
  const int code = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  // Some file systems have no such thing; the files themselves are synced.
  return code != 0 && error != EINVAL ? Status(errno_error(path, "cannot sync to disk", error)) : Status();
}

Json to_json(const TrainerState& s) {
  return {{"step", s.step},
          {"next_row", s.next_row},
          {"tokens_seen", s.tokens_seen},
          {"optimizer_steps", s.optimizer_steps},
          {"skipped_in_a_row", s.skipped_in_a_row},
          {"running_loss", s.running_loss},
          {"loss_since_log", s.loss_since_log},
          {"steps_since_log", s.steps_since_log},
          {"data_fingerprint", s.data_fingerprint}};
}

Result<TrainerState> state_from(const Json& json, const std::string& path) {
  try {
    TrainerState s;
    json.at("step").get_to(s.step);
    json.at("next_row").get_to(s.next_row);
    json.at("tokens_seen").get_to(s.tokens_seen);
    json.at("optimizer_steps").get_to(s.optimizer_steps);
    json.at("skipped_in_a_row").get_to(s.skipped_in_a_row);
    json.at("running_loss").get_to(s.running_loss);
    json.at("loss_since_log").get_to(s.loss_since_log);
    json.at("steps_since_log").get_to(s.steps_since_log);
    json.at("data_fingerprint").get_to(s.data_fingerprint);
    return s;
  } catch (const Json::exception& error) {
    return make_error(ErrorKind::bad_data, "{}: {}", path, error.what());
  }
}

Status load_into(const std::string& path, const std::string& prefix, const ParameterLayout& layout,
                 at::Tensor& flat) {
  PLM_TRY(const auto file, safetensors::File::open(path));
  return read_parameters(file, prefix, layout, flat);
}

// Folders that have the marker, the newest first.
std::vector<std::string> list_checkpoints(const std::string& output_folder) {
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(output_folder, error)) {
    const auto step = step_of(entry.path().filename().string());
    if (step && fs::exists(entry.path() / kMarker)) found.emplace_back(*step, entry.path().string());
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> paths;
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

}  // namespace

std::vector<std::string> find_checkpoints(const std::string& output_folder,
                                          const std::function<void(const std::string&)>& say) {
  std::vector<std::string> whole;
  for (const std::string& path : list_checkpoints(output_folder)) {
    if (const Status status = verify_checkpoint(path); status.ok()) {
      whole.push_back(path);
    } else {
      say(fmt::format("passed over: {}", status.error().message));
    }
  }
  return whole;
}

Status verify_checkpoint(const std::string& folder) {
  const std::string marker = folder + "/" + kMarker;
  if (!fs::exists(marker)) {
    return make_error(ErrorKind::bad_data, "{}: {} is missing: this checkpoint was not finished", folder,
                      kMarker);
  }
  PLM_TRY(const Json json, read_json(marker));
  if (!json.contains("files") || !json["files"].is_object()) {
    return make_error(ErrorKind::bad_data, "{}: files: missing, expected an object", marker);
  }
  for (const auto& [name, wanted] : json["files"].items()) {
    PLM_TRY(const Json found, describe_file(folder + "/" + name));
    if (found != wanted) {
      return make_error(ErrorKind::bad_data, "{}/{}: found {}, expected {}: the file was damaged", folder,
                        name, found.dump(), wanted.dump());
    }
  }
  return {};
}

Result<LoadedCheckpoint> load_checkpoint(const std::string& folder, const ParameterLayout& layout) {
  PLM_TRY_STATUS(verify_checkpoint(folder));
  LoadedCheckpoint loaded;
  const std::string state_path = folder + "/trainer_state.json";
  PLM_TRY(const Json json, read_json(state_path));
  PLM_TRY(loaded.state, state_from(json, state_path));
  for (at::Tensor* flat : {&loaded.masters, &loaded.first_moments, &loaded.second_moments}) {
    *flat = at::zeros({layout.count}, at::kFloat);
  }
  PLM_TRY_STATUS(load_into(folder + "/model.safetensors", "", layout, loaded.masters));
  PLM_TRY_STATUS(load_into(folder + "/optimizer.safetensors", "first.", layout, loaded.first_moments));
  PLM_TRY_STATUS(load_into(folder + "/optimizer.safetensors", "second.", layout, loaded.second_moments));
  return loaded;
}

CheckpointWriter::~CheckpointWriter() {
  if (thread_.joinable()) thread_.join();
}

Status CheckpointWriter::wait() {
  if (thread_.joinable()) thread_.join();
  if (auto error = std::exchange(error_, std::nullopt)) return *std::move(error);
  return {};
}

Status CheckpointWriter::begin(const TrainerState& state, const at::Tensor& masters,
                               const at::Tensor& first_moments, const at::Tensor& second_moments) {
  const Status before = wait();
  LoadedCheckpoint snapshot{state, masters.to(at::kCPU, /*non_blocking=*/false, /*copy=*/true),
                            first_moments.to(at::kCPU, false, true),
                            second_moments.to(at::kCPU, false, true)};
  thread_ = std::thread([this, snapshot = std::move(snapshot)] {
    if (const Status status = write(snapshot); !status.ok()) {
      error_ = status.error();
    } else {
      remove_old();
    }
  });
  return before;
}

Status CheckpointWriter::write(const LoadedCheckpoint& snapshot) const {
  const std::string name = fmt::format("{}{}", kPrefix, snapshot.state.step);
  const std::string unfinished = fmt::format("{}/.{}", options_.output_folder, name);
  const std::string folder = options_.output_folder + "/" + name;
  std::error_code error;
  fs::remove_all(unfinished, error);
  fs::create_directories(unfinished, error);
  if (error) return make_error(ErrorKind::io, "{}: cannot create: {}", unfinished, error.message());

  PLM_TRY_STATUS(
      write_parameters(unfinished + "/model.safetensors", layout_, {{"", snapshot.masters}}, StoredAs::f32));
  PLM_TRY_STATUS(write_parameters(unfinished + "/optimizer.safetensors", layout_,
                                  {{"first.", snapshot.first_moments}, {"second.", snapshot.second_moments}},
                                  StoredAs::f32));
  PLM_TRY_STATUS(write_text(unfinished + "/trainer_state.json", to_json(snapshot.state).dump(1)));
  PLM_TRY_STATUS(write_text(unfinished + "/settings.yaml", options_.texts.settings_yaml));
  PLM_TRY_STATUS(write_text(unfinished + "/config.json", options_.texts.config_json));
  Json files;
  for (const auto& entry : fs::directory_iterator(unfinished)) {
    const std::string file = entry.path().filename().string();
    PLM_TRY(files[file], describe_file(entry.path().string()));
  }

  // A run that goes on from an older checkpoint writes steps again.
  fs::remove(folder + "/" + kMarker, error);
  fs::remove_all(folder, error);
  fs::rename(unfinished, folder, error);
  if (error) return make_error(ErrorKind::io, "{}: cannot rename into place: {}", folder, error.message());
  PLM_TRY_STATUS(sync_folder(options_.output_folder));
  return write_text(folder + "/" + kMarker, Json{{"step", snapshot.state.step}, {"files", files}}.dump(1));
}

void CheckpointWriter::remove_old() const {
  const std::vector<std::string> whole = list_checkpoints(options_.output_folder);
  std::error_code error;  // what cannot be removed now is tried again after the next checkpoint
  for (size_t i = static_cast<size_t>(std::max<int64_t>(2, options_.keep)); i < whole.size(); ++i) {
    fs::remove(whole[i] + "/" + kMarker, error);
    fs::remove_all(whole[i], error);
  }
}

}  // namespace plm::train
