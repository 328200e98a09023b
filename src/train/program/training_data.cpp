#include "train/program/training_data.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "convert/tokenizer_folder.h"
#include "train/data/dataset_info.h"
#include "train/data/prepare.h"
#include "train/data/tokenizer_fingerprint.h"

namespace plm::train {
namespace {

namespace fs = std::filesystem;

// "stories.txt" of "texts/stories.txt", of letters that a folder may have; another one of the same name gets
// a number.
std::string source_name(const std::string& path, std::set<std::string>& used) {
  fs::path plain(path);
  if (!plain.has_filename()) plain = plain.parent_path();
  std::string name = plain.filename().string();
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0 && letter != '.' && letter != '-') letter = '_';
  }
  if (name.empty() || name.front() == '.') name.insert(0, "data");
  const std::string first = name;
  for (int i = 2; !used.insert(name).second; ++i) name = fmt::format("{}-{}", first, i);
  return name;
}

std::vector<TextSource> sources_of(const std::vector<std::string>& paths) {
  std::set<std::string> used;
  std::vector<TextSource> sources;
  for (const std::string& path : paths) sources.push_back({.name = source_name(path, used), .paths = {path}});
  return sources;
}

Result<std::vector<TextSource>> named_datasets(const Settings& settings) {
  std::vector<TextSource> sources;
  if (settings.dataset.empty()) return sources;
  PLM_TRY(const auto infos,
          find_datasets(settings.dataset_dir, fmt::format("{}", fmt::join(settings.dataset, ","))));
  for (const DatasetInfo& info : infos) {
    PLM_TRY(TextSource source, pretraining_source(info));
    sources.push_back(std::move(source));
  }
  return sources;
}

Result<std::vector<MixturePhase>> mixture_phases(const DataRequest& request,
                                                 const std::vector<NamedStream>& streams) {
  std::vector<MixturePhase> phases;
  if (request.settings.data_phases.empty()) return phases;
  const int64_t tokens_per_step = request.rows_per_step * request.settings.cutoff_len;
  // Only borders of the schedule are needed, so its end may be anything that holds them.
  const int64_t n_steps = request.settings.max_steps;
  for (const DataPhase& wanted : request.settings.data_phases) {
    MixturePhase phase;
    int64_t step = wanted.start_step;
    if (wanted.start_tokens >= 0) step = (wanted.start_tokens + tokens_per_step - 1) / tokens_per_step;
    if (!wanted.start_phase.empty()) {
      if (n_steps < 1)
        return make_error(ErrorKind::invalid_argument, "data_phases: start_phase needs max_steps");
      PLM_TRY(const auto options, schedule_options(request.settings, n_steps, tokens_per_step));
      PLM_TRY(const Schedule schedule, Schedule::create(options));
      bool found = false;
      for (const Phase part : {Phase::warmup, Phase::stable, Phase::decay, Phase::constant}) {
        if (wanted.start_phase != phase_name(part)) continue;
        found = true;
        step = schedule.first_step(part);
      }
      if (!found) {
        return make_error(ErrorKind::invalid_argument,
                          "data_phases: start_phase: found {}, expected warmup, stable, decay or constant",
                          wanted.start_phase);
      }
    }
    phase.first_row = step * request.rows_per_step;
    std::set<std::string> left;
    for (const auto& [name, weight] : wanted.weights) left.insert(name);
    for (const NamedStream& stream : streams) {
      const auto found = wanted.weights.find(stream.name);
      phase.weights.push_back(found == wanted.weights.end() ? 0 : found->second);
      left.erase(stream.name);
    }
    if (!left.empty())
      return make_error(ErrorKind::invalid_argument, "data_phases: weights: no source {}", *left.begin());
    phases.push_back(std::move(phase));
  }
  return phases;
}

Result<Dataset> prepare_folder(const DataRequest& request, const std::vector<TextSource>& sources,
                               const tokenizer::Tokenizer& tokenizer, Hash128 fingerprint,
                               const std::string& folder, double validation_share) {
  PrepareOptions options;
  options.folder = folder;
  options.validation_share = validation_share;
  options.tokenizer = &tokenizer;
  options.tokenizer_fingerprint = fingerprint;
  options.end_of_document = tokenizer.eos();
  options.n_threads = request.n_threads;
  options.split_seed = static_cast<uint64_t>(request.settings.seed);
  int64_t next_report = int64_t{64} << 20;
  options.progress = [&](const PrepareProgress& now) {
    if (now.text_bytes >= next_report) {
      request.say(fmt::format("tokenising: {} MB of text, {} tokens", now.text_bytes >> 20, now.tokens));
      next_report = now.text_bytes + (int64_t{64} << 20);
    }
    return !request.should_stop();
  };
  return prepare(sources, options);
}

Result<std::shared_ptr<const BatchSource>> open_rows(std::vector<NamedStream> streams,
                                                     PackedRowsOptions options) {
  PLM_TRY(auto rows, PackedRows::create(std::move(streams), std::move(options)));
  return std::shared_ptr<const BatchSource>(std::move(rows));
}

int64_t validation_bytes(const Dataset& dataset, DatasetPart DatasetSegment::* part) {
  int64_t bytes = 0;
  for (const DatasetSource& source : dataset.sources) bytes += source.total(part).text_bytes;
  return bytes;
}

}  // namespace

Result<TrainingData> open_training_data(const DataRequest& request) {
  const Settings& settings = request.settings;
  PLM_TRY(auto vocabulary, convert::read_tokenizer_folder(settings.model_name_or_path));
  const Hash128 fingerprint = tokenizer_fingerprint(vocabulary);
  PLM_TRY(auto tokenizer, tokenizer::Tokenizer::create(std::move(vocabulary)));
  TrainingData data;
  data.tokenizer = std::make_unique<tokenizer::Tokenizer>(std::move(tokenizer));

  std::vector<TextSource> sources = sources_of(settings.train_files);
  PLM_TRY(const auto named, named_datasets(settings));
  sources.insert(sources.end(), named.begin(), named.end());
  const std::string folder =
      settings.tokenized_path.empty() ? settings.output_dir + "/data" : settings.tokenized_path;
  PLM_TRY(const Dataset dataset, prepare_folder(request, sources, *data.tokenizer, fingerprint, folder,
                                                settings.eval_files.empty() ? settings.val_size : 0));
  PLM_TRY(auto streams, open_streams(dataset, DatasetSplit::training));
  PackedRowsOptions rows{
      .row_tokens = settings.cutoff_len,
      .seed = static_cast<uint64_t>(settings.seed),
      .attention = settings.neat_packing ? DocumentAttention::within : DocumentAttention::across,
      .padding_token = data.tokenizer->eos().value_or(0)};
  PLM_TRY(rows.phases, mixture_phases(request, streams));
  PLM_TRY(data.train_rows, open_rows(std::move(streams), rows));
  if (settings.eval_strategy == "no") return data;

  rows.order = RowOrder::sequential;
  rows.phases.clear();
  if (!settings.eval_files.empty()) {
    PLM_TRY(const Dataset eval, prepare_folder(request, sources_of(settings.eval_files), *data.tokenizer,
                                               fingerprint, folder + "-eval", 0));
    PLM_TRY(auto eval_streams, open_streams(eval, DatasetSplit::training));
    PLM_TRY(data.eval_rows, open_rows(std::move(eval_streams), rows));
    data.eval_text_bytes = validation_bytes(eval, &DatasetSegment::training);
  } else if (settings.val_size > 0) {
    PLM_TRY(auto eval_streams, open_streams(dataset, DatasetSplit::validation));
    std::erase_if(eval_streams, [](const NamedStream& stream) { return stream.tokens->n_tokens() == 0; });
    if (eval_streams.empty()) {
      return make_error(ErrorKind::invalid_argument, "val_size: found {}, no document fell into that share",
                        settings.val_size);
    }
    PLM_TRY(data.eval_rows, open_rows(std::move(eval_streams), rows));
    data.eval_text_bytes = validation_bytes(dataset, &DatasetSegment::validation);
  }
  return data;
}

int64_t count_steps(const Settings& settings, const BatchSource& train_rows, int64_t rows_per_step) {
  if (settings.max_steps > 0) return settings.max_steps;
  const double rows = settings.num_train_epochs * static_cast<double>(train_rows.rows_in_epoch());
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(rows / static_cast<double>(rows_per_step))));
}

}  // namespace plm::train
