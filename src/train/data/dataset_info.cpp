#include "train/data/dataset_info.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/mapped_file.h"

namespace plm::train {

namespace {

using Json = nlohmann::json;

Status read_names(const Json& entry, const char* key, std::map<std::string, std::string>& names) {
  const auto found = entry.find(key);
  if (found == entry.end()) return {};
  if (!found->is_object()) {
    return make_error(ErrorKind::bad_data, "{}: found {}, expected an object", key, found->type_name());
  }
  for (const auto& [name, value] : found->items()) {
    if (value.is_null()) continue;
    if (!value.is_string()) {
      return make_error(ErrorKind::bad_data, "{}.{}: found {}, expected a string", key, name,
                        value.type_name());
    }
    names[name] = value.get<std::string>();
  }
  return {};
}

Status check_keys(const Json& entry) {
  static const std::set<std::string> kKnown = {"file_name", "formatting", "ranking", "num_samples", "columns",
                                               "tags",      "subset",     "split",   "folder"};
  static const std::set<std::string> kRemote = {"hf_hub_url", "ms_hub_url", "om_hub_url", "script_url",
                                                "cloud_file_name"};
  for (const auto& [key, value] : entry.items()) {
    if (kRemote.contains(key) && !entry.contains("file_name")) {
      return make_error(ErrorKind::unsupported,
                        "{}: data of a hub are not fetched; download them and give file_name", key);
    }
    if (!kKnown.contains(key) && !kRemote.contains(key)) {
      return make_error(ErrorKind::bad_data, "unknown key {}", key);
    }
  }
  return {};
}

// Throws nlohmann's exceptions on values of a wrong type.
Result<DatasetInfo> read_entry(const std::string& folder, const std::string& name, const Json& entry) {
  if (!entry.is_object()) return make_error(ErrorKind::bad_data, "expected an object");
  PLM_TRY_STATUS(check_keys(entry));
  DatasetInfo info{.name = name, .path = {}, .columns = {}, .tags = {}};
  if (!entry.contains("file_name")) return make_error(ErrorKind::bad_data, "file_name: missing");
  info.path = (std::filesystem::path(folder) / entry["file_name"].get<std::string>()).string();
  const std::string formatting = entry.value("formatting", "alpaca");
  if (formatting != "alpaca" && formatting != "sharegpt") {
    return make_error(ErrorKind::unsupported, "formatting: found \"{}\", expected alpaca or sharegpt",
                      formatting);
  }
  info.formatting =
      formatting == "alpaca" ? DatasetInfo::Formatting::alpaca : DatasetInfo::Formatting::sharegpt;
  info.has_ranking = entry.value("ranking", false);
  if (const auto samples = entry.find("num_samples"); samples != entry.end() && !samples->is_null()) {
    if (!samples->is_number_integer() || samples->get<int64_t>() < 1) {
      return make_error(ErrorKind::bad_data, "num_samples: found {}, expected a whole number from 1",
                        samples->dump());
    }
    info.n_samples = samples->get<int64_t>();
  }
  PLM_TRY_STATUS(read_names(entry, "columns", info.columns));
  PLM_TRY_STATUS(read_names(entry, "tags", info.tags));
  return info;
}

std::vector<std::string> split_names(const std::string& names) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    const size_t first = names.find_first_not_of(" \t", begin);
    if (first < end) {
      const size_t last = names.find_last_not_of(" \t", end - 1);
      parts.push_back(names.substr(first, last - first + 1));
    }
    begin = end + 1;
  }
  return parts;
}

}  // namespace

Result<std::vector<DatasetInfo>> find_datasets(const std::string& folder, const std::string& names) {
  const std::string path = (std::filesystem::path(folder) / "dataset_info.json").string();
  PLM_TRY(const MappedFile file, MappedFile::open(path));
  std::vector<DatasetInfo> datasets;
  std::string name;
  try {
    const auto* text = reinterpret_cast<const char*>(file.bytes().data());
    const auto all = Json::parse(text, text + file.bytes().size());
    if (!all.is_object()) {
      return make_error(ErrorKind::bad_data, "{}: found {}, expected an object", path, all.type_name());
    }
    const auto wanted = split_names(names);
    if (wanted.empty()) return make_error(ErrorKind::invalid_argument, "no name of a dataset given");
    for (const std::string& one : wanted) {
      name = one;
      if (!all.contains(name)) {
        std::vector<std::string> known;
        for (const auto& [key, value] : all.items()) known.push_back(key);
        return make_error(ErrorKind::not_found, "{}: no dataset {}; there are {}", path, name,
                          fmt::join(known, ", "));
      }
      auto info = read_entry(folder, name, all[name]);
      if (!info.ok()) return info.error().with_context(fmt::format("{}: {}", path, name));
      datasets.push_back(*std::move(info));
    }
  } catch (const Json::exception& error) {
    return make_error(ErrorKind::bad_data, "{}:{} {}", path, name.empty() ? "" : " " + name + ":",
                      error.what());
  }
  return datasets;
}

Result<TextSource> pretraining_source(const DatasetInfo& info) {
  if (info.formatting != DatasetInfo::Formatting::alpaca || info.has_ranking) {
    return make_error(ErrorKind::unsupported,
                      "dataset {}: holds {}, which pretraining does not read: it needs a column of text",
                      info.name, info.has_ranking ? "ranked answers" : "conversations");
  }
  const auto prompt = info.columns.find("prompt");
  return TextSource{.name = info.name,
                    .paths = {info.path},
                    .format = {.unit = TextUnit::line,
                               .column = prompt == info.columns.end() ? "instruction" : prompt->second},
                    .max_documents = info.n_samples};
}

}  // namespace plm::train
