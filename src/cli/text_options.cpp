#include "cli/text_options.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "base/thread_pool.h"
#include "cli/command.h"
#include "train/data/dataset_info.h"

namespace plm::cli {

namespace {

// "books=path" is a name and a path, unless a file is called so.
std::pair<std::string, std::string> split_input(const std::string& input) {
  const size_t equals = input.find('=');
  std::error_code error;
  if (equals == std::string::npos || equals == 0 || input.find('/') < equals ||
      std::filesystem::exists(input, error)) {
    return {"text", input};
  }
  return {input.substr(0, equals), input.substr(equals + 1)};
}

}  // namespace

void TextOptions::add_to(CLI::App& app) {
  using train::TextUnit;
  static const std::map<std::string, TextUnit> kUnits = {
      {"file", TextUnit::file}, {"line", TextUnit::line}, {"paragraph", TextUnit::paragraph}};
  n_threads_ = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  app.add_option(
         "inputs", inputs_,
         "files and folders: .txt .md .json .jsonl, also .gz and .zst; NAME=PATH for sources of their own")
      ->type_name("[NAME=]PATH");
  app.add_option("--dataset", dataset_, "names from dataset_info.json, with commas between them")
      ->type_name("NAMES");
  app.add_option("--dataset-dir", dataset_folder_, "folder of dataset_info.json")
      ->type_name("FOLDER")
      ->capture_default_str();
  app.add_option("--text-unit", format_.unit,
                 "what a document is in a text file: file (up to lines of the separator), line, paragraph")
      ->transform(CLI::CheckedTransformer(kUnits).description(""))
      ->type_name("UNIT")
      ->default_str("file");
  app.add_option("--separator", format_.separator, "line that ends a document of --text-unit file")
      ->type_name("TEXT")
      ->capture_default_str();
  app.add_option("--column", format_.column, "field of JSON objects that holds the text")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--max-samples", max_samples_, "only the first documents of each source (0: all)")
      ->check(within<int64_t>(0, INT64_MAX))
      ->type_name("N");
  app.add_flag("--skip-bad", skip_bad_,
               "leave out documents of bad JSON or invalid UTF-8; otherwise the first one ends the work");
  app.add_option("-t,--threads", n_threads_, "threads (default: as many as the machine has)")
      ->check(within(1, ThreadPool::kMaxThreads))
      ->type_name("N");
}

train::PrepareOptions::BadDocuments TextOptions::bad_documents() const {
  using enum train::PrepareOptions::BadDocuments;
  return skip_bad_ ? skip : refuse;
}

Result<std::vector<train::TextSource>> TextOptions::sources() const {
  std::vector<train::TextSource> sources;
  if (!dataset_.empty()) {
    PLM_TRY(const auto datasets, train::find_datasets(dataset_folder_, dataset_));
    for (const auto& dataset : datasets) {
      PLM_TRY(auto source, train::pretraining_source(dataset));
      sources.push_back(std::move(source));
    }
  }
  for (const auto& input : inputs_) {
    const auto [name, path] = split_input(input);
    const auto found = std::find_if(sources.begin(), sources.end(),
                                    [&wanted = name](const auto& source) { return source.name == wanted; });
    if (found != sources.end()) {
      found->paths.push_back(path);
    } else {
      sources.push_back({.name = name, .paths = {path}, .format = format_});
    }
  }
  if (sources.empty()) {
    return make_error(ErrorKind::invalid_argument, "no text given: name files or folders, or a --dataset");
  }
  for (auto& source : sources) {
    if (max_samples_ > 0) source.max_documents = max_samples_;
  }
  return sources;
}

}  // namespace plm::cli
