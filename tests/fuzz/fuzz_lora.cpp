// Any bytes as an adapter: the first says whether as a GGUF file or as PEFT's adapter_config.json; refused
// with one line, or read.
#include "convert/peft_config.h"
#include "gguf/gguf_file.h"
#include "model/lora/adapter.h"

namespace {

using namespace plm;

void check_message(const Error& error) {
  PLM_CHECK(!error.message.empty());
  PLM_CHECK(error.message.find('\n') == std::string::npos);
}

void read_gguf(std::string_view bytes) {
  const auto file = gguf::File::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), "fuzz.gguf");
  if (!file.ok()) return check_message(file.error());
  const auto adapter = model::read_gguf_adapter(*file);
  if (!adapter.ok()) return check_message(adapter.error());
  PLM_CHECK(!adapter->pairs.empty());
  for (const model::AdapterPair& pair : adapter->pairs) {
    PLM_CHECK(pair.rank() > 0 && pair.b_YZ.cols == pair.rank());
    std::vector<float> row(static_cast<size_t>(pair.a_ZK.cols));
    pair.a_ZK.decode_row(pair.rank() - 1, row.data());
    if (const Status status = model::check_pair_shape(*adapter, pair, 1, 1); !status.ok()) {
      check_message(status.error());
    }
    check_message(model::misplaced_pair(*adapter, pair, "plm"));
  }
  if (const Status status = model::check_adapter_architecture(*adapter, "plm"); !status.ok()) {
    check_message(status.error());
  }
}

void read_config(std::string_view text) {
  const auto json = convert::parse_json_object(text, "fuzz.json");
  if (!json.ok()) return check_message(json.error());
  const auto config = convert::read_peft_config(convert::JsonFields(*json, "fuzz.json"));
  if (!config.ok()) return check_message(config.error());
  PLM_CHECK(config->rank > 0 && config->scale() >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 2 == 0) {
    read_gguf(rest);
  } else {
    read_config(rest);
  }
  return 0;
}
