#include "tokenizer/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "tokenizer/character_class.h"

namespace plm::tokenizer {
namespace {

bool is_active(const ClassifiedChar& c) { return (c.flags & kNfcActive) != 0; }

utf8proc_propval_t combining_class(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

// utf8proc's own utf8proc_map sorts marks by exchanging neighbours, which takes hours on a megabyte of marks
// in the wrong order; so the three steps of NFC are taken one by one and the middle one sorts properly.
void append_nfc(std::string& out, const std::vector<utf8proc_int32_t>& code_points) {
  constexpr int kLongestDecomposition = 18;  // of one code point, in any Unicode so far
  std::vector<utf8proc_int32_t> decomposed;
  for (const utf8proc_int32_t code_point : code_points) {
    utf8proc_int32_t parts[kLongestDecomposition];
    int boundary_class = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        code_point, parts, kLongestDecomposition,
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE), &boundary_class);
    PLM_CHECK(count >= 0 && count <= kLongestDecomposition);
    decomposed.insert(decomposed.end(), parts, parts + count);
  }
  for (auto run = decomposed.begin(); run != decomposed.end();) {
    if (combining_class(*run) == 0) {
      ++run;
      continue;
    }
    const auto run_end =
        std::find_if(run, decomposed.end(), [](utf8proc_int32_t c) { return combining_class(c) == 0; });
    std::stable_sort(run, run_end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    run = run_end;
  }
  const utf8proc_ssize_t count =
      utf8proc_normalize_utf32(decomposed.data(), static_cast<utf8proc_ssize_t>(decomposed.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  PLM_CHECK(count >= 0);
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    append_utf8(out, static_cast<std::uint32_t>(decomposed[static_cast<std::size_t>(i)]));
  }
}

}  // namespace

bool may_change_under_nfc(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const ClassifiedChar c = classify(p, end);
    if (is_active(c)) return true;
    p += c.length;
  }
  return false;
}

std::string nfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const char* const end = text.data() + text.size();
  std::vector<utf8proc_int32_t> segment;  // an inert character and the active ones after it
  for (const char* p = text.data(); p < end;) {
    const ClassifiedChar first = classify(p, end);
    const char* const segment_end = skip_run(p + first.length, end, is_active);
    if (first.code_point == kInvalidCodePoint || (segment_end == p + first.length && !is_active(first))) {
      out.append(p, first.length);
      p += first.length;
      continue;
    }
    segment.clear();
    while (p < segment_end) {
      const Utf8Char c = decode_utf8(p, segment_end);
      segment.push_back(static_cast<utf8proc_int32_t>(c.code_point));
      p += c.length;
    }
    append_nfc(out, segment);
  }
  return out;
}

}  // namespace plm::tokenizer
