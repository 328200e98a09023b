#include "train/data/dataset.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "train/data/token_shard.h"

namespace plm::train {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

std::string path_of(const Dataset& dataset, const std::string& file) {
  return (std::filesystem::path(dataset.folder) / file).string();
}

Json to_json(const DatasetPart& part) {
  return {{"file", part.file},
          {"documents", part.n_documents},
          {"tokens", part.n_tokens},
          {"text_bytes", part.text_bytes}};
}

// Throws nlohmann's exceptions; so do the functions below.
DatasetPart part_from(const Json& json) {
  return {.file = json.at("file"),
          .n_documents = json.at("documents"),
          .n_tokens = json.at("tokens"),
          .text_bytes = json.at("text_bytes")};
}

Json to_json(const DatasetSource& source) {
  Json json{{"name", source.name},
            {"format", source.format},
            {"max_documents", source.max_documents},
            {"duplicates", source.duplicates},
            {"bad_documents", source.bad_documents},
            {"inputs", Json::array()},
            {"segments", Json::array()}};
  for (const auto& input : source.inputs) {
    json["inputs"].push_back({{"path", input.path}, {"bytes", input.bytes}});
  }
  for (const auto& segment : source.segments) {
    json["segments"].push_back({{"documents_read", segment.documents_read},
                                {"digest", segment.digest},
                                {"training", to_json(segment.training)},
                                {"validation", to_json(segment.validation)}});
  }
  return json;
}

DatasetSource source_from(const Json& json) {
  DatasetSource source{.name = json.at("name"),
                       .format = json.at("format"),
                       .max_documents = json.at("max_documents"),
                       .inputs = {},
                       .segments = {},
                       .duplicates = json.at("duplicates"),
                       .bad_documents = json.at("bad_documents")};
  for (const auto& input : json.at("inputs")) source.inputs.push_back({input.at("path"), input.at("bytes")});
  for (const auto& segment : json.at("segments")) {
    source.segments.push_back({.documents_read = segment.at("documents_read"),
                               .digest = segment.at("digest"),
                               .training = part_from(segment.at("training")),
                               .validation = part_from(segment.at("validation"))});
  }
  return source;
}

}  // namespace

DatasetPart DatasetSource::total(DatasetPart DatasetSegment::* part) const {
  DatasetPart sum;
  for (const auto& segment : segments) {
    sum.n_documents += (segment.*part).n_documents;
    sum.n_tokens += (segment.*part).n_tokens;
    sum.text_bytes += (segment.*part).text_bytes;
  }
  return sum;
}

Result<Dataset> read_dataset(const std::string& folder) {
  Dataset dataset{.folder = folder, .settings = {}, .sources = {}};
  const std::string path = path_of(dataset, kDatasetFile);
  PLM_TRY(const MappedFile file, MappedFile::open(path));
  try {
    const auto* text = reinterpret_cast<const char*>(file.bytes().data());
    const auto json = Json::parse(text, text + file.bytes().size());
    if (json.at("version") != kVersion) {
      return make_error(ErrorKind::unsupported, "{}: version: found {}, this build reads version {}", path,
                        json.at("version").dump(), kVersion);
    }
    dataset.is_complete = json.at("complete");
    for (const auto& [key, value] : json.at("settings").items()) dataset.settings.emplace_back(key, value);
    for (const auto& source : json.at("sources")) dataset.sources.push_back(source_from(source));
  } catch (const nlohmann::json::exception& error) {
    return make_error(ErrorKind::bad_data, "{}: {}", path, error.what());
  }
  return dataset;
}

Status write_dataset(const Dataset& dataset) {
  Json json{{"version", kVersion},
            {"complete", dataset.is_complete},
            {"settings", Json::object()},
            {"sources", Json::array()}};
  for (const auto& [key, value] : dataset.settings) json["settings"][key] = value;
  for (const auto& source : dataset.sources) json["sources"].push_back(to_json(source));
  PLM_TRY(AtomicFile file, AtomicFile::create(path_of(dataset, kDatasetFile)));
  PLM_TRY_STATUS(file.write(json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"));
  return file.commit();
}

Result<std::vector<NamedStream>> open_streams(const Dataset& dataset, DatasetSplit split) {
  if (!dataset.is_complete) {
    return make_error(ErrorKind::bad_data, "{}: the preparation was interrupted: run it again to go on",
                      path_of(dataset, kDatasetFile));
  }
  std::vector<NamedStream> streams;
  for (const auto& source : dataset.sources) {
    std::vector<std::string> paths;
    std::vector<const DatasetPart*> parts;
    for (const auto& segment : source.segments) {
      const DatasetPart& part = split == DatasetSplit::training ? segment.training : segment.validation;
      if (part.file.empty()) continue;
      paths.push_back(path_of(dataset, part.file));
      parts.push_back(&part);
    }
    PLM_TRY(auto stream, ShardStream::open(paths));
    for (size_t i = 0; i < parts.size(); ++i) {
      const ShardHeader& header = stream->shards()[i].header();
      if (header.n_tokens != parts[i]->n_tokens || header.n_documents != parts[i]->n_documents) {
        return make_error(ErrorKind::bad_data, "{}: {} tokens in {} documents, {} lists {} in {}", paths[i],
                          header.n_tokens, header.n_documents, kDatasetFile, parts[i]->n_tokens,
                          parts[i]->n_documents);
      }
    }
    streams.push_back({source.name, std::move(stream)});
  }
  return streams;
}

Status verify_shards(const Dataset& dataset) {
  for (const auto& source : dataset.sources) {
    for (const auto& segment : source.segments) {
      for (const auto* part : {&segment.training, &segment.validation}) {
        if (part->file.empty()) continue;
        PLM_TRY(const TokenShard shard, TokenShard::open(path_of(dataset, part->file)));
        PLM_TRY_STATUS(shard.verify());
      }
    }
  }
  return {};
}

}  // namespace plm::train
