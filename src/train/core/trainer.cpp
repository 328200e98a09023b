#include "train/core/trainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/clock.h"
#include "train/core/weights_file.h"

namespace plm::train {
namespace {

// After so many left-out steps in a row the weights themselves are taken to be spoilt.
constexpr int64_t kMaxSkippedInARow = 10;
constexpr int64_t kMaxTimesGoneBack = 3;
// Weight of the newest loss in the running mean that spikes are measured by.
constexpr double kRunningShare = 0.02;

// What a large product reaches on this device in the type of the run: what "MFU" is a share of. It is the
// product that a layer makes, with the weights transposed: CPUs without bfloat16 units are many times slower
// at the other one. Of random numbers: a GPU multiplies zeros and ones faster.
double measure_peak_flops(at::Device device, at::ScalarType type) {
  const int64_t n = device.is_cuda() ? 8192 : 768;
  // The clock of a GPU is read once for several products, which it is given without waiting.
  const int n_products = device.is_cuda() ? 10 : 1;
  const at::NoGradGuard no_graph;
  const at::Tensor a = at::randn({n, n}, at::TensorOptions().dtype(type).device(device));
  at::Tensor product;
  double best = 0;
  for (int i = 0; i < 6; ++i) {
    const double begin = seconds_now();
    for (int k = 0; k < n_products; ++k) product = at::linear(a, a);
    product.view(-1)[0].item<float>();
    best = std::max(best, n_products * 2.0 * std::pow(static_cast<double>(n), 3) / (seconds_now() - begin));
  }
  return best;
}

at::ScalarType compute_type(const Settings& settings) { return settings.bf16 ? at::kBFloat16 : at::kFloat; }

std::vector<Span> owned_spans(const ParameterLayout& layout, const Settings& settings,
                              const Workers& workers) {
  if (settings.zero_stage == 0 || workers.count() == 1) return {{0, layout.count}};
  std::vector<Span> spans;
  for (const Bucket& bucket : layout.buckets) {
    const int64_t part = bucket.count / workers.count();
    spans.push_back({bucket.offset + workers.rank() * part, part});
  }
  return spans;
}

}  // namespace

Trainer::Trainer(TrainerParts parts)
    : parts_(std::move(parts)),
      share_{.rank = parts_.workers.rank(),
             .n_workers = parts_.workers.count(),
             .rows = parts_.settings.per_device_train_batch_size,
             .n_micro_batches = parts_.settings.gradient_accumulation_steps} {}

Result<std::unique_ptr<Trainer>> Trainer::create(TrainerParts parts) {
  std::unique_ptr<Trainer> trainer(new Trainer(std::move(parts)));
  TrainerParts& p = trainer->parts_;
  if (p.train_rows->row_tokens() > p.config.context_length) {
    return make_error(ErrorKind::invalid_argument,
                      "cutoff_len: found {}, expected at most the model's context, {}",
                      p.train_rows->row_tokens(), p.config.context_length);
  }
  ParameterLayout layout = make_layout(p.config, p.workers.count());
  trainer->owned_ = owned_spans(layout, p.settings, p.workers);
  trainer->optimizer_ = std::make_unique<AdamW>(layout,
                                                AdamWOptions{.beta1 = p.settings.adam_beta1,
                                                             .beta2 = p.settings.adam_beta2,
                                                             .epsilon = p.settings.adam_epsilon,
                                                             .weight_decay = p.settings.weight_decay},
                                                trainer->owned_, p.device);
  trainer->writer_ = std::make_unique<CheckpointWriter>(
      CheckpointWriter::Options{.output_folder = p.settings.output_dir,
                                .keep = p.settings.save_total_limit,
                                .texts = {to_yaml(p.settings), p.config.json}},
      layout);
  trainer->model_ = std::make_unique<Model>(
      p.config, std::move(layout), ModelOptions{.device = p.device, .compute = compute_type(p.settings)});
  trainer->state_.data_fingerprint = p.train_rows->fingerprint();
  return trainer;
}

Status Trainer::begin() {
  PLM_TRY(const bool had_weights,
          read_folder_weights(parts_.settings.model_name_or_path, model_->layout(), model_->masters()));
  if (!had_weights) model_->draw_weights(static_cast<uint64_t>(parts_.settings.seed));
  model_->refresh();
  return say(had_weights ? fmt::format("weights read from {}", parts_.settings.model_name_or_path)
                         : fmt::format("weights drawn from seed {}", parts_.settings.seed));
}

Status Trainer::resume(const std::string& folder) {
  PLM_TRY(const LoadedCheckpoint loaded, load_checkpoint(folder, model_->layout()));
  if (loaded.state.data_fingerprint != state_.data_fingerprint) {
    return make_error(ErrorKind::invalid_argument,
                      "{}: data fingerprint: found {}, expected {}: it was made with other data", folder,
                      loaded.state.data_fingerprint, state_.data_fingerprint);
  }
  const at::NoGradGuard no_graph;
  state_ = loaded.state;
  model_->masters().copy_(loaded.masters);
  model_->refresh();
  optimizer_->import_moments(loaded.first_moments, loaded.second_moments);
  optimizer_->set_n_steps(state_.optimizer_steps);
  return {};
}

int64_t Trainer::rows_per_step() const { return share_.rows_per_step(); }

Trainer::StepRows Trainer::read_rows(int64_t first_row) const {
  std::vector<Batch> batches;
  for (int64_t micro = 0; micro < share_.n_micro_batches; ++micro) {
    PLM_TRY(Batch batch, parts_.train_rows->batch(share_.first_row(first_row, micro), share_.rows));
    batches.push_back(std::move(batch));
  }
  return batches;
}

// The rows of this step, which were read while the last one was computed; begins to read the next.
Result<std::vector<Batch>> Trainer::next_rows() {
  StepRows rows = ahead_.valid() && ahead_row_ == state_.next_row ? ahead_.get() : read_rows(state_.next_row);
  ahead_row_ = state_.next_row + rows_per_step();
  ahead_ = std::async(std::launch::async, [this, row = ahead_row_] { return read_rows(row); });
  return rows;
}

ModelInput Trainer::to_input(const Batch& batch) const {
  const auto tensor = [&](const std::vector<int64_t>& numbers) {
    return at::tensor(numbers, at::kLong).view({batch.n_rows, batch.row_tokens}).to(parts_.device);
  };
  return {.ids_BT = tensor(batch.ids_BT),
          .labels_BT = tensor(batch.labels_BT),
          .documents_BT = batch.documents_BT.empty() ? at::Tensor() : tensor(batch.documents_BT)};
}

Result<Trainer::StepNumbers> Trainer::compute_gradients(const std::vector<Batch>& batches) {
  int64_t n_labels = 0;
  int64_t n_positions = 0;
  for (const Batch& batch : batches) {
    n_labels += std::count_if(batch.labels_BT.begin(), batch.labels_BT.end(),
                              [](int64_t label) { return label != kIgnoredLabel; });
    n_positions += static_cast<int64_t>(batch.labels_BT.size());
  }
  at::Tensor totals =
      at::tensor({static_cast<double>(n_labels), static_cast<double>(n_positions)}, at::kDouble);
  parts_.workers.sum(totals);
  const double all_labels = std::max(1.0, totals[0].item<double>());
  const double all_activations = totals[1].item<double>() * static_cast<double>(parts_.config.ffn_width);

  Model& model = *model_;
  const bool sharded = owned_.size() > 1;
  const int64_t next = state_.step + 1;  // a step whose numbers are logged
  const bool counts = next % parts_.settings.logging_steps == 0 || next == parts_.schedule.options().n_steps;
  model.gradients().zero_();
  double loss = 0;
  for (size_t micro = 0; micro < batches.size(); ++micro) {
    PassOptions pass{.loss_scale = 1 / all_labels,
                     .sparsity_penalty = parts_.settings.sparsity_penalty / all_activations,
                     .checkpoint = parts_.settings.gradient_checkpointing,
                     .count_zeros = counts};
    if (parts_.workers.count() > 1 && micro + 1 == batches.size()) {
      pass.bucket_ready = [&, sharded](int index) {
        const Bucket& bucket = model.layout().buckets[static_cast<size_t>(index)];
        const at::Tensor whole = model.gradients().narrow(0, bucket.offset, bucket.count);
        if (sharded) {
          const Span& own = owned_[static_cast<size_t>(index)];
          parts_.workers.begin_sum_part(whole, model.gradients().narrow(0, own.offset, own.count));
        } else {
          parts_.workers.begin_sum(whole);
        }
      };
    }
    loss += model.forward_backward(to_input(batches[micro]), pass);
  }
  parts_.workers.finish();

  double squares = 0;
  for (const Span& span : owned_) {
    squares += std::pow(model.gradients().narrow(0, span.offset, span.count).norm().item<double>(), 2);
  }
  at::Tensor sums = at::tensor({loss, sharded ? squares : 0.0}, at::kDouble);
  parts_.workers.sum(sums);
  return StepNumbers{.loss = sums[0].item<double>() / all_labels,
                     .gradient_norm = std::sqrt(sharded ? sums[1].item<double>() : squares),
                     .zero_rates = counts ? model.take_zero_rates() : std::vector<double>()};
}

bool Trainer::update(const StepNumbers& numbers) {
  const Settings& settings = parts_.settings;
  const bool finite = std::isfinite(numbers.loss) && std::isfinite(numbers.gradient_norm);
  const bool spike = settings.loss_spike_factor > 0 && state_.running_loss > 0 &&
                     numbers.loss > settings.loss_spike_factor * state_.running_loss;
  if (!finite || spike) return false;
  const double factor = settings.max_grad_norm > 0 && numbers.gradient_norm > settings.max_grad_norm
                            ? settings.max_grad_norm / numbers.gradient_norm
                            : 1.0;
  at::Tensor& masters = model_->masters();
  optimizer_->step(masters, model_->gradients(), parts_.schedule.rate(state_.step), factor);
  if (owned_.size() > 1) {
    for (size_t i = 0; i < owned_.size(); ++i) {
      const Bucket& bucket = model_->layout().buckets[i];
      parts_.workers.gather_parts(masters.narrow(0, bucket.offset, bucket.count),
                                  masters.narrow(0, owned_[i].offset, owned_[i].count));
    }
  }
  model_->refresh();
  state_.running_loss = state_.running_loss == 0
                            ? numbers.loss
                            : state_.running_loss + kRunningShare * (numbers.loss - state_.running_loss);
  return true;
}

Status Trainer::say(const std::string& what) {
  return parts_.report == nullptr ? Status() : parts_.report->event(state_.step, what);
}

Status Trainer::log(const StepNumbers& numbers) {
  const double seconds = seconds_now() - std::exchange(clock_, seconds_now());
  const auto n = static_cast<double>(std::max<int64_t>(1, state_.steps_since_log));
  const int64_t row_tokens = parts_.train_rows->row_tokens();
  TrainLine line;
  line.step = state_.step;
  line.n_steps = parts_.schedule.options().n_steps;
  line.epoch = static_cast<double>(state_.next_row) / static_cast<double>(parts_.train_rows->rows_in_epoch());
  line.loss = state_.loss_since_log / n;
  line.learning_rate = parts_.schedule.rate(state_.step - 1);
  line.gradient_norm = numbers.gradient_norm;
  line.tokens_seen = state_.tokens_seen;
  line.phase = phase_name(parts_.schedule.phase(state_.step - 1));
  line.zero_rates = numbers.zero_rates;
  line.seconds = seconds / n;
  line.tokens_per_second = n * static_cast<double>(rows_per_step() * row_tokens) / seconds;
  if (peak_flops_ > 0) {
    line.mfu = line.tokens_per_second * parts_.config.training_flops_per_token(row_tokens) /
               (peak_flops_ * static_cast<double>(share_.n_workers));
  }
  state_.loss_since_log = 0;
  state_.steps_since_log = 0;
  return parts_.report == nullptr ? Status() : parts_.report->train(line);
}

Status Trainer::evaluate() {
  const int64_t rows = parts_.settings.per_device_eval_batch_size;
  const int64_t n_rows = parts_.eval_rows->rows_in_epoch();
  double sum = 0;
  double labels = 0;
  for (int64_t row = share_.rank * rows; row < n_rows; row += share_.n_workers * rows) {
    PLM_TRY(const Batch batch, parts_.eval_rows->batch(row, std::min(rows, n_rows - row)));
    sum += model_->loss_sum(to_input(batch));
    labels += static_cast<double>(std::count_if(batch.labels_BT.begin(), batch.labels_BT.end(),
                                                [](int64_t label) { return label != kIgnoredLabel; }));
  }
  at::Tensor sums = at::tensor({sum, labels}, at::kDouble);
  parts_.workers.sum(sums);
  if (parts_.report == nullptr) return {};
  const double nats = sums[0].item<double>();
  return parts_.report->eval(
      {.step = state_.step,
       .n_steps = parts_.schedule.options().n_steps,
       .loss = nats / std::max(1.0, sums[1].item<double>()),
       .bits_per_byte =
           nats / std::log(2.0) / static_cast<double>(std::max<int64_t>(1, parts_.eval_text_bytes))});
}

Status Trainer::save() {
  at::Tensor first = at::zeros_like(model_->masters());
  at::Tensor second = at::zeros_like(model_->masters());
  optimizer_->export_moments(first, second);
  if (owned_.size() > 1) {  // each worker has its part; the rest is zero
    parts_.workers.sum(first);
    parts_.workers.sum(second);
  }
  state_.optimizer_steps = optimizer_->n_steps();
  if (share_.rank != 0) return {};
  return writer_->begin(state_, model_->masters(), first, second);
}

Status Trainer::go_back(const std::string& reason) {
  if (++times_gone_back_ > kMaxTimesGoneBack) {
    return make_error(ErrorKind::bad_data,
                      "step {}: {}, {} times: lower the learning rate or look at the data", state_.step,
                      reason, times_gone_back_);
  }
  PLM_TRY_STATUS(writer_->wait());
  parts_.workers.wait_for_all();
  const std::vector<std::string> found =
      find_checkpoints(parts_.settings.output_dir, [](const std::string&) {});
  if (found.empty())
    return make_error(ErrorKind::bad_data, "step {}: {}, and there is no checkpoint to go back to",
                      state_.step, reason);
  const int64_t row = state_.next_row;
  PLM_TRY_STATUS(resume(found.front()));
  state_.next_row = row;  // the rows that led here are not read again
  state_.skipped_in_a_row = 0;
  return say(fmt::format("{}: went back to {}, going on with the rows after these", reason, found.front()));
}

Status Trainer::after_step(const StepNumbers& numbers, bool updated) {
  const Settings& settings = parts_.settings;
  const auto due = [&](int64_t every) { return every > 0 && state_.step % every == 0; };
  const bool last = state_.step == parts_.schedule.options().n_steps;
  if (!updated) {
    ++state_.skipped_in_a_row;
    PLM_TRY_STATUS(say(fmt::format("left out an update: loss {:.4g}, gradient norm {:.4g}", numbers.loss,
                                   numbers.gradient_norm)));
    if (state_.skipped_in_a_row >= kMaxSkippedInARow)
      return go_back("ten updates in a row could not be used");
  } else {
    state_.skipped_in_a_row = 0;
    state_.loss_since_log += numbers.loss;
    ++state_.steps_since_log;
  }
  if (due(settings.logging_steps) || last) PLM_TRY_STATUS(log(numbers));
  const int64_t eval_steps = settings.eval_steps > 0 ? settings.eval_steps : settings.logging_steps;
  if (parts_.eval_rows && (due(eval_steps) || last)) PLM_TRY_STATUS(evaluate());
  if (parts_.report != nullptr && parts_.sample && (due(settings.sample_steps) || last)) {
    PLM_TRY_STATUS(parts_.report->sample(state_.step, parts_.sample(*model_)));
  }
  if (!due(settings.save_steps) || last) return {};  // the last one is saved by run()
  // A disk that is full now may not be so later; the older checkpoints are still there.
  if (const Status saved = save(); !saved.ok()) {
    return say(fmt::format("the checkpoint before this one could not be written: {}", saved.error().message));
  }
  return {};
}

Result<TrainerResult> Trainer::run() {
  const int64_t n_steps = parts_.schedule.options().n_steps;
  peak_flops_ = measure_peak_flops(parts_.device, compute_type(parts_.settings));
  clock_ = seconds_now();
  bool stop = false;
  while (state_.step < n_steps && !stop) {
    PLM_TRY(const std::vector<Batch> batches, next_rows());
    PLM_TRY(const StepNumbers numbers, compute_gradients(batches));
    const bool updated = update(numbers);
    ++state_.step;
    state_.next_row += rows_per_step();
    state_.tokens_seen += rows_per_step() * parts_.train_rows->row_tokens();
    PLM_TRY_STATUS(after_step(numbers, updated));
    // One worker that is asked to stop stops all of them, after the same step.
    at::Tensor asked = at::tensor({parts_.should_stop && parts_.should_stop() ? 1.0 : 0.0}, at::kDouble);
    parts_.workers.sum(asked);
    stop = asked.item<double>() > 0;
  }
  PLM_TRY_STATUS(writer_->wait());
  PLM_TRY_STATUS(save());
  PLM_TRY_STATUS(writer_->wait());
  parts_.workers.wait_for_all();
  return TrainerResult{.step = state_.step, .finished = state_.step == n_steps};
}

}  // namespace plm::train
