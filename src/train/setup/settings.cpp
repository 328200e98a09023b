#include "train/setup/settings.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "base/mapped_file.h"
#include "train/setup/setting_keys.h"

namespace plm::train {
namespace {

Error wrong(std::string_view key, std::string_view found, std::string_view expected) {
  return make_error(ErrorKind::invalid_argument, "{}: found {}, expected {}", key, found, expected);
}

std::string shown(const YAML::Node& node) {
  YAML::Emitter out;
  out << YAML::Flow << node;
  return out.c_str();
}

// Numbers as YAML 1.2 and Python write them: 3.0e-3, 1e-3, 100000.
std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

Status read_value(std::string_view key, const YAML::Node& node, std::string& out) {
  if (!node.IsScalar()) return wrong(key, shown(node), "one value");
  out = node.Scalar();
  return {};
}

Status read_value(std::string_view key, const YAML::Node& node, double& out) {
  const auto value = node.IsScalar() ? number(node.Scalar()) : std::nullopt;
  if (!value) return wrong(key, shown(node), "a number");
  out = *value;
  return {};
}

Status read_value(std::string_view key, const YAML::Node& node, int64_t& out) {
  double value = 0;
  // Two to the 53: beyond it not every whole number is a double.
  if (!read_value(key, node, value).ok() || value != std::floor(value) || std::abs(value) > 0x1p53) {
    return wrong(key, shown(node), "a whole number");
  }
  out = static_cast<int64_t>(value);
  return {};
}

Status read_value(std::string_view key, const YAML::Node& node, bool& out) {
  const std::string text = node.IsScalar() ? node.Scalar() : "";
  if (text != "true" && text != "false") return wrong(key, shown(node), "true or false");
  out = text == "true";
  return {};
}

// A list, or one value, or names with commas between.
Status read_value(std::string_view key, const YAML::Node& node, std::vector<std::string>& out) {
  out.clear();
  if (node.IsNull()) return {};
  if (node.IsSequence()) {
    for (const YAML::Node& item : node) {
      if (!item.IsScalar()) return wrong(key, shown(item), "a list of names");
      out.push_back(item.Scalar());
    }
    return {};
  }
  if (!node.IsScalar()) return wrong(key, shown(node), "a list of names");
  std::string rest = node.Scalar();
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const size_t begin = std::min(rest.find_first_not_of(' '), comma);
    out.push_back(rest.substr(begin, comma - begin));
    rest.erase(0, comma + 1);
  }
  return {};
}

Status read_value(std::string_view key, const YAML::Node& node, std::map<std::string, std::string>& out) {
  if (node.IsNull()) return {};
  if (!node.IsMap()) return wrong(key, shown(node), "a map");
  for (const auto& entry : node) {
    if (!entry.second.IsScalar()) return wrong(key, shown(entry.second), "one value for each name");
    out[entry.first.Scalar()] = entry.second.Scalar();
  }
  return {};
}

Status read_value(std::string_view key, const YAML::Node& node, DataPhase& phase) {
  if (!node.IsMap())
    return wrong(key, shown(node), "a map of start_step, start_tokens or start_phase, and weights");
  int n_starts = 0;
  for (const auto& entry : node) {
    const std::string name = entry.first.Scalar();
    const std::string where = fmt::format("{}.{}", key, name);
    if (name.starts_with("start_")) ++n_starts;
    if (name == "start_step") {
      PLM_TRY_STATUS(read_value(where, entry.second, phase.start_step));
    } else if (name == "start_tokens") {
      PLM_TRY_STATUS(read_value(where, entry.second, phase.start_tokens));
    } else if (name == "start_phase") {
      PLM_TRY_STATUS(read_value(where, entry.second, phase.start_phase));
    } else if (name == "weights" && entry.second.IsMap()) {
      for (const auto& weight : entry.second) {
        PLM_TRY_STATUS(read_value(where, weight.second, phase.weights[weight.first.Scalar()]));
      }
    } else {
      return wrong(where, shown(entry.second), "start_step, start_tokens, start_phase or a map of weights");
    }
  }
  if (n_starts != 1)
    return wrong(key, shown(node), "exactly one of start_step, start_tokens and start_phase");
  if (phase.weights.empty()) return wrong(key, shown(node), "weights of the sources");
  return {};
}

Status read_value(std::string_view key, const YAML::Node& node, std::vector<DataPhase>& out) {
  if (node.IsNull()) return {};
  if (!node.IsSequence()) return wrong(key, shown(node), "a list");
  for (const YAML::Node& item : node) {
    out.emplace_back();
    PLM_TRY_STATUS(read_value(fmt::format("{}[{}]", key, out.size() - 1), item, out.back()));
  }
  return {};
}

// How many letters to change, add or drop to turn one word into the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({changed, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

Error unknown_key(const std::string& key) {
  std::string best;
  size_t best_distance = key.size() / 2;
  for_each_key([&](const SettingKey& known, auto) {
    if (const size_t distance = edit_distance(key, known.name); distance < best_distance) {
      best_distance = distance;
      best = known.name;
    }
  });
  return make_error(ErrorKind::invalid_argument, "{}: no such key{}", key,
                    best.empty() ? std::string() : fmt::format("; did you mean {}?", best));
}

Status read_key(const std::string& key, const YAML::Node& node, Settings& settings) {
  Status status;
  bool found = false;
  for_each_key([&](const SettingKey& known, auto member) {
    if (key != known.name) return;
    found = true;
    if (node.IsNull()) return;  // the default stays
    status = read_value(key, node, settings.*member);
  });
  if (found) return status;
  for (const IgnoredKey& ignored : kIgnoredKeys) {
    if (key == ignored.name) {
      settings.notes.push_back(fmt::format("{}: accepted, no effect here ({})", key, ignored.why));
      return {};
    }
  }
  for (const RefusedKey& refused : kRefusedKeys) {
    if (key != refused.name) continue;
    if (node.IsNull() || (node.IsScalar() && node.Scalar() == refused.harmless_value)) return {};
    return make_error(ErrorKind::unsupported, "{}: found {}: {}", key, shown(node), refused.why);
  }
  return unknown_key(key);
}

// "a.b=c" into the tree of nodes.
Status apply_override(const std::string& text, YAML::Node& root) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) return wrong("override", text, "KEY=VALUE");
  const std::string key = text.substr(0, equals);
  const YAML::Node value = YAML::Load(text.substr(equals + 1));
  const size_t dot = key.find('.');
  if (dot == std::string::npos) {
    root[key] = value;
    return {};
  }
  YAML::Node inner = root[key.substr(0, dot)];
  if (inner.IsDefined() && !inner.IsNull() && !inner.IsMap()) return wrong(key, shown(inner), "a map");
  root[key.substr(0, dot)][key.substr(dot + 1)] = value;
  return {};
}

Status one_of(std::string_view key, const std::string& found, const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), found) != allowed.end()) return {};
  return wrong(key, found, fmt::format("one of {}", fmt::join(allowed, ", ")));
}

Status at_least(std::string_view key, double found, double least) {
  return found >= least ? Status() : wrong(key, fmt::format("{}", found), fmt::format("at least {}", least));
}

Status check(const Settings& s) {
  if (s.model_name_or_path.empty())
    return wrong("model_name_or_path", "nothing", "a folder with config.json");
  if (s.output_dir.empty()) return wrong("output_dir", "nothing", "a folder");
  if (s.train_files.empty() && s.dataset.empty())
    return wrong("train_files", "nothing", "files, or a dataset");
  PLM_TRY_STATUS(one_of("stage", s.stage, {"pt"}));
  PLM_TRY_STATUS(one_of("finetuning_type", s.finetuning_type, {"full"}));
  PLM_TRY_STATUS(one_of("optim", s.optim, {"adamw_torch", "adamw_torch_fused"}));
  PLM_TRY_STATUS(one_of("eval_strategy", s.eval_strategy, {"no", "steps"}));
  PLM_TRY_STATUS(one_of("report_to", s.report_to, {"none", "tensorboard", "all"}));
  PLM_TRY_STATUS(one_of("device", s.device, {"auto", "cpu", "cuda"}));
  for (const std::string& format : s.export_formats) PLM_TRY_STATUS(one_of("export", format, {"hf", "gguf"}));
  PLM_TRY_STATUS(at_least("cutoff_len", static_cast<double>(s.cutoff_len), 1));
  PLM_TRY_STATUS(
      at_least("per_device_train_batch_size", static_cast<double>(s.per_device_train_batch_size), 1));
  PLM_TRY_STATUS(
      at_least("per_device_eval_batch_size", static_cast<double>(s.per_device_eval_batch_size), 1));
  PLM_TRY_STATUS(
      at_least("gradient_accumulation_steps", static_cast<double>(s.gradient_accumulation_steps), 1));
  PLM_TRY_STATUS(at_least("logging_steps", static_cast<double>(s.logging_steps), 1));
  PLM_TRY_STATUS(at_least("save_steps", static_cast<double>(s.save_steps), 1));
  PLM_TRY_STATUS(at_least("save_total_limit", static_cast<double>(s.save_total_limit), 1));
  PLM_TRY_STATUS(at_least("max_grad_norm", s.max_grad_norm, 0));
  PLM_TRY_STATUS(at_least("weight_decay", s.weight_decay, 0));
  PLM_TRY_STATUS(at_least("sparsity_penalty", s.sparsity_penalty, 0));
  PLM_TRY_STATUS(at_least("val_size", s.val_size, 0));
  if (s.val_size >= 1) return wrong("val_size", fmt::format("{}", s.val_size), "a share below 1");
  if (s.adam_beta1 < 0 || s.adam_beta1 >= 1)
    return wrong("adam_beta1", fmt::format("{}", s.adam_beta1), "0 to 1");
  if (s.adam_beta2 < 0 || s.adam_beta2 >= 1)
    return wrong("adam_beta2", fmt::format("{}", s.adam_beta2), "0 to 1");
  if (s.zero_stage < 0 || s.zero_stage > 1)
    return wrong("zero_stage", fmt::format("{}", s.zero_stage), "0 or 1");
  return {};
}

Result<Settings> parse(const std::string& yaml, const std::vector<std::string>& overrides) {
  YAML::Node root = YAML::Load(yaml);
  if (root.IsNull()) root = YAML::Node(YAML::NodeType::Map);
  if (!root.IsMap()) return wrong("the file", "something else", "key: value lines");
  for (const std::string& text : overrides) PLM_TRY_STATUS(apply_override(text, root));
  Settings settings;
  std::set<std::string> seen;
  for (const auto& entry : root) {
    const std::string key = entry.first.Scalar();
    if (!seen.insert(key).second) return wrong(key, "it twice", "each key once");
    PLM_TRY_STATUS(read_key(key, entry.second, settings));
  }
  PLM_TRY_STATUS(check(settings));
  return settings;
}

}  // namespace

Result<Settings> parse_settings(const std::string& yaml, const std::string& name,
                                const std::vector<std::string>& overrides) {
  try {
    auto settings = parse(yaml, overrides);
    if (!settings) return settings.error().with_context(name);
    return settings;
  } catch (const YAML::Exception& error) {
    return make_error(ErrorKind::bad_data, "{}: line {}: {}", name, error.mark.line + 1, error.msg);
  }
}

Result<Settings> read_settings(const std::string& path, const std::vector<std::string>& overrides) {
  PLM_TRY(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  return parse_settings(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), path,
                        overrides);
}

}  // namespace plm::train
