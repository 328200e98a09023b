#include "cli/inspect_activations.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "cli/chunk_scores.h"
#include "cli/output.h"
#include "runtime/log_probability.h"

namespace plm::cli {

using inspect::LayerFiring;
using inspect::ModelSummary;

namespace {

constexpr double kHotFrom = 0.5;  // of tokens, from which a neuron is called hot
constexpr std::array kAllowances = {0.001, 0.01, 0.05};
constexpr double kPlottedUpTo = 1.5;  // times the perplexity with nothing dropped

// Nats of each scored token.
Result<std::vector<double>> score(runtime::Engine& engine, runtime::Session& session, const ChunkedText& text,
                                  int64_t batch_size, std::string_view what) {
  std::vector<double> nats;
  RunningMean mean;
  const ChunkVisitor visitor{
      .row =
          [&](const ScoredRow& row) {
            nats.push_back(runtime::log_sum_exp(row.logits) -
                           double{row.logits[static_cast<size_t>(row.token)]});
            mean.add(nats.back());
            return Status();
          },
      .chunk_done =
          [&](int64_t n) {
            if (n == text.n_chunks) talk("plm inspect: {}: perplexity {:.4f}", what, std::exp(mean.mean()));
          },
  };
  PLM_TRY_STATUS(score_chunks(engine, session, text, batch_size, visitor));
  return nats;
}

Prediction prediction(const std::vector<double>& nats, const std::vector<double>& undropped) {
  RunningMean surprise, change;
  for (size_t i = 0; i < nats.size(); ++i) {
    surprise.add(nats[i]);
    change.add(nats[i] - undropped[i]);
  }
  Prediction result{.perplexity = std::exp(surprise.mean()), .ratio = std::exp(change.mean())};
  result.error = result.perplexity * surprise.standard_error();
  result.ratio_error = result.ratio * change.standard_error();
  return result;
}

std::vector<float> thresholds_of(const DropRule& rule, const std::vector<LayerFiring>& layers) {
  std::vector<float> thresholds;
  for (const LayerFiring& layer : layers) {
    thresholds.push_back(rule.kind == DropRule::Kind::threshold ? static_cast<float>(rule.value)
                                                                : layer.threshold_keeping(rule.value / 100));
  }
  return thresholds;
}

double zero_rate_of(const model::Model& model) {
  const model::SparsityCounts& counts = model.sparsity();
  double live = 0;
  for (const int64_t n : counts.live_of_layer) live += static_cast<double>(n);
  return 1.0 - live / (static_cast<double>(counts.n_tokens) * static_cast<double>(model.config().ffn_width) *
                       static_cast<double>(counts.live_of_layer.size()));
}

std::string rule_text(const DropRule& rule) {
  return rule.kind == DropRule::Kind::threshold ? fmt::format("above {:g}", rule.value)
                                                : fmt::format("largest {:g} %", rule.value);
}

}  // namespace

Result<std::vector<double>> read_numbers(std::string_view option, std::string_view text, double most) {
  std::vector<double> numbers;
  for (std::string_view left = text;;) {
    const size_t comma = left.find(',');
    const std::string_view part = left.substr(0, comma);
    double value = 0;
    const auto [rest, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || rest != part.data() + part.size() || !(value >= 0 && value <= most)) {
      return make_error(ErrorKind::invalid_argument, "{} {}: expected numbers from 0 to {:g}, as 0,0.5,2",
                        option, text, most);
    }
    numbers.push_back(value);
    if (comma == std::string_view::npos) return numbers;
    left.remove_prefix(comma + 1);
  }
}

double ActivationReport::zero_rate() const {
  double sum = 0;
  for (const LayerFiring& layer : layers) sum += layer.zero_rate();
  return sum / static_cast<double>(layers.size());
}

const SweepRow* ActivationReport::least_within(double allowed) const {
  const SweepRow* best = nullptr;
  for (const SweepRow& row : sweep) {
    if (row.prediction.ratio > 1 + allowed) continue;
    if (best == nullptr || row.zero_rate > best->zero_rate) best = &row;
  }
  return best;
}

Result<ActivationReport> measure_activations(runtime::Engine& engine, std::string_view text,
                                             const ActivationOptions& options) {
  PLM_TRY(auto session, engine.new_session());
  PLM_TRY(const ChunkedText chunks,
          chunk_text(engine.tokenizer(), text, session.capacity(), options.max_chunks));
  if (engine.model().sparsity().live_of_layer.empty()) {
    return make_error(ErrorKind::unsupported,
                      "{}: architecture {}: its feed-forward has no squared ReLU, so nothing in it is zero",
                      engine.file().path(), engine.config().architecture);
  }
  ActivationReport report{.text_name = options.text_name,
                          .n_chunks = chunks.n_chunks,
                          .n_context = chunks.n_context,
                          .layers = {},
                          .sweep = {}};
  talk("plm inspect: {} chunks of {} tokens", chunks.n_chunks, chunks.n_context);
  inspect::FiringCounter counter;
  session.set_trace(&counter.trace());
  PLM_TRY(std::vector<double> nats, score(engine, session, chunks, options.batch_size, "counting"));
  session.set_trace(nullptr);
  report.layers.assign(counter.layers().begin(), counter.layers().end());
  report.n_tokens = report.layers.front().n_tokens;
  report.n_scored = std::ssize(nats);
  if (options.rules.empty()) return report;

  // Nothing dropped, and not looked at either: what plm perplexity says.
  std::vector<DropRule> rules = {{.kind = DropRule::Kind::threshold, .value = 0}};
  rules.insert(rules.end(), options.rules.begin(), options.rules.end());
  std::vector<double> undropped;
  for (const DropRule& rule : rules) {
    session.set_live_above(thresholds_of(rule, report.layers));
    engine.model().clear_sparsity();
    PLM_TRY(nats, score(engine, session, chunks, options.batch_size, rule_text(rule)));
    if (undropped.empty()) undropped = nats;
    report.sweep.push_back(
        {.rule = rule, .zero_rate = zero_rate_of(engine.model()), .prediction = prediction(nats, undropped)});
  }
  return report;
}

namespace {

std::string sweep_text(const ActivationReport& report, const ModelSummary& summary) {
  std::string text = fmt::format("\n{:<16}{:>8}{:>16}{:>18}{:>22}{:>20}\n", "squared ReLUs", "zeros",
                                 "activated", "without ffn_up", "perplexity", "ratio");
  for (const SweepRow& row : report.sweep) {
    text += fmt::format("{:<16}{:>6.2f} %{:>16}{:>18}{:>22}{:>20}\n", rule_text(row.rule),
                        100 * row.zero_rate, summary.activated_parameters(row.zero_rate),
                        summary.activated_parameters_with_up(row.zero_rate),
                        fmt::format("{:.4f} +/- {:.4f}", row.prediction.perplexity, row.prediction.error),
                        fmt::format("{:.4f} +/- {:.4f}", row.prediction.ratio, row.prediction.ratio_error));
  }
  text += "\nfewest activated parameters of those tried\n";
  for (const double allowed : kAllowances) {
    const SweepRow* row = report.least_within(allowed);
    text += fmt::format("  perplexity at most {:.1f} % higher: {} ({} without ffn_up), {}\n", 100 * allowed,
                        summary.activated_parameters(row->zero_rate),
                        summary.activated_parameters_with_up(row->zero_rate), rule_text(row->rule));
  }
  return text;
}

Json row_json(const SweepRow& row, const ModelSummary& summary) {
  return Json{{"rule", row.rule.kind == DropRule::Kind::threshold ? "threshold" : "keep_percent"},
              {"value", row.rule.value},
              {"zero_rate", row.zero_rate},
              {"activated_parameters", summary.activated_parameters(row.zero_rate)},
              {"activated_parameters_with_up", summary.activated_parameters_with_up(row.zero_rate)},
              {"activated_bytes_per_token", summary.activated_bytes(row.zero_rate)},
              {"perplexity", row.prediction.perplexity},
              {"perplexity_error", row.prediction.error},
              {"ratio", row.prediction.ratio},
              {"ratio_error", row.prediction.ratio_error}};
}

}  // namespace

std::string activations_text(const ActivationReport& report, const ModelSummary& summary) {
  const double zeros = report.zero_rate();
  std::string text = fmt::format("\nsquared ReLUs over {}: {} tokens in {} chunks of {}\n", report.text_name,
                                 report.n_tokens, report.n_chunks, report.n_context);
  text +=
      fmt::format("  {:>5}{:>10}{:>16}{:>24}\n", "layer", "zeros", "never firing", "firing > half of time");
  for (size_t i = 0; i < report.layers.size(); ++i) {
    const LayerFiring& layer = report.layers[i];
    text += fmt::format("  {:>5}{:>8.2f} %{:>14.2f} %{:>22.2f} %\n", i, 100 * layer.zero_rate(),
                        100 * layer.share_never_firing(), 100 * layer.share_firing_above(kHotFrom));
  }
  text += fmt::format("  {:>5}{:>8.2f} %\n", "mean", 100 * zeros);
  return report.sweep.empty() ? text : text + sweep_text(report, summary);
}

Json activations_json(const ActivationReport& report, const ModelSummary& summary) {
  Json json{{"text", report.text_name},         {"tokens", report.n_tokens},
            {"chunks", report.n_chunks},        {"context", report.n_context},
            {"tokens_scored", report.n_scored}, {"zero_rate", report.zero_rate()},
            {"layers", Json::array()}};
  for (const LayerFiring& layer : report.layers) {
    json["layers"].push_back(Json{{"zero_rate", layer.zero_rate()},
                                  {"share_never_firing", layer.share_never_firing()},
                                  {"share_firing_above_half", layer.share_firing_above(kHotFrom)}});
  }
  if (report.sweep.empty()) return json;
  json["sweep"] = Json::array();
  for (const SweepRow& row : report.sweep) json["sweep"].push_back(row_json(row, summary));
  json["least_activated"] = Json::array();
  for (const double allowed : kAllowances) {
    Json entry = row_json(*report.least_within(allowed), summary);
    entry["allowed"] = allowed;
    json["least_activated"].push_back(std::move(entry));
  }
  return json;
}

plot::LinePlot sweep_plot(const ActivationReport& report, const ModelSummary& summary) {
  const double undropped = report.sweep.front().prediction.perplexity;
  plot::LinePlot result{.title = fmt::format("Perplexity over activated parameters: {}",
                                             std::filesystem::path(report.text_name).filename().string()),
                        .x_label = "parameters used for a token, millions",
                        .y_label = "perplexity",
                        .series = {},
                        .y_from = undropped};
  const auto add_line = [&](DropRule::Kind kind, bool with_up, const std::string& name) {
    plot::PlotSeries series{.name = name, .points = {}};
    for (const SweepRow& row : report.sweep) {
      const bool is_start = &row == &report.sweep.front();
      if ((row.rule.kind != kind && !is_start) || !(row.prediction.ratio <= kPlottedUpTo)) continue;
      const int64_t activated = with_up ? summary.activated_parameters_with_up(row.zero_rate)
                                        : summary.activated_parameters(row.zero_rate);
      // The error is of the difference to the start: both score the same tokens.
      const double y = row.prediction.perplexity, error = undropped * row.prediction.ratio_error;
      series.points.push_back(
          {.x = static_cast<double>(activated) / 1e6, .y = y, .least = y - error, .most = y + error});
      result.y_from = std::min(result.y_from, y - error);
    }
    std::sort(series.points.begin(), series.points.end(),
              [](const auto& a, const auto& b) { return a.x < b.x; });
    if (series.points.size() > 1) result.series.push_back(std::move(series));
  };
  for (const bool with_up : {true, false}) {
    const char* counted = with_up ? "neither ffn_down nor ffn_up of zeros" : "all but ffn_down of zeros";
    add_line(DropRule::Kind::keep, with_up, fmt::format("largest of each layer; {}", counted));
    add_line(DropRule::Kind::threshold, with_up, fmt::format("one threshold for all layers; {}", counted));
  }
  return result;
}

}  // namespace plm::cli
