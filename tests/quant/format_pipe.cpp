// format_pipe decode|encode TYPE < input > output: one format as a filter, for the differential test
// with the `gguf` Python package (tests/python/test_quant_formats.py). Floats are little endian.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "quant/formats.h"

namespace {

std::vector<char> read_all(std::FILE* file) {
  std::vector<char> bytes;
  char chunk[1 << 16];
  for (size_t n; (n = std::fread(chunk, 1, sizeof chunk, file)) > 0;)
    bytes.insert(bytes.end(), chunk, chunk + n);
  return bytes;
}

int fail(const char* message) {
  std::fprintf(stderr, "format_pipe: %s\n", message);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return fail("usage: format_pipe decode|encode TYPE");
  const auto type = plm::tensor_type_from_name(argv[2]);
  const plm::quant::Format* format = type ? plm::quant::find_format(*type) : nullptr;
  if (format == nullptr) return fail("unknown type");
  const plm::TensorTypeInfo& info = plm::tensor_type_info(*type);
  const std::vector<char> input = read_all(stdin);
  const auto input_bytes = static_cast<int64_t>(input.size());

  std::vector<char> output;
  if (std::string(argv[1]) == "decode") {
    if (input_bytes % info.block_bytes != 0) return fail("input is not a whole number of blocks");
    const int64_t n = input_bytes / info.block_bytes * info.block_elements;
    output.resize(static_cast<size_t>(n) * sizeof(float));
    format->decode(input.data(), reinterpret_cast<float*>(output.data()), n);
  } else {
    if (format->encode == nullptr) return fail("the type has no encoder");
    const int64_t n = input_bytes / static_cast<int64_t>(sizeof(float));
    if (n % info.block_elements != 0) return fail("input is not a whole number of blocks");
    output.resize(static_cast<size_t>(plm::row_bytes(*type, n)));
    format->encode(reinterpret_cast<const float*>(input.data()), output.data(), n);
  }
  return std::fwrite(output.data(), 1, output.size(), stdout) == output.size() ? 0 : 1;
}
