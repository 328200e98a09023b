#include "convert/architecture.h"

#include <gmock/gmock.h>

#include <set>

namespace plm::convert {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kConfig[] =
    R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
  "vocab_size": 32, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
  "num_key_value_heads": 2, "max_position_embeddings": 512, "rms_norm_eps": 1e-5})";

Result<ModelConfig> read(std::string_view changes) {
  PLM_TRY(Json json, parse_json_object(kConfig, "config.json"));
  PLM_TRY(const Json other, parse_json_object(changes, "config.json"));
  json.update(other);
  const JsonFields fields(json, "config.json");
  PLM_TRY(const Architecture* architecture, find_architecture(fields));
  return read_config(*architecture, fields);
}

std::string error(std::string_view changes) {
  const auto config = read(changes);
  return config.ok() ? "" : config.error().message;
}

TEST(LayerNames, MatchTheirPatternOnly) {
  constexpr std::string_view kPattern = "model.layers.{}.norm.weight";
  ASSERT_TRUE(match_layer_name(kPattern, "model.layers.12.norm.weight").has_value());
  EXPECT_EQ(match_layer_name(kPattern, "model.layers.12.norm.weight")->layer, 12);
  for (const char* name : {"model.layers..norm.weight", "model.layers.012.norm.weight",
                           "model.layers.-1.norm.weight", "model.layers.1x.norm.weight",
                           "model.layers.1.norm.weights", "model.layers.99999999999999999999.norm.weight"}) {
    EXPECT_FALSE(match_layer_name(kPattern, name).has_value()) << name;
  }
  EXPECT_EQ(layer_name(kPattern, 3), "model.layers.3.norm.weight");
  EXPECT_FALSE(match_layer_name("", "").has_value());
}

TEST(Architectures, HaveEachTensorOnce) {
  for (const Architecture* architecture : all_architectures()) {
    std::set<std::string_view> names, places;
    for (const TensorRule& rule : architecture->tensors) {
      EXPECT_TRUE(names.insert(rule.hf).second) << rule.hf;
      if (!rule.gguf.empty()) {
        EXPECT_TRUE(places.insert(rule.gguf).second) << rule.gguf;
        EXPECT_EQ(is_per_layer(rule.hf), is_per_layer(rule.gguf)) << rule.hf;
      }
    }
  }
}

TEST(ReadConfig, TakesTheBaseFromEitherPlace) {
  ASSERT_TRUE(read("{}").ok()) << error("{}");
  EXPECT_EQ(read("{}")->rope_base, 10000);
  EXPECT_EQ(read(R"({"rope_theta": 5e5})")->rope_base, 5e5);
  EXPECT_EQ(read(R"({"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}})")->rope_base, 1e6);
}

TEST(ReadConfig, RefusesWhatTheEngineDoesNotCompute) {
  EXPECT_THAT(error(R"({"rope_scaling": {"type": "yarn", "factor": 4}})"), HasSubstr("yarn"));
  EXPECT_THAT(error(R"({"hidden_act": "gelu"})"), AllOf(HasSubstr("hidden_act"), HasSubstr("silu")));
  EXPECT_THAT(error(R"({"use_sliding_window": true})"), HasSubstr("use_sliding_window"));
  EXPECT_THAT(error(R"({"num_key_value_heads": 3})"), HasSubstr("divisor"));
  EXPECT_THAT(error(R"({"head_dim": 15})"), HasSubstr("even"));
  EXPECT_THAT(error(R"({"architectures": ["LlamaForCausalLMEagle3"]})"),
              HasSubstr("expected a model of one of"));
}

TEST(ReadConfig, NamesTheFieldOfTheWrongType) {
  for (const char* field : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                            "num_attention_heads", "max_position_embeddings", "rms_norm_eps"}) {
    for (const char* value : {"null", "-1", "\"x\"", "[]", "0", "1.5e300", "99999999999"}) {
      if (std::string_view(field) == "rms_norm_eps" && std::string_view(value) == "99999999999") continue;
      const std::string message = error(fmt::format(R"({{"{}": {}}})", field, value));
      EXPECT_THAT(message, HasSubstr(field)) << value;
    }
  }
}

TEST(ParseJson, RefusesDepthAndWhatIsNoObject) {
  EXPECT_FALSE(parse_json_object(std::string(100000, '['), "x").ok());
  EXPECT_FALSE(
      parse_json_object(R"({"a": )" + std::string(1000, '[') + std::string(1000, ']') + "}", "x").ok());
  EXPECT_FALSE(parse_json_object("[]", "x").ok());
  EXPECT_FALSE(parse_json_object("", "x").ok());
  EXPECT_FALSE(parse_json_object("{\"a\": \"\xff\"}", "x").ok());
}

TEST(ShortestDecimal, WritesWhatPeopleWrote) {
  EXPECT_EQ(shortest_decimal(static_cast<double>(1e-6F)), 1e-6);
  EXPECT_EQ(shortest_decimal(static_cast<double>(0.6F)), 0.6);
}

}  // namespace
}  // namespace plm::convert
