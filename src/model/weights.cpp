#include "model/weights.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>

#include "base/half.h"
#include "quant/formats.h"

namespace plm::model {
namespace {

// Groups of 16 rows in one piece of work: about a megabyte of most tensors.
constexpr int64_t kGroupsAPiece = 32;

std::string shape_text(const gguf::TensorInfo& tensor) {
  std::string text;
  for (int i = 0; i < tensor.n_dims; ++i) {
    text += fmt::format("{}{}", i == 0 ? "[" : ", ", tensor.shape[static_cast<size_t>(i)]);
  }
  return text + "]";
}

}  // namespace

Result<kernels::FileMatrix> WeightLoader::matrix(const std::string& name, int64_t rows, int64_t cols) const {
  const gguf::TensorInfo* tensor = file_.find_tensor(name);
  if (tensor == nullptr) {
    return make_error(ErrorKind::bad_data, "{}: tensor {}: not found, expected shape [{}, {}]", file_.path(),
                      name, cols, rows);
  }
  if (tensor->n_dims > 2 || tensor->shape[0] != cols || tensor->shape[1] != rows) {
    return make_error(ErrorKind::bad_data, "{}: tensor {}: shape: found {}, expected [{}, {}]", file_.path(),
                      name, shape_text(*tensor), cols, rows);
  }
  if (!kernels::is_packable(tensor->type)) {
    std::string known;
    for (const TensorTypeInfo& info : all_tensor_types()) {
      if (kernels::is_packable(info.type)) known += fmt::format("{}{}", known.empty() ? "" : ", ", info.name);
    }
    return make_error(ErrorKind::unsupported, "{}: tensor {}: type: found {}, expected one of {}",
                      file_.path(), name, tensor_type_name(tensor->type), known);
  }
  return kernels::FileMatrix{
      .type = tensor->type, .data = file_.tensor_data(*tensor).data(), .rows = rows, .cols = cols};
}

Result<std::vector<float>> WeightLoader::vector(const std::string& name, int64_t n) const {
  PLM_TRY(const kernels::FileMatrix source, matrix(name, 1, n));
  if (tensor_type_info(source.type).block_elements != 1) {
    return make_error(ErrorKind::unsupported, "{}: tensor {}: type: found {}, expected F32, F16 or BF16",
                      file_.path(), name, tensor_type_name(source.type));
  }
  std::vector<float> numbers(static_cast<size_t>(n));
  quant::find_format(source.type)->decode(source.data, numbers.data(), n);
  return numbers;
}

int64_t WeightLoader::reserve(int64_t n_bytes) {
  const int64_t offset = bytes_;
  bytes_ += (n_bytes + 63) / 64 * 64;
  return offset;
}

void WeightLoader::add_packed(const kernels::FileMatrix& source, std::vector<int64_t> row_map,
                              kernels::PackedMatrix* out) {
  if (row_map.empty()) {
    row_map.resize(static_cast<size_t>(source.rows));
    std::iota(row_map.begin(), row_map.end(), int64_t{0});
  }
  *out = {.type = source.type,
          .rows = static_cast<int64_t>(row_map.size()),
          .cols = source.cols,
          .data = nullptr};
  const int64_t offset = reserve(out->bytes());
  const auto shared_map = std::make_shared<const std::vector<int64_t>>(std::move(row_map));
  for (int64_t begin = 0; begin < out->n_groups(); begin += kGroupsAPiece) {
    const int64_t end = std::min(begin + kGroupsAPiece, out->n_groups());
    pieces_.push_back(
        {.fill = [=](std::byte* at) { kernels::pack_groups(source, *shared_map, begin, end, at); },
         .offset = offset,
         .weight = (end - begin) * out->group_bytes()});
  }
  set_pointers_.push_back([=](const std::byte* base) { out->data = base + offset; });
}

void WeightLoader::add_neuron_major(const kernels::FileMatrix& source, kernels::NeuronMajorMatrix* out) {
  *out = {.type = source.type, .n_outputs = source.rows, .n_neurons = source.cols, .data = nullptr};
  const int64_t offset = reserve(out->bytes());
  const int64_t step = std::max<int64_t>(1, (int64_t{1} << 20) / out->unit_bytes());
  for (int64_t begin = 0; begin < out->n_units(); begin += step) {
    const int64_t end = std::min(begin + step, out->n_units());
    pieces_.push_back({.fill = [=](std::byte* at) { kernels::pack_neurons(source, begin, end, at); },
                       .offset = offset,
                       .weight = (end - begin) * out->unit_bytes()});
  }
  set_pointers_.push_back([=](const std::byte* base) { out->data = base + offset; });
}

Status WeightLoader::pack(ThreadPool& pool, const std::function<void(double)>& progress) {
  const size_t available = available_memory_bytes();
  if (available > 0 && static_cast<size_t>(bytes_) > available) {
    return make_error(ErrorKind::out_of_memory,
                      "{}: the weights need {:.1f} GiB of memory, {:.1f} GiB are free", file_.path(),
                      static_cast<double>(bytes_) / 0x1p30, static_cast<double>(available) / 0x1p30);
  }
  PLM_TRY(buffer_, AlignedBuffer::allocate(static_cast<size_t>(bytes_) + 128));
  // The file's pages are needed once (later only single rows of the embedding): they are handed back
  // along the way, or the whole file would count as this process's memory beside the packed copy.
  const auto discard_file = [&] {
    for (int shard = 0; shard < static_cast<int>(file_.shard_paths().size()); ++shard) {
      if (const MappedFile* mapping = file_.mapping(shard)) mapping->discard(0, mapping->bytes().size());
    }
  };
  constexpr int64_t kDiscardEvery = int64_t{64} << 20;
  std::atomic<int64_t> done{0};
  int64_t discarded_at = 0;  // thread 0's
  pool.run([&](int thread) {
    for (int64_t i; (i = pool.next_item()) < static_cast<int64_t>(pieces_.size());) {
      const Piece& piece = pieces_[static_cast<size_t>(i)];
      piece.fill(buffer_.data() + piece.offset);
      const int64_t now = done.fetch_add(piece.weight) + piece.weight;
      if (thread == 0 && progress) progress(static_cast<double>(now) / static_cast<double>(bytes_));
      if (thread == 0 && now - discarded_at > kDiscardEvery) {
        discard_file();
        discarded_at = now;
      }
    }
  });
  for (const auto& set_pointer : set_pointers_) set_pointer(buffer_.data());
  pieces_.clear();
  set_pointers_.clear();
  discard_file();
  return {};
}

}  // namespace plm::model
