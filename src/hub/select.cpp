#include "hub/select.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

namespace plm::hub {
namespace {

constexpr std::array<std::string_view, 2> kDefaultQuants = {"Q4_K_M", "Q4_0"};
constexpr std::string_view kModelSuffix = ".gguf";

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// "name-00002-of-00003.gguf": the name before it, and the two numbers.
struct Shard {
  std::string_view stem;
  int number = 0, count = 0;
};

std::optional<Shard> parse_shard(std::string_view file) {
  constexpr size_t kDigits = 5, kTail = 2 * kDigits + 5;  // "-00002-of-00003"
  if (!file.ends_with(kModelSuffix)) return std::nullopt;
  file.remove_suffix(kModelSuffix.size());
  if (file.size() <= kTail) return std::nullopt;
  const std::string_view tail = file.substr(file.size() - kTail);
  const auto number = [](std::string_view digits) {
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() ? value : 0;
  };
  const int first = number(tail.substr(1, kDigits)), count = number(tail.substr(kTail - kDigits));
  if (tail[0] != '-' || tail.substr(1 + kDigits, 4) != "-of-" || first < 1 || count < first)
    return std::nullopt;
  return Shard{.stem = file.substr(0, file.size() - kTail), .number = first, .count = count};
}

// A GGUF that is a language model, or the first shard of one.
bool is_model(std::string_view file) {
  const std::string name = lower(file.substr(file.rfind('/') + 1));
  if (!name.ends_with(kModelSuffix)) return false;
  if (name.find("mmproj") != std::string::npos || name.find("imatrix") != std::string::npos) return false;
  const auto shard = parse_shard(file);
  return !shard || shard->number == 1;
}

// Whether the quantisation stands in the path as a word: "x-Q4_K_M.gguf", "Q4_K_M/x.gguf",
// "x.q4_k_m-00001-of-..".
bool names_quant(std::string_view file, std::string_view quant) {
  const std::string path = lower(file), word = lower(quant);
  for (size_t at = 0; (at = path.find(word, at)) != std::string::npos; ++at) {
    const bool begins = at == 0 || std::isalnum(static_cast<unsigned char>(path[at - 1])) == 0;
    const size_t end = at + word.size();
    const bool ends = end < path.size() && (path[end] == '.' || path[end] == '-' || path[end] == '/');
    if (begins && ends) return true;
  }
  return false;
}

Result<std::vector<std::string>> with_all_shards(std::span<const std::string> files,
                                                 const std::string& chosen, std::string_view where) {
  const auto shard = parse_shard(chosen);
  if (!shard) return std::vector{chosen};
  std::vector<std::string> shards;
  for (int i = 1; i <= shard->count; ++i) {
    shards.push_back(fmt::format("{}-{:05}-of-{:05}{}", shard->stem, i, shard->count, kModelSuffix));
    if (std::find(files.begin(), files.end(), shards.back()) == files.end()) {
      return make_error(ErrorKind::bad_data, "{}: shard {} of {} is not there", where, shards.back(), chosen);
    }
  }
  return shards;
}

std::string list_models(std::span<const std::string> files) {
  constexpr int kMaxShown = 12;
  std::string text;
  int n_models = 0;
  for (const std::string& file : files) {
    if (is_model(file) && n_models++ < kMaxShown) text += (text.empty() ? "" : ", ") + file;
  }
  if (n_models == 0) return "no GGUF models";
  return n_models > kMaxShown ? fmt::format("{} and {} more", text, n_models - kMaxShown) : text;
}

Result<std::vector<std::string>> matching_globs(std::span<const std::string> files, const Wish& wish,
                                                std::string_view where) {
  std::vector<std::string> matching;
  for (const std::string& file : files) {
    const auto matches = [&](const std::string& glob) {
      return ::fnmatch(glob.c_str(), file.c_str(), 0) == 0;
    };
    if (std::any_of(wish.globs.begin(), wish.globs.end(), matches)) matching.push_back(file);
  }
  if (!matching.empty()) return matching;
  return make_error(ErrorKind::not_found, "{}: none of {} files matches {}", where, files.size(),
                    fmt::join(wish.globs, ", "));
}

}  // namespace

Result<std::vector<std::string>> select_files(std::span<const std::string> files, const Wish& wish,
                                              std::string_view where) {
  if (!wish.globs.empty()) return matching_globs(files, wish, where);
  if (!wish.file.empty()) {
    if (std::find(files.begin(), files.end(), wish.file) != files.end()) {
      return with_all_shards(files, wish.file, where);
    }
    return make_error(ErrorKind::not_found, "{}: no file {}; there are: {}", where, wish.file,
                      list_models(files));
  }
  std::vector<std::string_view> quants(kDefaultQuants.begin(), kDefaultQuants.end());
  if (!wish.quant.empty()) quants = {wish.quant};
  for (const std::string_view quant : quants) {
    for (const std::string& file : files) {
      if (is_model(file) && names_quant(file, quant)) return with_all_shards(files, file, where);
    }
  }
  if (wish.quant.empty()) {
    const auto first = std::find_if(files.begin(), files.end(), is_model);
    if (first != files.end()) return with_all_shards(files, *first, where);
    return make_error(ErrorKind::not_found, "{}: no GGUF model among {} files", where, files.size());
  }
  return make_error(ErrorKind::not_found, "{}: no model of type {}; there are: {}", where, wish.quant,
                    list_models(files));
}

}  // namespace plm::hub
