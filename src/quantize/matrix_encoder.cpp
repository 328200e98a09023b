#include "quantize/matrix_encoder.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace plm::quantize {
namespace {

Error wrong_width(const gguf::File& file, const gguf::TensorInfo& tensor, std::string_view what, size_t found,
                  int64_t expected) {
  return make_error(ErrorKind::bad_data,
                    "{}: tensor {}: found {} of {} numbers, expected {}; is it of this model?", file.path(),
                    gguf::printable(tensor.name), what, found, expected);
}

template <class T>
void permute(std::vector<T>& values, const std::vector<int32_t>& order) {
  std::vector<T> moved(values.size());
  for (size_t i = 0; i < values.size(); ++i) moved[i] = values[static_cast<size_t>(order[i])];
  values = std::move(moved);
}

// How much an error of each weight of a row counts: its input's importance, and the more the larger the
// weight itself. Least squares alone gives large weights up for many small ones, and costs more KL than it
// saves (docs/LOG.md).
void fill_weights(const float* values, const float* importance, int64_t width, std::vector<float>& weights) {
  double sum = 0;
  for (int64_t i = 0; i < width; ++i) sum += double{values[i]} * values[i];
  const auto size = static_cast<float>(std::sqrt(sum / static_cast<double>(width)));
  weights.resize(static_cast<size_t>(width));
  for (int64_t i = 0; i < width; ++i) {
    weights[static_cast<size_t>(i)] =
        (importance != nullptr ? importance[i] : 1.0f) * (size + std::fabs(values[i]));
  }
}

// The least magnitude that the type's rounding makes infinite.
float infinite_from(TensorType type) {
  if (type == TensorType::f16) return 65520.0f;  // halfway to 2^16, to even
  if (type == TensorType::bf16) return std::bit_cast<float>(0x7f7f8000U);
  return std::numeric_limits<float>::infinity();  // block formats saturate
}

}  // namespace

NeuronMove neuron_move(const gguf::File& file, std::string_view tensor, const Importance* importance) {
  constexpr std::string_view kPrefix = "blk.";
  if (importance == nullptr || tensor.substr(0, kPrefix.size()) != kPrefix) return {};
  int64_t layer = -1;
  const auto parsed = std::from_chars(tensor.data() + kPrefix.size(), tensor.data() + tensor.size(), layer);
  const auto order = importance->neuron_order.find(layer);
  if (parsed.ec != std::errc() || order == importance->neuron_order.end()) return {};
  const auto has = [&](std::string_view name) {
    return file.find_tensor(fmt::format("blk.{}.{}", layer, name)) != nullptr;
  };
  if (!has("ffn_up.weight") || !has("ffn_down.weight") || has("ffn_gate.weight") || has("ffn_up.bias"))
    return {};
  const std::string_view part(parsed.ptr, static_cast<size_t>(tensor.data() + tensor.size() - parsed.ptr));
  if (part == ".ffn_up.weight") return {.order = &order->second, .axis = NeuronMove::Axis::rows};
  if (part == ".ffn_down.weight") return {.order = &order->second, .axis = NeuronMove::Axis::columns};
  return {};
}

Result<MatrixEncoder> MatrixEncoder::create(const gguf::File& file, const PlannedTensor& tensor,
                                            const Importance* importance, const NeuronMove& move) {
  const gguf::TensorInfo& source = tensor.source;
  MatrixEncoder encoder;
  encoder.data_ = file.tensor_data(source).data();
  encoder.from_ = quant::find_format(source.type);
  encoder.to_ = quant::find_format(tensor.type);
  if (encoder.from_ == nullptr || encoder.to_ == nullptr || encoder.to_->encode == nullptr) {
    return make_error(ErrorKind::unsupported, "{}: tensor {}: found {}, which cannot become {}", file.path(),
                      gguf::printable(source.name), tensor_type_name(source.type),
                      tensor_type_name(tensor.type));
  }
  encoder.width_ = source.shape[0];
  encoder.rows_of_matrix_ = source.shape[1];
  encoder.rows_ = source.n_elements / source.shape[0];
  encoder.in_row_bytes_ = row_bytes(source.type, encoder.width_);
  encoder.out_row_bytes_ = row_bytes(tensor.type, encoder.width_);
  encoder.move_ = move;
  if (move.order != nullptr) {
    const int64_t n = move.axis == NeuronMove::Axis::rows ? encoder.rows_ : encoder.width_;
    if (static_cast<int64_t>(move.order->size()) != n) {
      return wrong_width(file, source, "an order", move.order->size(), n);
    }
  }
  const InputStatistics* statistics = importance != nullptr ? importance->find(source.name) : nullptr;
  if (statistics != nullptr && encoder.to_->encode_weighted != nullptr) {
    encoder.weights_ = statistics->mean_squares();
    const int64_t expected = encoder.width_ * source.shape[2] * source.shape[3];
    if (static_cast<int64_t>(encoder.weights_.size()) != expected) {
      return wrong_width(file, source, "importance", encoder.weights_.size(), expected);
    }
    if (move.order != nullptr && move.axis == NeuronMove::Axis::columns)
      permute(encoder.weights_, *move.order);
  }
  const bool columns_move = move.order != nullptr && move.axis == NeuronMove::Axis::columns;
  if (!encoder.weights_.empty() && statistics != nullptr && statistics->correlations.block != 0 &&
      !columns_move) {
    encoder.moments_ = SecondMoments(statistics->correlations, encoder.weights_);
  }
  return encoder;
}

const float* MatrixEncoder::read_row(int64_t row, Scratch& scratch) const {
  const bool rows_move = move_.order != nullptr && move_.axis == NeuronMove::Axis::rows;
  const int64_t source_row = rows_move ? (*move_.order)[static_cast<size_t>(row)] : row;
  scratch.row.resize(static_cast<size_t>(width_));
  from_->decode(data_ + source_row * in_row_bytes_, scratch.row.data(), width_);
  if (change_ != nullptr) change_->add_to(source_row, scratch.row.data());
  if (move_.order == nullptr || move_.axis == NeuronMove::Axis::rows) return scratch.row.data();
  scratch.moved.resize(scratch.row.size());
  for (size_t i = 0; i < scratch.moved.size(); ++i) {
    scratch.moved[i] = scratch.row[static_cast<size_t>((*move_.order)[i])];
  }
  return scratch.moved.data();
}

void MatrixEncoder::encode_row(const float* values, int64_t row, std::byte* out, Scratch& scratch) const {
  const float* known = weights_.empty() ? nullptr : weights_.data() + row / rows_of_matrix_ * width_;
  // Q4_0 has one level more on one side; plain rounding puts the extreme there. Measured, that is worth more
  // than least squares as long as nothing is known about the inputs.
  const bool plain = to_->encode_weighted == nullptr || (to_->type == TensorType::q4_0 && known == nullptr);
  if (plain) {
    to_->encode(values, out, width_);
    return;
  }
  fill_weights(values, known, width_, scratch.weights);
  to_->encode_weighted(values, scratch.weights.data(), out, width_);
  if (!moments_.empty()) refine_codes(values, width_, to_->type, moments_, out);
}

void MatrixEncoder::encode(int64_t begin, int64_t end, std::byte* out, Scratch& scratch) {
  const float limit = infinite_from(to_->type);
  int64_t n_not_finite = 0, n_too_large = 0;
  for (int64_t row = begin; row < end; ++row, out += out_row_bytes_) {
    const float* values = read_row(row, scratch);
    const int64_t before = n_not_finite;
    for (int64_t i = 0; i < width_; ++i) {
      const bool finite = std::isfinite(values[i]);
      n_not_finite += finite ? 0 : 1;
      n_too_large += finite && std::fabs(values[i]) >= limit ? 1 : 0;
    }
    if (n_not_finite == before) encode_row(values, row, out, scratch);
  }
  if (n_not_finite > 0) met_->not_finite.fetch_add(n_not_finite);
  if (n_too_large > 0) met_->too_large.fetch_add(n_too_large);
}

}  // namespace plm::quantize
