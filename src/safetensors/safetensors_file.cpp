#include "safetensors/safetensors_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

namespace plm::safetensors {
namespace {

// Sorted keys, not nlohmann::ordered_json: that one searches linearly, and a hostile header has many keys.
using Json = nlohmann::json;

// The reference implementation's limit.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kLengthBytes = sizeof(uint64_t);
// {"name": {"shape": [..]}} has three levels; more is refused before the parser's stack grows.
constexpr int kMaxJsonDepth = 4;
constexpr char kMetadataKey[] = "__metadata__";

// A name for a message: what is not plain ASCII is shown as JSON escapes it.
std::string shown(std::string_view name) {
  constexpr size_t kShown = 80;
  const std::string text(name.substr(0, kShown));
  return Json(text).dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) +
         (name.size() > kShown ? "..." : "");
}

// The header as JSON. nlohmann keeps the last of two equal keys; here they are an error, as is depth.
Result<Json> parse_json(std::string_view text) {
  std::vector<std::set<std::string>> open_objects;
  Error problem;
  bool refused = false;
  const auto refuse = [&](Error error) {
    refused = true;
    problem = std::move(error);
    return false;
  };
  const Json::parser_callback_t check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (refused) return false;
    if (depth >= kMaxJsonDepth) {
      return refuse(make_error(ErrorKind::bad_data,
                               "header: found more than {} levels of nesting, expected fewer",
                               kMaxJsonDepth));
    }
    if (event == Json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == Json::parse_event_t::object_end) open_objects.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!open_objects.back().insert(key).second) {
        return refuse(make_error(ErrorKind::bad_data, "header: {}: found twice, expected once", shown(key)));
      }
    }
    return true;
  };
  Json json = Json::parse(text.begin(), text.end(), check, /*allow_exceptions=*/false);
  if (refused) return problem;
  if (json.is_discarded() || !json.is_object()) {
    return make_error(ErrorKind::bad_data, "header: found text that is not a JSON object, expected one");
  }
  return json;
}

Result<std::string_view> read_header(std::span<const std::byte> bytes) {
  static_assert(std::endian::native == std::endian::little);
  if (bytes.size() < kLengthBytes) {
    return make_error(ErrorKind::bad_data, "header length: found a file of {} bytes, expected at least {}",
                      bytes.size(), kLengthBytes);
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  const uint64_t most = std::min<uint64_t>(bytes.size() - kLengthBytes, kMaxHeaderBytes);
  if (length > most) {
    return make_error(ErrorKind::bad_data,
                      "header length: found {}, expected at most {} (is this safetensors?)", length, most);
  }
  return std::string_view(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
}

// A size or an offset: an integer of JSON that is not negative and fits an int64.
Result<uint64_t> read_integer(const Json& json, std::string_view field) {
  // Unsigned numbers of JSON include all that are not negative.
  if (!json.is_number_unsigned() || json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
    return make_error(ErrorKind::bad_data, "{}: found {}, expected an integer from 0 to 2^63 - 1", field,
                      json.is_number() ? json.dump() : json.type_name());
  }
  return json.get<uint64_t>();
}

// Offsets stay relative to the start of the data here.
Result<TensorInfo> read_tensor(const std::string& name, const Json& json, uint64_t data_bytes) {
  TensorInfo tensor;
  tensor.name = name;
  if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets")) {
    return make_error(ErrorKind::bad_data, "found {}, expected an object with dtype, shape and data_offsets",
                      json.type_name());
  }
  const Json& dtype_json = json["dtype"];
  const auto dtype =
      dtype_json.is_string() ? dtype_from_name(dtype_json.get_ref<const std::string&>()) : std::nullopt;
  if (!dtype) {
    return make_error(
        ErrorKind::unsupported, "dtype: found {}, expected a known type such as \"F32\"",
        dtype_json.is_string() ? shown(dtype_json.get_ref<const std::string&>()) : dtype_json.type_name());
  }
  tensor.dtype = *dtype;
  if (!json["shape"].is_array()) {
    return make_error(ErrorKind::bad_data, "shape: found {}, expected an array", json["shape"].type_name());
  }
  for (const Json& size_json : json["shape"]) {
    PLM_TRY(const uint64_t size, read_integer(size_json, "shape"));
    tensor.shape.push_back(static_cast<int64_t>(size));
  }
  PLM_TRY(tensor.bytes, tensor_bytes(tensor.dtype, tensor.shape));
  const Json& offsets = json["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2) {
    return make_error(ErrorKind::bad_data, "data_offsets: found {}, expected an array of two",
                      offsets.type_name());
  }
  PLM_TRY(const uint64_t begin, read_integer(offsets[0], "data_offsets"));
  PLM_TRY(const uint64_t end, read_integer(offsets[1], "data_offsets"));
  if (begin > end || end > data_bytes) {
    return make_error(
        ErrorKind::bad_data,
        "data_offsets: found {} to {}, expected a range within the {} bytes of data (is the file "
        "truncated?)",
        begin, end, data_bytes);
  }
  if (end - begin != tensor.bytes) {
    return make_error(ErrorKind::bad_data, "data_offsets: found {} bytes, expected the {} of dtype and shape",
                      end - begin, tensor.bytes);
  }
  tensor.file_offset = begin;
  return tensor;
}

// Sorted by offset, the tensors must follow each other from the first byte of data to the last: no
// overlap and no bytes that nothing describes.
Status check_cover(std::span<const TensorInfo> tensors, uint64_t data_bytes) {
  uint64_t end = 0;
  for (const TensorInfo& tensor : tensors) {
    if (tensor.file_offset != end) {
      return make_error(ErrorKind::bad_data, "tensor {}: data_offsets: found a start of {}, expected {} ({})",
                        shown(tensor.name), tensor.file_offset, end,
                        tensor.file_offset < end ? "it overlaps the tensor before" : "there is a gap");
    }
    end += tensor.bytes;
  }
  if (end != data_bytes) {
    return make_error(ErrorKind::bad_data, "data: found {} bytes, expected the {} of all tensors", data_bytes,
                      end);
  }
  return {};
}

Result<std::vector<File::MetadataEntry>> read_metadata(const Json& json) {
  if (!json.is_object()) {
    return make_error(ErrorKind::bad_data, "{}: found {}, expected an object", kMetadataKey,
                      json.type_name());
  }
  std::vector<File::MetadataEntry> metadata;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      return make_error(ErrorKind::bad_data, "{}: {}: found {}, expected a string", kMetadataKey, shown(key),
                        value.type_name());
    }
    metadata.push_back({key, value.get<std::string>()});
  }
  return metadata;
}

struct Contents {
  std::vector<File::MetadataEntry> metadata;
  std::vector<TensorInfo> tensors;
};

Result<Contents> read_contents(std::span<const std::byte> bytes) {
  PLM_TRY(const std::string_view header, read_header(bytes));
  const uint64_t data_begin = kLengthBytes + header.size();
  const uint64_t data_bytes = bytes.size() - data_begin;
  PLM_TRY(const Json json, parse_json(header));
  Contents contents;
  for (const auto& [name, value] : json.items()) {
    if (name == kMetadataKey) {
      PLM_TRY(contents.metadata, read_metadata(value));
      continue;
    }
    auto tensor = read_tensor(name, value, data_bytes);
    if (!tensor) return tensor.error().with_context(fmt::format("tensor {}", shown(name)));
    contents.tensors.push_back(*std::move(tensor));
  }
  // By size after offset: empty tensors come before what begins at the same place.
  std::sort(contents.tensors.begin(), contents.tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.file_offset, a.bytes, a.name) < std::tie(b.file_offset, b.bytes, b.name);
  });
  PLM_TRY_STATUS(check_cover(contents.tensors, data_bytes));
  for (TensorInfo& tensor : contents.tensors) tensor.file_offset += data_begin;
  return contents;
}

}  // namespace

Result<File> File::open(const std::string& path) {
  PLM_TRY(MappedFile mapping, MappedFile::open(path));
  PLM_TRY(File file, parse(mapping.bytes(), path));
  file.mapping_ = std::move(mapping);
  return file;
}

Result<File> File::parse(std::span<const std::byte> bytes, std::string name) {
  auto contents = read_contents(bytes);
  if (!contents) return contents.error().with_context(name);
  File file;
  file.path_ = std::move(name);
  file.bytes_ = bytes;
  file.metadata_ = std::move(contents->metadata);
  file.tensors_ = std::move(contents->tensors);
  file.tensors_by_name_.resize(file.tensors_.size());
  std::iota(file.tensors_by_name_.begin(), file.tensors_by_name_.end(), 0U);
  std::sort(file.tensors_by_name_.begin(), file.tensors_by_name_.end(),
            [&](uint32_t a, uint32_t b) { return file.tensors_[a].name < file.tensors_[b].name; });
  return file;
}

const std::string* File::find_metadata(std::string_view key) const {
  const auto found = std::find_if(metadata_.begin(), metadata_.end(),
                                  [&](const MetadataEntry& entry) { return entry.key == key; });
  return found == metadata_.end() ? nullptr : &found->value;
}

const TensorInfo* File::find_tensor(std::string_view name) const {
  const auto found =
      std::lower_bound(tensors_by_name_.begin(), tensors_by_name_.end(), name,
                       [&](uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  if (found == tensors_by_name_.end() || tensors_[*found].name != name) return nullptr;
  return &tensors_[*found];
}

}  // namespace plm::safetensors
