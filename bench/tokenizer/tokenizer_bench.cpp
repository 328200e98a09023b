// Speed of one thread: tokenizer_bench VOCABULARY.gguf TEXT [--benchmark_...]. Rates are of text bytes.
// hugging_face.py beside this measures `tokenizers` on the same text.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "runtime/vocabulary_file.h"

namespace {

using plm::tokenizer::Tokenizer;

plm::Result<Tokenizer> load(const char* path) {
  PLM_TRY(const auto file, plm::gguf::File::open(path));
  return plm::runtime::load_tokenizer(file);
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(bytes));
}

void encode(benchmark::State& state, const Tokenizer& tokenizer, const std::string& text) {
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer.encode(text));
  count_bytes(state, text.size());
}

void decode(benchmark::State& state, const Tokenizer& tokenizer, const std::string& text) {
  const auto ids = tokenizer.encode(text);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer.decode(ids));
  count_bytes(state, text.size());
}

void load_vocabulary(benchmark::State& state, const char* path) {
  for (auto _ : state) benchmark::DoNotOptimize(load(path).ok());
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 3) {
    std::fputs("usage: tokenizer_bench VOCABULARY.gguf TEXT [--benchmark_...]\n", stderr);
    return 2;
  }
  std::ifstream file(argv[2], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto tokenizer = load(argv[1]);
  if (!tokenizer.ok() || text.empty()) {
    std::fprintf(stderr, "%s\n", tokenizer.ok() ? "no text to read" : tokenizer.error().message.c_str());
    return 1;
  }
  benchmark::RegisterBenchmark("encode", [&](benchmark::State& state) { encode(state, *tokenizer, text); });
  benchmark::RegisterBenchmark("decode", [&](benchmark::State& state) { decode(state, *tokenizer, text); });
  benchmark::RegisterBenchmark("load", [&](benchmark::State& state) {
    load_vocabulary(state, argv[1]);
  })->Unit(benchmark::kMillisecond);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
