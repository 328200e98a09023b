// Writes the seed inputs of the fuzz targets: make_seeds FOLDER. Small files that are well formed, so
// that the fuzzer starts behind the first checks.
#include <filesystem>
#include <fstream>

#include "../gguf/crafted.h"
#include "quantize/importance.h"
#include "saved_rows_shape.h"
#include "scheduler/prefix_file.h"
#include "train/data/token_shard.h"

namespace {

using namespace plm::gguf::crafted;
using plm::gguf::ValueType;
using std::literals::operator""s;
using std::literals::operator""sv;

class Folder {
 public:
  explicit Folder(const std::filesystem::path& path) : path_(path) {
    std::filesystem::create_directories(path);
  }
  void add(std::string_view name, std::string_view bytes) {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    all_written_ = all_written_ && std::filesystem::file_size(path_ / name) == bytes.size();
  }
  bool all_written() const { return all_written_; }

 private:
  std::filesystem::path path_;
  bool all_written_ = true;
};

void add_gguf(Folder& folder) {
  Contents contents = sample();
  folder.add("seed-sample", file(contents));
  contents.version = 2;
  folder.add("seed-version-2", file(contents));
  folder.add("seed-empty", file(Contents{}));
  for (const plm::TensorTypeInfo& info : plm::all_tensor_types()) {
    folder.add(fmt::format("seed-tensor-{}", info.name),
               file({.tensors = {tensor("t", {static_cast<uint64_t>(info.block_elements), 2},
                                        static_cast<uint32_t>(info.type), 0)},
                     .data_bytes = static_cast<size_t>(2 * info.block_bytes)}));
  }
  for (uint32_t id = 0; id <= static_cast<uint32_t>(ValueType::f64); ++id) {
    const auto value_type = static_cast<ValueType>(id);
    const size_t width = plm::gguf::value_type_bytes(value_type);
    if (width == 0) continue;
    const std::string name(plm::gguf::value_type_name(value_type));
    folder.add("seed-value-" + name, file({.pairs = {pair("k", value_type, std::string(width, '\1'))}}));
    folder.add(
        "seed-array-" + name,
        file({.pairs = {pair("k", ValueType::array, array(value_type, 3, std::string(3 * width, '\0')))}}));
  }
  folder.add("seed-alignment", file({.pairs = {pair("general.alignment", ValueType::u32, u32(8))},
                                     .tensors = {tensor("a", {1}, 0, 0), tensor("b", {1, 1, 1, 1}, 0, 8)},
                                     .data_bytes = 12,
                                     .alignment = 8}));
  folder.add("seed-split", file({.pairs = {pair("split.no", ValueType::u16, number<uint16_t>(0)),
                                           pair("split.count", ValueType::u16, number<uint16_t>(1)),
                                           pair("split.tensors.count", ValueType::i32, u32(0))}}));
}

void add_safetensors(Folder& folder) {
  const auto add = [&](std::string_view name, std::string_view header, size_t data_bytes) {
    folder.add(name, text(header) + std::string(data_bytes, '\7'));
  };
  add("seed-empty", "{}", 0);
  add("seed-two",
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"BF16","shape":[1,3],"data_offsets":[8,14]}} )",
      14);
  for (const char* dtype : {"BOOL", "U8", "I8"}) {
    add(fmt::format("seed-{}", dtype),
        fmt::format(R"({{"t":{{"dtype":"{}","shape":[],"data_offsets":[0,1]}}}})", dtype), 1);
  }
  for (const char* dtype : {"U64", "I64", "F64"}) {
    add(fmt::format("seed-{}", dtype),
        fmt::format(R"({{"\u00e9\n":{{"dtype":"{}","shape":[2,0],"data_offsets":[0,0]}}}})", dtype), 0);
  }
}

// The first byte: 0 for GGUF, 1 for adapter_config.json.
void add_lora(Folder& folder) {
  const auto add = [&](std::string_view name, uint32_t type_id, size_t tensor_bytes) {
    const uint64_t padded = (tensor_bytes + 31) / 32 * 32;
    folder.add(name, "\0"s + file({.pairs = {pair("general.type", ValueType::string, text("adapter")),
                                             pair("adapter.type", ValueType::string, text("lora")),
                                             pair("general.architecture", ValueType::string, text("plm")),
                                             pair("adapter.lora.alpha", ValueType::f32, number<float>(8))},
                                   .tensors = {tensor("t.lora_a", {32, 2}, type_id, 0),
                                               tensor("t.lora_b", {2, 3}, 0, padded),
                                               tensor("token_embd.weight.lora_a", {1, 2}, 0, padded + 32),
                                               tensor("token_embd.weight.lora_b", {1, 2}, 0, padded + 64)},
                                   .data_bytes = static_cast<size_t>(padded) + 96}));
  };
  add("seed-f32", 0, size_t{64} * 4);
  add("seed-f16", 1, size_t{64} * 2);
  add("seed-q8_0", 8, size_t{2} * 34);
  folder.add("seed-config",
             "\1"
             R"({"peft_type":"LORA","r":8,"lora_alpha":16,"bias":"none","use_rslora":true,)"
             R"("modules_to_save":null,"rank_pattern":{},"init_lora_weights":"eva"})");
}

void add_tokenizer(Folder& folder) {
  folder.add("seed-english", "Once upon a time, there was the king's daughter; they'll sing.\n\n  \"1234\" ");
  folder.add("seed-mixed",
             "\xc3\xa9t\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x90\xb6\r\n\t<|im_start|><tool>e\xcc\x81");
  folder.add("seed-broken", "\xff\xc3\0\xe2\x96\x81\xed\xa0\x80 \xf4\x90\x80\x80"sv);
  folder.add("seed-byte-level-vocabulary", "V\na\nb\nab\n\na b\n\nabba");
  folder.add("seed-sentencepiece-vocabulary", "Vx\n<unk>\n\xe2\x96\x81\na\n<0x41>\n\n\nA a");
}

void add_http(Folder& folder) {
  folder.add("seed-get", "GET /health?a=%20 HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
  folder.add("seed-post",
             "POST /v1/completions HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 12\r\nExpect: 100-continue\r\n"
             "Connection: keep-alive\r\nAuthorization: Bearer x\r\n\r\n");
  folder.add("seed-chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  folder.add("seed-json",
             R"({"prompt":["a",[1,2]],"n":2,"temperature":1e-3,"stop":"\u00e9","logit_bias":{"5":-100}})");
}

// The language first; "\0" stands between a grammar and a text.
void add_grammar(Folder& folder) {
  folder.add("seed-gbnf",
             "groot ::= item (\",\" item)* | \"(\" root{1,3} \")\"\nitem ::= [^a-c\\x41]+ .? # c\n\0(x,y)"sv);
  folder.add(
      "seed-schema",
      R"(j{"type":"object","properties":{"a":{"$ref":"#/$defs/b"},"c":{"enum":[1,"x",null]}},"required":["a"],)"
      R"("additionalProperties":{"type":["integer","null"],"minimum":-3,"maximum":70},"$defs":{"b":)"
      R"({"type":"array","items":{"anyOf":[{"type":"string","pattern":"^a+$"},{"format":"date"}]},)"
      R"("minItems":1,"maxItems":4}}})");
  folder.add("seed-regex", "r^(a|[^b-d]+?|\\d{2,3}(?:x)*)\\u00e9.$\0aa"sv);
  folder.add("seed-pattern", "s\"\\\\n|x{2}\0\\\"\\\\n"sv);
}

// "\0" stands between a template and the JSON of its variables.
void add_jinja(Folder& folder) {
  folder.add(
      "seed-chatml",
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message.content | trim }}"
      "{% if not loop.last %},{% endif %}{% endfor %}{%- if add_generation_prompt -%} assistant {%- endif %}"
      "\0{\"messages\":[{\"role\":\"user\",\"content\":\" Hi \"}],\"add_generation_prompt\":true}"sv);
  folder.add(
      "seed-tools",
      "{% set ns = namespace(n=0) %}{% macro f(a, b=1) %}{{ a|tojson(indent=2) }}{{ caller() }}{% endmacro %}"
      "{% for k, v in tools[0].items() if k != 'x' %}{% set ns.n = ns.n + 1 %}{% call f(v) %}{{ k ~ 1.5 }}"
      "{% endcall %}{% else %}{% break %}{% endfor %}{{ tools[::-1]|map(attribute='a')|list|join(', ') }}"
      "\0{\"tools\":[{\"a\":{\"b\":[1,2.5,null,true]},\"x\":\"y\"}]}"sv);
  folder.add("seed-expressions",
             "{{ 1 if x is defined else 'a' * 3 }}{{ (1, 2)[0] // 2 ** 3 % 4 }}{{ '%5.2f|%s' % (1.5, x) }}"
             "{{ x.split(',')|sort|unique|reverse|list }}{{ 'a' in x and not x is none }}{# c #}{% raw "
             "%}{{{% endraw %}"
             "{% filter upper %}b{% endfilter %}{% set y %}c{% endset %}{% with z = 1 %}{{ z }}{% endwith %}"
             "\0{\"x\":\"b,a\"}"sv);
}

bool add_token_shards(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (const int64_t vocabulary_size : {300, 70'000}) {
    const auto path = folder / fmt::format("seed-{}", vocabulary_size);
    auto writer = plm::train::TokenShardWriter::create(path.string(), vocabulary_size, {1, 2});
    if (!writer.ok()) return false;
    for (const std::vector<int32_t>& document : {std::vector<int32_t>{1, 2, 299}, {7}, {0, 5}}) {
      if (!writer->append(document).ok()) return false;
    }
    if (!writer->finish().ok()) return false;
  }
  return true;
}

// A slot, and a store in which two texts begin alike.
bool add_saved_rows(const std::filesystem::path& folder) {
  using namespace plm::scheduler;
  std::filesystem::create_directories(folder);
  const auto rows_of = [](size_t n_tokens) {
    return std::vector<std::byte>(n_tokens * static_cast<size_t>(kFuzzShape.bytes_per_token), std::byte{5});
  };
  const SlotRows slot{.tokens = {1, 2, 499}, .n_exact = 0, .rows = rows_of(3)};
  std::vector<PrefixStore::KeptPage> pages;
  for (const auto& [parent, n_tokens] :
       {std::pair{-1, size_t{PrefixStore::kPageTokens}}, {0, size_t{2}}, {0, size_t{1}}}) {
    pages.push_back({.parent = parent,
                     .ids = std::vector<TokenId>(n_tokens, static_cast<TokenId>(pages.size())),
                     .exact = parent < 0,
                     .rows = std::make_shared<const std::vector<std::byte>>(rows_of(n_tokens))});
  }
  return write_slot_file((folder / "seed-slot").string(), kFuzzShape, slot).ok() &&
         write_prefix_file((folder / "seed-store").string(), kFuzzShape, pages).ok();
}

// One of everything: two stacked matrices, correlations, an order, a sensitivity; in both formats.
bool add_imatrices(const std::filesystem::path& folder) {
  using plm::quantize::ImportanceFormat;
  std::filesystem::create_directories(folder);
  plm::quantize::Importance importance;
  importance.datasets = {"text.txt"};
  importance.n_chunks = 2;
  importance.chunk_tokens = 8;
  importance.tensors["blk.0.ffn_down.weight"] = {
      .sums = {1, 2, 0, 4},
      .counts = {16},
      .correlations = {.block = 2, .coefficient = {1, 0.5F, 0.5F, 1, 1, 0, 0, 1}}};
  importance.tensors["blk.0.ffn_up.weight"] = {.sums = {1, 2, 3, 4}, .counts = {8, 0}, .correlations = {}};
  importance.neuron_order[0] = {2, 0, 1};
  importance.sensitivity["blk.0.ffn_up.weight"] = 0.25F;
  bool written = true;
  for (const auto& [name, format] :
       {std::pair{"seed-gguf", ImportanceFormat::gguf}, std::pair{"seed-legacy", ImportanceFormat::legacy}}) {
    written = plm::quantize::write_importance((folder / name).string(), importance, format).ok() && written;
  }
  return written;
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 2) {
    fmt::print(stderr, "usage: make_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path root = arguments[1];
  Folder gguf(root / "fuzz_gguf");
  Folder safetensors(root / "fuzz_safetensors");
  add_gguf(gguf);
  add_safetensors(safetensors);
  Folder tokenizer(root / "fuzz_tokenizer");
  add_tokenizer(tokenizer);
  Folder lora(root / "fuzz_lora");
  add_lora(lora);
  Folder http(root / "fuzz_http");
  add_http(http);
  Folder grammar(root / "fuzz_grammar");
  add_grammar(grammar);
  Folder jinja(root / "fuzz_jinja");
  add_jinja(jinja);
  const bool has_shards = add_token_shards(root / "fuzz_token_shard");
  const bool has_imatrices = add_imatrices(root / "fuzz_imatrix");
  const bool has_saved_rows = add_saved_rows(root / "fuzz_saved_rows");
  if (has_shards && has_imatrices && has_saved_rows && gguf.all_written() && safetensors.all_written() &&
      tokenizer.all_written() && lora.all_written() && http.all_written() && jinja.all_written() &&
      grammar.all_written()) {
    return 0;
  }
  fmt::print(stderr, "make_seeds: cannot write all files below {}\n", root.string());
  return 1;
}
