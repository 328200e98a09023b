#include "hub/names.h"

#include <algorithm>
#include <cctype>

namespace plm::hub {
namespace {

constexpr size_t kMaxRepository = 96;  // huggingface_hub's limit
constexpr size_t kMaxPart = 255;       // of a file name, on every file system in use
constexpr size_t kMaxName = 1024;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
}

bool is_plain_name(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_name_character)) return false;
  const auto is_edge = [](char c) { return c == '-' || c == '.'; };
  return !is_edge(text.front()) && !is_edge(text.back()) && !contains(text, "--") && !contains(text, "..");
}

// Calls visit(part) for each part between slashes until it gives false; whether it never did.
template <class Visit>
bool all_parts(std::string_view text, Visit&& visit) {
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('/', begin), text.size());
    if (!visit(text.substr(begin, end - begin))) return false;
    begin = end + 1;
  }
  return true;
}

// What a message may show of a name nobody has checked.
std::string shown(std::string_view text) {
  std::string clean(text.substr(0, 80));
  std::replace_if(clean.begin(), clean.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return clean + (text.size() > 80 ? "..." : "");
}

}  // namespace

Result<Source> parse_source(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view repository = text.substr(0, colon);
  const size_t slash = repository.find('/');
  const bool has_two_parts =
      slash != std::string_view::npos && repository.find('/', slash + 1) == std::string_view::npos;
  if (!has_two_parts || repository.size() > kMaxRepository || !is_plain_name(repository.substr(0, slash)) ||
      !is_plain_name(repository.substr(slash + 1)) || repository.ends_with(".git")) {
    return make_error(
        ErrorKind::invalid_argument,
        "repository \"{}\": expected USER/REPO or USER/REPO:QUANT, of letters, digits, '-', '_' "
        "and '.'",
        shown(text));
  }
  Source source{.repository = std::string(repository), .quant = {}};
  if (colon != std::string_view::npos) {
    source.quant = text.substr(colon + 1);
    if (!is_plain_name(source.quant)) {
      return make_error(ErrorKind::invalid_argument,
                        "repository \"{}\": quantisation \"{}\": expected a name such as Q4_K_M", shown(text),
                        shown(source.quant));
    }
  }
  return source;
}

Status check_revision(std::string_view revision) {
  const bool is_good = revision.size() <= kMaxPart && all_parts(revision, is_plain_name);
  if (is_good) return {};
  return make_error(ErrorKind::invalid_argument, "revision \"{}\": expected a branch, a tag or a commit",
                    shown(revision));
}

Status check_file_name(std::string_view name) {
  const auto is_harmless = [](std::string_view part) {
    if (part.empty() || part.size() > kMaxPart || part == "." || part == "..") return false;
    return std::none_of(part.begin(), part.end(),
                        [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\' || c == ':'; });
  };
  if (name.size() <= kMaxName && all_parts(name, is_harmless)) return {};
  return make_error(ErrorKind::bad_data, "file name \"{}\": expected a relative path without \"..\"",
                    shown(name));
}

bool is_hexadecimal(std::string_view text, size_t n_digits) {
  return text.size() == n_digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_commit(std::string_view text) { return is_hexadecimal(text, 40); }

std::string repository_folder(std::string_view repository) {
  std::string folder = "models--";
  for (const char c : repository) folder += c == '/' ? std::string("--") : std::string(1, c);
  return folder;
}

}  // namespace plm::hub
