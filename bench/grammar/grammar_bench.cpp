// What a JSON schema costs a token: grammar_bench VOCABULARY.gguf. A record is written token by token under
// its schema, by a first answer and by a second one of the same schema; the time of each mask is taken.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

#include "grammar/constraint.h"
#include "grammar/json_schema.h"
#include "runtime/vocabulary_file.h"

namespace {

using plm::grammar::Constraint;
using plm::grammar::Matcher;
using plm::grammar::TokenIndex;

constexpr const char* kSchema = R"({
  "type": "object",
  "properties": {
    "name": {"type": "string", "minLength": 1, "maxLength": 40},
    "kind": {"enum": ["person", "company", "public body"]},
    "born": {"type": "string", "format": "date"},
    "email": {"type": "string", "pattern": "^[a-z0-9._]{1,30}@[a-z0-9.]{1,30}$"},
    "summary": {"type": "string"},
    "scores": {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 8},
    "tags": {"type": "array", "items": {"type": "string"}},
    "address": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/address"}]},
    "friends": {"type": "array", "items": {"type": "object",
      "properties": {"name": {"type": "string"}, "since": {"type": "integer", "minimum": 1900, "maximum": 2100}},
      "required": ["name", "since"]}}
  },
  "required": ["name", "kind", "born", "email", "summary", "scores", "tags", "address", "friends"],
  "additionalProperties": false,
  "$defs": {"address": {"type": "object",
    "properties": {"street": {"type": "string"}, "number": {"type": "integer", "minimum": 1}, "town": {"type": "string"}},
    "required": ["street", "number", "town"]}}
})";

constexpr const char* kRecord =
    R"({"name": "Ada Lovelace", "kind": "person", "born": "1815-12-10", "email": "ada.l@analytical.engine", )"
    R"("summary": "Wrote the first program for a machine that was never built, and saw that it could do more than count.", )"
    R"("scores": [9.5, 8, 10, 7.25], "tags": ["mathematics", "poetry", "računalništvo 😀"], )"
    R"("address": {"street": "St James's Square", "number": 12, "town": "London"}, )"
    R"("friends": [{"name": "Charles Babbage", "since": 1933}, {"name": "Mary Somerville", "since": 1934}]})";

double milliseconds(auto&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// The times of the masks, in microseconds; empty where the record does not keep to the schema.
std::vector<double> write(Matcher& matcher, std::span<const plm::tokenizer::TokenId> ids) {
  std::vector<double> times;
  for (const auto id : ids) {
    bool fits = false;
    times.push_back(1e3 * milliseconds([&] {
                      const auto allowed = matcher.allowed();
                      fits = allowed.ok() && allowed->is(id);
                    }));
    if (!fits || !matcher.accept(id).ok()) return {};
  }
  return times;
}

bool report(const char* which, std::vector<double> times) {
  if (times.empty()) return false;
  const double mean = std::reduce(times.begin(), times.end()) / static_cast<double>(times.size());
  std::ranges::sort(times);
  std::printf("%-14s %zu masks, mean %7.1f us, median %6.1f us, worst %7.1f us\n", which, times.size(), mean,
              times[times.size() / 2], times.back());
  return true;
}

int run(const char* path) {
  const auto file = plm::gguf::File::open(path);
  const auto tokenizer = file.ok() ? plm::runtime::load_tokenizer(*file) : file.error();
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", tokenizer.error().message.c_str());
    return 1;
  }
  std::shared_ptr<const TokenIndex> index;
  std::printf("%zu tokens\n", tokenizer->vocabulary_size());
  std::printf("set-up         %.1f ms\n", milliseconds([&] { index = TokenIndex::create(*tokenizer); }));
  std::shared_ptr<const Constraint> constraint;
  const double compile = milliseconds([&] {
    const auto grammar = plm::grammar::parse_json_schema(kSchema);
    if (!grammar.ok()) return;
    auto made = Constraint::create(*grammar, index);
    if (made.ok()) constraint = *std::move(made);
  });
  if (constraint == nullptr) return 1;
  std::printf("schema         %.1f ms\n", compile);
  const auto ids = tokenizer->encode(kRecord);
  Matcher first(constraint), second(constraint);
  const bool is_written =
      report("first answer", write(first, ids)) && report("second answer", write(second, ids));
  if (!is_written) std::fprintf(stderr, "the record does not keep to the schema\n");
  return is_written ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: grammar_bench VOCABULARY.gguf\n", stderr);
    return 2;
  }
  return run(argv[1]);
}
