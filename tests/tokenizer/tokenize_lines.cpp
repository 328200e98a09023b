// A filter for tests/python/test_tokenizer_differential.py: one JSON string a line in, one JSON array a line
// out. `tokenize_lines ids VOCABULARY.gguf [NORMALIZER]` writes ids with special tokens parsed;
// `tokenize_lines words PRE_TOKENIZER` writes the words of a pre-tokenizer.
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/vocabulary_file.h"
#include "tokenizer/pre_tokenizer.h"

namespace {

using Filter = std::function<nlohmann::json(const std::string&)>;

plm::Result<Filter> id_filter(const std::string& path, const std::string& normalizer) {
  PLM_TRY(const auto file, plm::gguf::File::open(path));
  PLM_TRY(auto data, plm::runtime::read_vocabulary(file));
  data.normalizer = normalizer;
  PLM_TRY(auto created, plm::tokenizer::Tokenizer::create(std::move(data)));
  auto tokenizer = std::make_shared<plm::tokenizer::Tokenizer>(std::move(created));
  return Filter([tokenizer](const std::string& text) {
    return nlohmann::json(tokenizer->encode(text, {.add_special = false, .parse_special = true}));
  });
}

plm::Result<Filter> word_filter(const std::string& name) {
  const auto kind = plm::tokenizer::find_pre_tokenizer(name);
  if (!kind) return plm::make_error(plm::ErrorKind::unsupported, "no pre-tokenizer {}", name);
  return Filter([kind = *kind](const std::string& text) {
    nlohmann::json words = nlohmann::json::array();
    plm::tokenizer::WordSplitter splitter(kind, text);
    for (auto word = splitter.next(); !word.empty(); word = splitter.next())
      words.push_back(std::string(word));
    return words;
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (argc < 3 || (mode != "ids" && mode != "words")) {
    std::fputs("usage: tokenize_lines ids VOCABULARY.gguf [NORMALIZER] | words PRE_TOKENIZER\n", stderr);
    return 2;
  }
  const auto filter = mode == "ids" ? id_filter(argv[2], argc > 3 ? argv[3] : "") : word_filter(argv[2]);
  if (!filter.ok()) {
    std::fprintf(stderr, "%s\n", filter.error().message.c_str());
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << (*filter)(nlohmann::json::parse(line).get<std::string>()).dump() << '\n';
  }
  return 0;
}
