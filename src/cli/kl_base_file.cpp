#include "cli/kl_base_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace plm::cli {

namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they are in memory");

constexpr std::string_view kMagic = "_logits_";
constexpr size_t kHeaderBytes = kMagic.size() + 3 * sizeof(int32_t);
constexpr float kRange = 16.0f;  // of log-probabilities kept below the best
constexpr float kSteps = 65535.0f;

}  // namespace

Result<KlBaseWriter> KlBaseWriter::create(const std::string& path, const KlBaseShape& shape,
                                          std::span<const tokenizer::TokenId> tokens) {
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  const std::array<int32_t, 3> header = {shape.n_context, shape.n_vocabulary, shape.n_chunks};
  PLM_TRY_STATUS(file.write(kMagic));
  PLM_TRY_STATUS(file.write(std::as_bytes(std::span(header))));
  PLM_TRY_STATUS(file.write(std::as_bytes(tokens)));
  KlBaseWriter writer(std::move(file));
  writer.row_.resize(static_cast<size_t>(shape.row_bytes()) / sizeof(uint16_t));
  return writer;
}

Status KlBaseWriter::append(std::span<const float> logits, double log_sum_exp) {
  const auto [least, most] = std::minmax_element(logits.begin(), logits.end());
  const float minimum = std::max(*least, *most - kRange);
  const std::array<float, 2> head = {(*most - minimum) / kSteps, static_cast<float>(minimum - log_sum_exp)};
  std::memcpy(row_.data(), head.data(), sizeof(head));
  uint16_t* const steps = row_.data() + sizeof(head) / sizeof(uint16_t);
  const float inverse = head[0] > 0.0f ? 1.0f / head[0] : 0.0f;
  for (size_t i = 0; i < logits.size(); ++i) {
    const float step = logits[i] > minimum ? std::nearbyint(inverse * (logits[i] - minimum)) : 0.0f;
    steps[i] = static_cast<uint16_t>(std::min(step, kSteps));
  }
  return file_.write(std::as_bytes(std::span(row_)));
}

Result<KlBaseReader> KlBaseReader::open(const std::string& path) {
  KlBaseReader reader;
  PLM_TRY(reader.file_, MappedFile::open(path));
  const auto bytes = reader.file_.bytes();
  if (bytes.size() < kHeaderBytes || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return make_error(ErrorKind::bad_data, "{}: not a file of base probabilities: it does not begin with {}",
                      path, kMagic);
  }
  std::array<int32_t, 3> header{};
  std::memcpy(header.data(), bytes.data() + kMagic.size(), sizeof(header));
  reader.shape_ = {.n_context = header[0], .n_vocabulary = header[1], .n_chunks = header[2]};
  // With these limits the bytes below stay within 63 bits.
  constexpr std::array<int32_t, 3> kMaxCounts = {1 << 20, 1 << 22, 1 << 20};
  for (size_t i = 0; i < header.size(); ++i) {
    if (header[i] < 1 || header[i] > kMaxCounts[i]) {
      return make_error(ErrorKind::bad_data, "{}: header: found a count of {}, expected 1 to {}", path,
                        header[i], kMaxCounts[i]);
    }
  }
  const KlBaseShape& shape = reader.shape_;
  const int64_t n_tokens = int64_t{shape.n_chunks} * shape.n_context;
  const int64_t n_rows = shape.n_chunks * shape.rows_per_chunk();
  const int64_t expected =
      static_cast<int64_t>(kHeaderBytes + sizeof(int32_t) * static_cast<size_t>(n_tokens)) +
      n_rows * shape.row_bytes();
  if (expected != static_cast<int64_t>(bytes.size())) {
    return make_error(ErrorKind::bad_data, "{}: found {} bytes, expected {} for {} chunks of {} tokens", path,
                      bytes.size(), expected, shape.n_chunks, shape.n_context);
  }
  reader.tokens_.resize(static_cast<size_t>(n_tokens));
  std::memcpy(reader.tokens_.data(), bytes.data() + kHeaderBytes, reader.tokens_.size() * sizeof(int32_t));
  for (const auto token : reader.tokens_) {
    if (token < 0 || token >= shape.n_vocabulary) {
      return make_error(ErrorKind::bad_data, "{}: token id {} is not in the vocabulary of {}", path, token,
                        shape.n_vocabulary);
    }
  }
  reader.rows_offset_ = kHeaderBytes + reader.tokens_.size() * sizeof(int32_t);
  return reader;
}

void KlBaseReader::read_row(int64_t chunk, int64_t row, std::span<float> out) const {
  const int64_t index = chunk * shape_.rows_per_chunk() + row;
  const std::byte* data =
      file_.bytes().data() + rows_offset_ + static_cast<size_t>(index * shape_.row_bytes());
  std::array<float, 2> head{};
  std::memcpy(head.data(), data, sizeof(head));
  data += sizeof(head);
  for (float& value : out) {
    uint16_t step = 0;
    std::memcpy(&step, data, sizeof(step));
    data += sizeof(step);
    value = head[1] + head[0] * static_cast<float>(step);
  }
}

}  // namespace plm::cli
