// Settings back to YAML, the list of keys, and the schedule they ask for.
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "train/setup/setting_keys.h"
#include "train/setup/settings.h"

namespace plm::train {
namespace {

void write(YAML::Emitter& out, const std::string& value) { out << YAML::DoubleQuoted << value; }
void write(YAML::Emitter& out, int64_t value) { out << value; }
void write(YAML::Emitter& out, bool value) { out << (value ? "true" : "false"); }
void write(YAML::Emitter& out, double value) { out << fmt::format("{}", value); }
void write(YAML::Emitter& out, const std::vector<std::string>& values) {
  out << YAML::Flow << YAML::BeginSeq;
  for (const std::string& value : values) write(out, value);
  out << YAML::EndSeq;
}
void write(YAML::Emitter& out, const std::map<std::string, std::string>& values) {
  out << YAML::Flow << YAML::BeginMap;
  for (const auto& [name, value] : values) out << YAML::Key << name << YAML::Value << value;
  out << YAML::EndMap;
}
void write(YAML::Emitter& out, const std::vector<DataPhase>& phases) {
  out << YAML::BeginSeq;
  for (const DataPhase& phase : phases) {
    out << YAML::Flow << YAML::BeginMap;
    if (phase.start_step >= 0) out << YAML::Key << "start_step" << YAML::Value << phase.start_step;
    if (phase.start_tokens >= 0) out << YAML::Key << "start_tokens" << YAML::Value << phase.start_tokens;
    if (!phase.start_phase.empty()) out << YAML::Key << "start_phase" << YAML::Value << phase.start_phase;
    out << YAML::Key << "weights" << YAML::Value << YAML::BeginMap;
    for (const auto& [source, weight] : phase.weights) {
      out << YAML::Key << YAML::DoubleQuoted << source << YAML::Value << fmt::format("{}", weight);
    }
    out << YAML::EndMap << YAML::EndMap;
  }
  out << YAML::EndSeq;
}

// The arguments of the schedule: each may be asked for once, and none may be left over.
class Arguments {
 public:
  explicit Arguments(std::map<std::string, std::string> left) : left_(std::move(left)) {}

  Status number(const std::string& name, double& out) {
    const auto found = left_.extract(name);
    if (found.empty()) return {};
    const std::string& text = found.mapped();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error == std::errc() && end == text.data() + text.size() && std::isfinite(out)) return {};
    return make_error(ErrorKind::invalid_argument, "lr_scheduler_kwargs.{}: found {}, expected a number",
                      name, text);
  }
  // name_steps, or name_tokens rounded up to steps.
  Status steps(const std::string& name, int64_t tokens_per_step, int64_t& out) {
    double in_steps = -1;
    double in_tokens = -1;
    PLM_TRY_STATUS(number(name + "_steps", in_steps));
    PLM_TRY_STATUS(number(name + "_tokens", in_tokens));
    if (in_tokens >= 0) in_steps = std::ceil(in_tokens / static_cast<double>(tokens_per_step));
    if (in_steps >= 0 && in_steps < 0x1p53) out = static_cast<int64_t>(in_steps);
    return {};
  }
  std::optional<std::string> word(const std::string& name) {
    const auto found = left_.extract(name);
    return found.empty() ? std::nullopt : std::optional(found.mapped());
  }
  Status none_left() const {
    if (left_.empty()) return {};
    return make_error(ErrorKind::invalid_argument, "lr_scheduler_kwargs.{}: no such key",
                      left_.begin()->first);
  }

 private:
  std::map<std::string, std::string> left_;
};

}  // namespace

std::string to_yaml(const Settings& settings) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  for_each_key([&](const SettingKey& key, auto member) {
    out << YAML::Key << key.name << YAML::Value;
    write(out, settings.*member);
  });
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

std::string describe_keys() {
  const Settings defaults;
  std::string text;
  for_each_key([&](const SettingKey& key, auto member) {
    YAML::Emitter value;
    write(value, defaults.*member);
    text += fmt::format("  {:<29} {:<20} {}\n", key.name, value.c_str(), key.help);
  });
  return text;
}

Result<ScheduleOptions> schedule_options(const Settings& settings, int64_t n_steps, int64_t tokens_per_step) {
  ScheduleOptions options;
  PLM_TRY(options.type, schedule_type_from_name(settings.lr_scheduler_type));
  options.peak = settings.learning_rate;
  options.n_steps = n_steps;
  options.warmup =
      settings.warmup_steps > 0
          ? settings.warmup_steps
          : static_cast<int64_t>(std::ceil(settings.warmup_ratio * static_cast<double>(n_steps)));
  Arguments arguments(settings.lr_scheduler_kwargs);
  PLM_TRY_STATUS(arguments.steps("num_warmup", tokens_per_step, options.warmup));
  PLM_TRY_STATUS(arguments.steps("num_stable", tokens_per_step, options.stable));
  PLM_TRY_STATUS(arguments.steps("num_decay", tokens_per_step, options.decay));
  PLM_TRY_STATUS(arguments.number("min_lr_rate", options.floor_ratio));  // the name of transformers
  PLM_TRY_STATUS(arguments.number("min_lr_ratio", options.floor_ratio));
  PLM_TRY_STATUS(arguments.number("num_cycles", options.n_cycles));
  PLM_TRY_STATUS(arguments.number("power", options.power));
  PLM_TRY_STATUS(arguments.number("lr_end", options.polynomial_end));
  PLM_TRY_STATUS(arguments.number("timescale", options.timescale));
  double floor = -1;
  PLM_TRY_STATUS(arguments.number("min_lr", floor));
  if (floor >= 0) options.floor_ratio = floor / options.peak;
  if (const auto shape = arguments.word("decay_type")) {
    PLM_TRY(options.shape, decay_shape_from_name(*shape));
  }
  PLM_TRY_STATUS(arguments.none_left());
  return options;
}

}  // namespace plm::train
