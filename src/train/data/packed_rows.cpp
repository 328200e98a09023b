#include "train/data/packed_rows.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "train/data/counter_random.h"
#include "train/data/stable_hash.h"

namespace plm::train {

namespace {

constexpr int64_t kMaxBatchNumbers = int64_t{1} << 32;  // 32 GiB in each array of a batch: a mistake

bool is_wanted(size_t source, const std::vector<MixturePhase>& phases) {
  return phases.empty() || std::any_of(phases.begin(), phases.end(), [source](const MixturePhase& phase) {
           return phase.weights[source] > 0;
         });
}

}  // namespace

Result<std::unique_ptr<PackedRows>> PackedRows::create(std::vector<NamedStream> sources,
                                                       PackedRowsOptions options) {
  if (options.row_tokens < 1) {
    return make_error(ErrorKind::invalid_argument, "row length: found {}, expected 1 token or more",
                      options.row_tokens);
  }
  if (sources.empty()) return make_error(ErrorKind::invalid_argument, "no source of training text");
  std::unique_ptr<PackedRows> rows(new PackedRows);
  std::vector<std::string> names;
  for (const auto& source : sources) names.push_back(source.name);
  if (!options.phases.empty()) {
    PLM_TRY(Mixture mixture, Mixture::create(options.phases, names, options.seed));
    rows->mixture_.push_back(std::move(mixture));
  }
  for (size_t s = 0; s < sources.size(); ++s) {
    if (sources[s].tokens->n_tokens() == 0 && is_wanted(s, options.phases)) {
      return make_error(ErrorKind::bad_data, "{}: holds no token", sources[s].name);
    }
  }
  rows->sources_ = std::move(sources);
  rows->options_ = std::move(options);
  if (rows->mixture_.empty()) {
    std::vector<size_t> all(names.size());
    std::iota(all.begin(), all.end(), 0u);
    rows->pools_.push_back(rows->make_pool(std::move(all)));
  } else {
    for (size_t s = 0; s < names.size(); ++s) rows->pools_.push_back(rows->make_pool({s}));
  }
  return rows;
}

int64_t PackedRows::n_rows_of(size_t source) const {
  const int64_t n_tokens = sources_[source].tokens->n_tokens();
  return n_tokens / options_.row_tokens + (n_tokens % options_.row_tokens != 0 ? 1 : 0);
}

PackedRows::Pool PackedRows::make_pool(std::vector<size_t> sources) const {
  Pool pool{.sources = std::move(sources), .first_row = {0}};
  StableHash names;
  for (const size_t s : pool.sources) {
    pool.first_row.push_back(pool.first_row.back() + n_rows_of(s));
    names.add(sources_[s].name);
  }
  pool.key = combine_keys(options_.seed, hash128(names.hex()).low);
  return pool;
}

int64_t PackedRows::rows_in_epoch() const {
  int64_t n_rows = 0;
  for (const Pool& pool : pools_) n_rows += pool.n_rows();
  return n_rows;
}

PackedRows::Place PackedRows::place_in(const Pool& pool, int64_t ordinal) const {
  const int64_t epoch = ordinal / pool.n_rows();
  int64_t row = ordinal % pool.n_rows();
  if (options_.order == RowOrder::shuffled) {
    row = Permutation(pool.n_rows(), combine_keys(pool.key, static_cast<uint64_t>(epoch))).at(row);
  }
  const auto after = std::upper_bound(pool.first_row.begin(), pool.first_row.end(), row);
  const auto i = static_cast<size_t>(after - pool.first_row.begin()) - 1;
  return {pool.sources[i], row - pool.first_row[i]};
}

std::vector<PackedRows::Place> PackedRows::places(int64_t first_row, int64_t n_rows) const {
  std::vector<Place> places;
  places.reserve(static_cast<size_t>(n_rows));
  if (mixture_.empty()) {
    for (int64_t b = 0; b < n_rows; ++b) places.push_back(place_in(pools_[0], first_row + b));
  } else {
    for (const auto& pick : mixture_[0].pick(first_row, n_rows)) {
      places.push_back(place_in(pools_[static_cast<size_t>(pick.source)], pick.ordinal));
    }
  }
  return places;
}

std::vector<int64_t> PackedRows::sources_of(int64_t first_row, int64_t n_rows) const {
  std::vector<int64_t> sources;
  for (const Place& place : places(first_row, n_rows)) sources.push_back(static_cast<int64_t>(place.source));
  return sources;
}

Status PackedRows::fill_row(Place place, Batch& batch, int64_t b) const {
  const TokenStream& stream = *sources_[place.source].tokens;
  const int64_t T = options_.row_tokens;
  const int64_t begin = place.row * T;
  const int64_t n_real = std::min(T, stream.n_tokens() - begin);
  const int64_t n_read = std::min(T + 1, stream.n_tokens() - begin);
  std::vector<int64_t> tokens(static_cast<size_t>(n_read));
  PLM_TRY_STATUS(stream.read(begin, tokens));

  const auto ids = batch.ids_BT.begin() + b * T;
  const auto labels = batch.labels_BT.begin() + b * T;
  std::fill(std::copy_n(tokens.begin(), n_real, ids), ids + T, options_.padding_token);
  std::fill(std::copy(tokens.begin() + 1, tokens.end(), labels), labels + T, kIgnoredLabel);
  if (options_.attention == DocumentAttention::across) return {};

  const auto documents = batch.documents_BT.begin() + b * T;
  int64_t number = 0, filled = 0;
  for (const int64_t start : stream.document_starts(begin, begin + n_read)) {
    const int64_t at = start - begin;
    labels[at - 1] = kIgnoredLabel;
    std::fill(documents + filled, documents + at, number++);
    filled = at;
  }
  std::fill(documents + filled, documents + n_real, number);
  std::fill(documents + n_real, documents + T, number + 1);
  return {};
}

Result<Batch> PackedRows::batch(int64_t first_row, int64_t n_rows) const {
  if (first_row < 0 || n_rows < 1 || first_row > std::numeric_limits<int64_t>::max() - n_rows) {
    return make_error(ErrorKind::invalid_argument, "{} rows of the training data from row {} on do not exist",
                      n_rows, first_row);
  }
  if (n_rows > kMaxBatchNumbers / options_.row_tokens) {
    return make_error(ErrorKind::invalid_argument, "a batch of {} rows of {} tokens is too large", n_rows,
                      options_.row_tokens);
  }
  Batch batch{.n_rows = n_rows, .row_tokens = options_.row_tokens};
  const auto n_numbers = static_cast<size_t>(n_rows * options_.row_tokens);
  batch.ids_BT.resize(n_numbers);
  batch.labels_BT.resize(n_numbers);
  if (options_.attention == DocumentAttention::within) batch.documents_BT.resize(n_numbers);
  int64_t b = 0;
  for (const Place& place : places(first_row, n_rows)) PLM_TRY_STATUS(fill_row(place, batch, b++));
  return batch;
}

std::string PackedRows::fingerprint() const {
  StableHash hash;
  for (const auto& source : sources_) {
    hash.add(source.name);
    hash.add(source.tokens->fingerprint());
  }
  hash.add_number(static_cast<uint64_t>(options_.row_tokens));
  hash.add_number(options_.seed);
  hash.add_number(static_cast<uint64_t>(options_.order));
  hash.add_number(static_cast<uint64_t>(options_.attention));
  hash.add_number(static_cast<uint64_t>(options_.padding_token));
  return hash.hex();
}

}  // namespace plm::train
