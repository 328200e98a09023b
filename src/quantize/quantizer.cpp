#include "quantize/quantizer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "gguf/gguf_writer.h"
#include "quant/formats.h"
#include "quantize/matrix_encoder.h"

namespace plm::quantize {
namespace {

constexpr uint32_t kQuantizationVersion = 2;  // of the block formats, as ggml counts them

// Weights read, encoded and written at a time.
constexpr int64_t kSlabElements = int64_t{1} << 24;

gguf::MetadataBuilder new_metadata(const gguf::File& file, const Plan& plan, const QuantizeOptions& options) {
  gguf::MetadataBuilder metadata;
  metadata.copy_from(file.metadata());
  for (const std::string_view key : {"split.no", "split.count", "split.tensors.count"}) metadata.remove(key);
  if (plan.file_type != nullptr) {
    metadata.set_u32("general.quantization_version", kQuantizationVersion);
    metadata.set_u32("general.file_type", plan.file_type->id);
  }
  if (options.importance != nullptr) {
    const Importance& importance = *options.importance;
    metadata.set_string("quantize.imatrix.file", options.importance_path);
    if (!importance.datasets.empty()) {
      metadata.set_string("quantize.imatrix.dataset", importance.datasets.front());
    }
    metadata.set_u32("quantize.imatrix.entries_count", static_cast<uint32_t>(importance.tensors.size()));
    metadata.set_u32("quantize.imatrix.chunks_count", importance.n_chunks);
  }
  return metadata;
}

std::vector<gguf::TensorDescription> descriptions(const Plan& plan) {
  std::vector<gguf::TensorDescription> result;
  for (const PlannedTensor& tensor : plan.tensors) {
    const auto& shape = tensor.source.shape;
    result.push_back({std::string(tensor.source.name), tensor.type,
                      std::vector<int64_t>(shape.begin(), shape.begin() + tensor.source.n_dims)});
  }
  return result;
}

class Quantizer {
 public:
  Quantizer(const gguf::File& file, const QuantizeOptions& options, ThreadPool& pool, gguf::Writer& writer)
      : file_(file), options_(options), pool_(pool), writer_(writer) {}

  // keep_going(n): asked before each stretch, after n weights of the tensor.
  template <class KeepGoing>
  Status write(const PlannedTensor& tensor, KeepGoing&& keep_going) {
    const NeuronMove move =
        neuron_move(file_, tensor.source.name, options_.order_neurons ? options_.importance : nullptr);
    const auto change = options_.changes != nullptr ? options_.changes->of(tensor.source.name) : std::nullopt;
    if (tensor.type == tensor.source.type && move.order == nullptr && !change)
      return copy(tensor, keep_going);
    PLM_TRY(MatrixEncoder encoder, MatrixEncoder::create(file_, tensor, options_.importance, move));
    if (change) encoder.set_change(&*change);
    if (encoder.is_weighted()) {
      ++summary_.n_weighted;
    } else if (tensor_type_info(tensor.type).block_elements > 1) {
      ++summary_.n_unweighted;
    }
    const int64_t rows = encoder.rows();
    const int64_t slab_rows = std::max<int64_t>(1, kSlabElements / tensor.source.shape[0]);
    for (int64_t begin = 0; begin < rows; begin += slab_rows) {
      PLM_TRY_STATUS(keep_going(begin * tensor.source.shape[0]));
      PLM_TRY_STATUS(encode_slab(encoder, begin, std::min(begin + slab_rows, rows)));
      drop_pages(tensor.source, begin, std::min(begin + slab_rows, rows), rows);
    }
    if (encoder.n_not_finite() > 0) return not_finite(tensor, encoder.n_not_finite());
    if (encoder.n_too_large() == 0) return {};
    return make_error(ErrorKind::bad_data, "{}: tensor {}: found {} weights that are too large for {}",
                      file_.path(), gguf::printable(tensor.source.name), encoder.n_too_large(),
                      tensor_type_name(tensor.type));
  }

  const QuantizeSummary& summary() const { return summary_; }

 private:
  Error not_finite(const PlannedTensor& tensor, int64_t n) const {
    return make_error(ErrorKind::bad_data, "{}: tensor {}: found {} weights that are not finite",
                      file_.path(), gguf::printable(tensor.source.name), n);
  }

  template <class KeepGoing>
  Status copy(const PlannedTensor& tensor, KeepGoing&& keep_going) {
    const auto data = file_.tensor_data(tensor.source);
    const TensorTypeInfo& info = tensor_type_info(tensor.source.type);
    constexpr size_t kPiece = size_t{1} << 26;
    int64_t n_bad = 0;
    for (size_t begin = 0; begin < data.size(); begin += kPiece) {
      const auto piece = data.subspan(begin, std::min(kPiece, data.size() - begin));
      PLM_TRY_STATUS(keep_going(static_cast<int64_t>(begin) / info.block_bytes * info.block_elements));
      n_bad += count_not_finite(tensor.source.type, piece);
      PLM_TRY_STATUS(writer_.append(piece));
    }
    drop_pages(tensor.source, 0, 1, 1);
    if (n_bad > 0) return not_finite(tensor, n_bad);
    return {};
  }

  // Of plain numbers; the scales of blocks are not looked at.
  static int64_t count_not_finite(TensorType type, std::span<const std::byte> bytes) {
    if (type != TensorType::f32 && type != TensorType::f16 && type != TensorType::bf16) return 0;
    const quant::Format& format = *quant::find_format(type);
    const auto n = static_cast<int64_t>(bytes.size()) / tensor_type_info(type).block_bytes;
    std::array<float, 4096> numbers;
    int64_t n_bad = 0;
    for (int64_t begin = 0; begin < n; begin += std::ssize(numbers)) {
      const int64_t count = std::min<int64_t>(std::ssize(numbers), n - begin);
      format.decode(bytes.data() + row_bytes(type, begin), numbers.data(), count);
      for (int64_t i = 0; i < count; ++i) n_bad += std::isfinite(numbers[static_cast<size_t>(i)]) ? 0 : 1;
    }
    return n_bad;
  }

  Status encode_slab(MatrixEncoder& encoder, int64_t begin, int64_t end) {
    // Small enough that all threads end together, large enough to be worth handing out.
    constexpr int64_t kItemElements = 1 << 16;
    const int64_t item_rows = std::max<int64_t>(1, kItemElements / encoder.row_elements());
    const int64_t bytes = encoder.out_row_bytes();
    encoded_.resize(static_cast<size_t>((end - begin) * bytes));
    pool_.run([&](int) {
      MatrixEncoder::Scratch scratch;
      for (;;) {
        const int64_t first = begin + pool_.next_item() * item_rows;
        if (first >= end) return;
        encoder.encode(first, std::min(first + item_rows, end), encoded_.data() + (first - begin) * bytes,
                       scratch);
      }
    });
    return writer_.append(encoded_);
  }

  // What is written need not stay in memory.
  void drop_pages(const gguf::TensorInfo& tensor, int64_t begin, int64_t end, int64_t rows) {
    const MappedFile* mapping = file_.mapping(tensor.shard);
    if (mapping == nullptr) return;
    const int64_t row = tensor.bytes / rows;
    mapping->discard(tensor.file_offset + static_cast<size_t>(begin * row),
                     static_cast<size_t>((end - begin) * row));
  }

  const gguf::File& file_;
  const QuantizeOptions& options_;
  ThreadPool& pool_;
  gguf::Writer& writer_;
  std::vector<std::byte> encoded_;
  QuantizeSummary summary_;
};

}  // namespace

Result<QuantizeSummary> quantize_file(const gguf::File& file, const Plan& plan,
                                      const QuantizeOptions& options, const std::string& out,
                                      ThreadPool& pool) {
  PLM_TRY(gguf::Writer writer,
          gguf::Writer::create(out, new_metadata(file, plan, options), descriptions(plan)));
  Quantizer quantizer(file, options, pool, writer);
  int64_t done = 0;
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const PlannedTensor& tensor = plan.tensors[i];
    const auto keep_going = [&](int64_t n_of_tensor) -> Status {
      const QuantizeProgress progress{
          .tensor = &tensor,
          .index = i,
          .n_tensors = plan.tensors.size(),
          .fraction = static_cast<double>(done + n_of_tensor) / static_cast<double>(plan.n_elements)};
      if (!options.progress || options.progress(progress)) return {};
      return make_error(ErrorKind::cancelled, "quantising stopped in tensor {} of {}; {} was not written",
                        i + 1, plan.tensors.size(), out);
    };
    PLM_TRY_STATUS(quantizer.write(tensor, keep_going));
    done += tensor.source.n_elements;
  }
  PLM_TRY_STATUS(writer.finish());
  return quantizer.summary();
}

}  // namespace plm::quantize
