// Requests of Ollama's API, and how it is told of the model.
#include "server/ollama.h"

#include <gtest/gtest.h>

#include <vector>

#include "runtime/vocabulary_file.h"
#include "server/ollama_forms.h"

namespace plm::server {
namespace {

const gguf::File& bundled_file() {
  static const gguf::File file = *gguf::File::open(PLM_SOURCE_DIR "/models/story-7m-f16.gguf");
  return file;
}

const tokenizer::Tokenizer& bundled_tokenizer() {
  static const tokenizer::Tokenizer tokenizer = *runtime::load_tokenizer(bundled_file());
  return tokenizer;
}

Result<Generation> read(std::string_view body) {
  const Json json = Json::parse(body);
  return read_ollama_generation(Fields(json), {}, bundled_tokenizer());
}

template <typename Value>
std::string refusal(const Result<Value>& made) {
  return made.ok() ? std::string() : made.error().message;
}

TEST(OllamaGeneration, StreamsUnlessTold) {
  EXPECT_TRUE(read("{}")->streams);
  EXPECT_TRUE(read(R"({"stream": null})")->streams);
  EXPECT_FALSE(read(R"({"stream": false})")->streams);
}

TEST(OllamaGeneration, HasItsOptionsUnderOllamasNames) {
  const auto made = read(R"({"options": {"temperature": 0.25, "top_k": 7, "seed": 11, "num_predict": 5,
      "stop": ["a", "b"], "num_ctx": 4096, "tfs_z": 1, "n": 5, "logit_bias": "?"}, "keep_alive": "5m",
      "logprobs": true, "top_logprobs": 3})");
  ASSERT_TRUE(made.ok()) << refusal(made);
  EXPECT_EQ(made->request.sampling.temperature, 0.25F);
  EXPECT_EQ(made->request.sampling.top_k, 7);
  EXPECT_EQ(made->request.sampling.seed, 11U);
  EXPECT_EQ(made->request.max_tokens, 5);
  EXPECT_EQ(made->request.stop_texts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(made->request.n_top, 3);
  EXPECT_EQ(made->n, 1);
}

TEST(OllamaGeneration, IsAsLongAsTheContextWhereItHasNoEnd) {
  for (const std::string_view length : {"-1", "-2", "null"}) {
    const auto made = read(fmt::format(R"({{"options": {{"num_predict": {}}}}})", length));
    ASSERT_TRUE(made.ok()) << refusal(made);
    EXPECT_EQ(made->request.max_tokens, -1) << length;
  }
}

TEST(OllamaGeneration, NamesWhatItCannotRead) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"({"options": 5})", "field options:"},
      {R"({"options": {"temperature": "hot"}})", "field options.temperature:"},
      {R"({"options": {"num_predict": -3}})", "field options.num_predict:"},
      {R"({"options": {"stop": 5}})", "field options.stop:"},
      {R"({"stream": 1})", "field stream:"},
      {R"({"keep_alive": []})", "field keep_alive:"},
      {R"({"top_logprobs": 21})", "field top_logprobs:"}};
  for (const auto& [body, beginning] : cases) {
    const std::string message = refusal(read(body));
    EXPECT_TRUE(message.starts_with(beginning)) << body << ": " << message;
  }
}

TEST(OllamaLifetime, IsOverAtNought) {
  const auto is_over = [](std::string_view keep_alive) {
    const Json body = Json::parse(fmt::format(R"({{"keep_alive": {}}})", keep_alive));
    return *read_ollama_lifetime(Fields(body));
  };
  for (const std::string_view keep_alive : {"0", "0.0", R"("0")", R"("0s")"})
    EXPECT_TRUE(is_over(keep_alive));
  for (const std::string_view keep_alive : {"-1", "300", R"("5m")", R"("0.5s")", R"("")", "null"}) {
    EXPECT_FALSE(is_over(keep_alive)) << keep_alive;
  }
}

TEST(ChatFromOllamaChat, HasMessagesToolsAndTheFormOfTheAnswerInTheirPlaces) {
  const auto chat = chat_from_ollama_chat(Json::parse(R"({"model": "any", "think": false, "messages": [
      {"role": "user", "content": "Hi", "images": []},
      {"role": "assistant", "content": "", "thinking": "Hm.",
       "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]},
      {"role": "tool", "content": "one", "tool_name": "f"}],
      "tools": [{"type": "function", "function": {"name": "f"}}], "format": {"type": "integer"}})"));
  ASSERT_TRUE(chat.ok()) << refusal(chat);
  const Json& messages = (*chat)["messages"];
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_EQ(messages[1]["reasoning_content"], "Hm.");
  EXPECT_EQ(messages[1]["tool_calls"][0]["function"]["arguments"]["x"], 1);
  EXPECT_EQ(messages[2]["name"], "f");
  EXPECT_EQ((*chat)["tools"][0]["function"]["name"], "f");
  EXPECT_EQ((*chat)["json_schema"]["type"], "integer");
  EXPECT_EQ((*chat)["chat_template_kwargs"], Json::parse(R"({"enable_thinking": false})"));
  EXPECT_FALSE(chat->contains("response_format"));
}

TEST(ChatFromOllamaChat, MayHaveNoMessages) {
  for (const std::string_view body : {"{}", R"({"messages": []})", R"({"messages": null})"}) {
    EXPECT_TRUE((*chat_from_ollama_chat(Json::parse(body)))["messages"].empty()) << body;
  }
}

TEST(ChatFromOllamaChat, NamesWhatItCannotDo) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"({"messages": 5})", "field messages:"},
      {R"({"messages": [{"role": "user", "content": "Hi", "images": ["aGk="]}]})", "field images:"},
      {R"({"messages": [{"role": "tool", "content": "Hi", "tool_name": 5}]})",
       "field messages[0].tool_name:"},
      {R"({"format": "xml"})", "field format:"},
      {R"({"think": "deep"})", "field think:"}};
  for (const auto& [body, beginning] : cases) {
    const std::string message = refusal(chat_from_ollama_chat(Json::parse(body)));
    EXPECT_TRUE(message.starts_with(beginning)) << body << ": " << message;
  }
}

TEST(ChatFromOllamaGenerate, HasSystemAndPromptAsMessages) {
  const auto chat = chat_from_ollama_generate(
      Json::parse(R"({"system": "Be kind.", "prompt": "Hi", "format": "json", "think": "high"})"));
  ASSERT_TRUE(chat.ok()) << refusal(chat);
  EXPECT_EQ((*chat)["messages"],
            Json::parse(R"([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}])"));
  EXPECT_EQ((*chat)["response_format"]["type"], "json_object");
  EXPECT_EQ((*chat)["chat_template_kwargs"]["enable_thinking"], true);
  EXPECT_TRUE((*chat_from_ollama_generate(Json::parse(R"({"system": "Be kind."})")))["messages"].empty());
}

TEST(ChatFromOllamaGenerate, NamesWhatItCannotDo) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"({"prompt": 5})", "field prompt:"},
      {R"({"prompt": "a", "suffix": "b"})", "field suffix:"},
      {R"({"prompt": "a", "template": "{{ .Prompt }}"})", "field template:"},
      {R"({"prompt": "a", "images": ["aGk="]})", "field images:"},
      {R"({"prompt": "a", "images": "aGk="})", "field images:"},
      {R"({"prompt": "a", "context": 5})", "field context:"},
      {R"({"prompt": "a", "raw": true, "system": "b"})", "field raw:"},
      {R"({"prompt": "a", "raw": true, "context": [1]})", "field raw:"}};
  for (const auto& [body, beginning] : cases) {
    const std::string message = refusal(chat_from_ollama_generate(Json::parse(body)));
    EXPECT_TRUE(message.starts_with(beginning)) << body << ": " << message;
  }
}

TEST(OllamaModel, HasATag) {
  EXPECT_EQ(ollama_name("story"), "story:latest");
  EXPECT_EQ(ollama_name("story:7m"), "story:7m");
}

TEST(OllamaModel, IsDescribedByItsFile) {
  const Json entry = ollama_model_entry(bundled_file(), "story", "F16");
  EXPECT_EQ(entry["name"], "story:latest");
  EXPECT_EQ(entry["size"], bundled_file().file_bytes());
  EXPECT_EQ(entry["digest"].get<std::string>().size(), 64U);
  EXPECT_EQ(entry["details"]["parameter_size"], "7.1M");
  EXPECT_EQ(entry["details"]["quantization_level"], "F16");
  EXPECT_EQ(entry["details"]["families"], Json::array({"plm"}));
}

TEST(OllamaModel, TellsLongArraysWhenAsked) {
  const Json brief = ollama_model_info(bundled_file(), LongArrays::as_null);
  EXPECT_EQ(brief["plm.context_length"], 256);
  EXPECT_EQ(brief["general.parameter_count"], 7050496);
  EXPECT_EQ(brief["tokenizer.ggml.add_bos_token"], false);
  EXPECT_TRUE(brief["tokenizer.ggml.tokens"].is_null());
  const Json whole = ollama_model_info(bundled_file(), LongArrays::whole);
  EXPECT_EQ(whole["tokenizer.ggml.tokens"].size(), 4096U);
  EXPECT_EQ(whole["tokenizer.ggml.token_type"][0], 1);
}

TEST(Rfc3339, HasMicroseconds) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace): its words are what a date is made of
  EXPECT_EQ(rfc3339({}), "1970-01-01T00:00:00.000000Z");
  const sys_days day = year(2024) / February / 29;
  EXPECT_EQ(rfc3339(day + hours(23) + minutes(59) + seconds(58) + microseconds(7)),
            "2024-02-29T23:59:58.000007Z");
}

}  // namespace
}  // namespace plm::server
