// plm inspect --text: what a model uses of itself over a text, and how well it still predicts the text when
// small squared ReLUs are dropped as well.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/inspect_report.h"
#include "inspect/firing.h"
#include "inspect/model_summary.h"
#include "plot/line_plot.h"
#include "runtime/engine.h"

namespace plm::cli {

// Which squared ReLUs a run of the sweep drops.
struct DropRule {
  enum class Kind {
    threshold,  // those not above `value`, in every layer
    keep,       // all but the largest `value` percent of those that are not zero, layer by layer
  };
  Kind kind = Kind::threshold;
  double value = 0;
};

// Numbers as "0,0.5,2e-3", each from 0 to `most`. Fails with invalid_argument, naming the option.
Result<std::vector<double>> read_numbers(std::string_view option, std::string_view text, double most);

// Over the scored tokens of the text, see chunk_scores.h.
struct Prediction {
  double perplexity = 0, error = 0;
  double ratio = 1, ratio_error = 0;  // to the perplexity with nothing dropped, token by token
};

struct SweepRow {
  DropRule rule;
  double zero_rate = 0;
  Prediction prediction;
};

struct ActivationReport {
  std::string text_name;
  int64_t n_tokens = 0, n_chunks = 0, n_context = 0, n_scored = 0;
  std::vector<inspect::LayerFiring> layers;
  std::vector<SweepRow> sweep;  // its first row drops nothing; empty when no rule was given

  double zero_rate() const;  // mean of the layers
  // The fewest parameters, of those tried, whose perplexity is at most 1 + allowed times the undropped one.
  const SweepRow* least_within(double allowed) const;
};

struct ActivationOptions {
  std::string text_name;
  int64_t max_chunks = -1;  // as of plm perplexity
  int64_t batch_size = 1024;
  std::vector<DropRule> rules;
};

// Fails with unsupported when the model's feed-forward has no squared ReLU.
Result<ActivationReport> measure_activations(runtime::Engine& engine, std::string_view text,
                                             const ActivationOptions& options);

std::string activations_text(const ActivationReport& report, const inspect::ModelSummary& summary);
Json activations_json(const ActivationReport& report, const inspect::ModelSummary& summary);

// Perplexity over activated parameters, a line for each kind of rule, counted both ways. Rows of more than
// half as much again are left out.
plot::LinePlot sweep_plot(const ActivationReport& report, const inspect::ModelSummary& summary);

}  // namespace plm::cli
