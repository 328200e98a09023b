#include "model/lora/adapter_builder.h"

#include <cmath>
#include <cstring>

#include "gguf/value.h"
#include "quant/formats.h"

namespace plm::model {
namespace {

bool is_plain(TensorType type) { return tensor_type_info(type).block_elements == 1; }

std::vector<float> decoded(const AdapterBuilder::Part& part) {
  const int64_t n = part.rows * part.cols;
  // Formats decode from aligned memory.
  const std::vector<std::byte> bytes(part.bytes.begin(), part.bytes.end());
  std::vector<float> numbers(static_cast<size_t>(n));
  quant::find_format(part.type)->decode(bytes.data(), numbers.data(), n);
  return numbers;
}

AdapterMatrix from_floats(const std::vector<float>& numbers, int64_t rows, int64_t cols) {
  AdapterMatrix matrix{.type = TensorType::f32, .rows = rows, .cols = cols, .bytes = {}};
  const auto bytes = std::as_bytes(std::span(numbers));
  matrix.bytes.assign(bytes.begin(), bytes.end());
  return matrix;
}

AdapterMatrix make_matrix(const AdapterBuilder::Part& part, const std::vector<float>& numbers) {
  if (part.is_transposed) {
    std::vector<float> turned(numbers.size());
    for (int64_t row = 0; row < part.rows; ++row) {
      for (int64_t col = 0; col < part.cols; ++col) {
        turned[static_cast<size_t>(row * part.cols + col)] =
            numbers[static_cast<size_t>(col * part.rows + row)];
      }
    }
    return from_floats(turned, part.rows, part.cols);
  }
  AdapterMatrix matrix{.type = part.type, .rows = part.rows, .cols = part.cols, .bytes = {}};
  if (is_plain(part.type)) {
    matrix.bytes.assign(part.bytes.begin(), part.bytes.end());
  } else {
    matrix = from_floats(numbers, part.rows, part.cols);
  }
  if (!part.row_of) return matrix;
  const auto bytes = static_cast<size_t>(row_bytes(matrix.type, matrix.cols));
  const std::vector<std::byte> source = matrix.bytes;
  for (int64_t row = 0; row < matrix.rows; ++row) {
    std::memcpy(matrix.bytes.data() + static_cast<size_t>(row) * bytes,
                source.data() + static_cast<size_t>(part.row_of(row)) * bytes, bytes);
  }
  return matrix;
}

}  // namespace

Status AdapterBuilder::add(const Part& part) {
  const auto wrong = [&](std::string_view problem) {
    return make_error(ErrorKind::bad_data, "{}: tensor {}: {}", path_, gguf::printable(part.name), problem);
  };
  if (part.rows < 1 || part.cols < 1) {
    return wrong(fmt::format("shape: found {} rows and {} columns, expected some (a rank of at least 1)",
                             part.rows, part.cols));
  }
  const std::vector<float> numbers = decoded(part);
  int64_t n_not_finite = 0;
  for (const float x : numbers) n_not_finite += std::isfinite(x) ? 0 : 1;
  if (n_not_finite > 0) return wrong(fmt::format("found {} numbers that are not finite", n_not_finite));
  Halves& halves = pairs_[part.tensor];
  std::optional<AdapterMatrix>& half = part.half == Half::a ? halves.a : halves.b;
  if (half) return wrong("found a second time, expected once");
  if (halves.name.empty()) halves.name = part.name;
  half = make_matrix(part, numbers);
  return {};
}

Result<Adapter> AdapterBuilder::finish(std::string architecture,
                                       const std::function<float(int64_t rank)>& scale_of) {
  Adapter adapter{.path = path_, .architecture = std::move(architecture), .pairs = {}};
  for (auto& [tensor, halves] : pairs_) {
    if (!halves.a || !halves.b) {
      return make_error(ErrorKind::bad_data, "{}: tensor {}: found without its other half, expected A and B",
                        path_, gguf::printable(halves.name));
    }
    if (halves.a->rows != halves.b->cols) {
      return make_error(ErrorKind::bad_data,
                        "{}: tensor {}: rank: found {} in A and {} in B, expected the same", path_,
                        gguf::printable(halves.name), halves.a->rows, halves.b->cols);
    }
    const float scale = scale_of(halves.a->rows);
    adapter.pairs.push_back(
        {.tensor = tensor, .a_ZK = *std::move(halves.a), .b_YZ = *std::move(halves.b), .scale = scale});
  }
  if (adapter.pairs.empty()) {
    return make_error(ErrorKind::bad_data, "{}: found no tensors, expected pairs of an adapter", path_);
  }
  return adapter;
}

}  // namespace plm::model
