#include "model/synth/synth.h"

#include <algorithm>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "gguf/gguf_writer.h"
#include "model/synth/quant_mix.h"
#include "model/synth/synth_metadata.h"
#include "model/synth/tensor_plan.h"
#include "quant/formats.h"

namespace plm::model {
namespace {

constexpr int64_t kBatchElements = int64_t{1} << 23;  // between two writes: 32 MiB at F32
constexpr int64_t kItemElements = int64_t{1} << 16;   // a thread's unit of work

// Where rows do not divide into the blocks of a K format, llama-quantize takes the nearest format of blocks
// of 32, and so do we.
TensorType fitting_type(TensorType type, int64_t row_length) {
  if (row_length % tensor_type_info(type).block_elements == 0) return type;
  switch (type) {
    case TensorType::q4_k:
      return TensorType::q5_0;
    case TensorType::q5_k:
      return TensorType::q5_1;
    case TensorType::q6_k:
      return TensorType::q8_0;
    default:
      return TensorType::q4_0;
  }
}

Status check_row_lengths(const std::vector<TensorPlan>& plans) {
  for (const TensorPlan& plan : plans) {
    const TensorTypeInfo& info = tensor_type_info(plan.description.type);
    if (plan.row_length() % info.block_elements == 0) continue;
    return make_error(ErrorKind::invalid_argument,
                      "synth: tensor {}: rows of {} do not divide into {} blocks of {}",
                      plan.description.name, plan.row_length(), info.name, info.block_elements);
  }
  return {};
}

class TensorWriter {
 public:
  TensorWriter(gguf::Writer& writer, const SynthOptions& options, int64_t n_elements)
      : writer_(writer), options_(options), pool_(std::max(1, options.n_threads)), n_elements_(n_elements) {
    rows_.resize(static_cast<size_t>(pool_.size()));
  }

  // Rows are made by all threads into a buffer, then written in order.
  Status write(const TensorPlan& plan) {
    const int64_t rows_per_batch = std::max<int64_t>(1, kBatchElements / plan.row_length());
    for (int64_t begin = 0; begin < plan.n_rows(); begin += rows_per_batch) {
      const int64_t end = std::min(plan.n_rows(), begin + rows_per_batch);
      make_rows(plan, begin, end);
      PLM_TRY_STATUS(writer_.append(batch_));
      done_ += (end - begin) * plan.row_length();
      const double fraction = static_cast<double>(done_) / static_cast<double>(n_elements_);
      if (options_.progress && !options_.progress(fraction)) {
        return make_error(ErrorKind::cancelled, "synth: cancelled");
      }
    }
    return {};
  }

 private:
  void make_rows(const TensorPlan& plan, int64_t begin, int64_t end) {
    const TensorType type = plan.description.type;
    const quant::Format& format = *quant::find_format(type);
    const int64_t bytes = row_bytes(type, plan.row_length());
    const int64_t rows_per_item = std::max<int64_t>(1, kItemElements / plan.row_length());
    batch_.resize(static_cast<size_t>((end - begin) * bytes));
    pool_.run([&](int thread) {
      std::vector<float>& values = rows_[static_cast<size_t>(thread)];
      values.resize(static_cast<size_t>(plan.row_length()));
      for (int64_t first = begin; (first = begin + pool_.next_item() * rows_per_item) < end;) {
        for (int64_t row = first; row < std::min(end, first + rows_per_item); ++row) {
          fill_row(plan, options_.seed, row, values.data());
          format.encode(values.data(), batch_.data() + (row - begin) * bytes, plan.row_length());
        }
      }
    });
  }

  gguf::Writer& writer_;
  const SynthOptions& options_;
  ThreadPool pool_;
  int64_t n_elements_;
  int64_t done_ = 0;
  std::vector<std::byte> batch_;
  std::vector<std::vector<float>> rows_;  // of each thread
};

}  // namespace

Status write_synthetic_model(const std::string& path, const SynthOptions& options) {
  const std::optional<QuantMix> mix = find_quant_mix(options.type);
  if (!mix) {
    return make_error(ErrorKind::invalid_argument, "synth: type: found {}, expected one of {}", options.type,
                      quant_mix_names());
  }
  if (!(options.sparsity >= 0 && options.sparsity <= 1)) {
    return make_error(ErrorKind::invalid_argument, "synth: sparsity: found {}, expected a number from 0 to 1",
                      options.sparsity);
  }
  std::vector<TensorPlan> plans =
      plan_tensors(options.preset, {.sparsity = options.sparsity, .seed = options.seed});
  std::vector<gguf::TensorDescription> descriptions;
  int64_t n_elements = 0;
  for (TensorPlan& plan : plans) {
    gguf::TensorDescription& description = plan.description;
    description.type =
        fitting_type(type_in_mix(*mix, description.name, description.shape.size(), options.preset.n_layers),
                     plan.row_length());
    descriptions.push_back(description);
    n_elements += plan.row_length() * plan.n_rows();
  }
  PLM_TRY_STATUS(check_row_lengths(plans));
  PLM_TRY(gguf::Writer writer,
          gguf::Writer::create(path, synth_metadata(options, mix->file_type), descriptions));
  TensorWriter tensors(writer, options, n_elements);
  for (const TensorPlan& plan : plans) PLM_TRY_STATUS(tensors.write(plan));
  return writer.finish();
}

}  // namespace plm::model
