#include "tokenizer/chat_template.h"

#include <gtest/gtest.h>

#include "small_vocabularies.h"

namespace plm::tokenizer {
namespace {

const std::vector<ChatMessage> kTalk = {{"user", "Hi"}, {"assistant", "Hello."}, {"user", "Bye"}};

constexpr const char* kQwen2 =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
    "'<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + "
    "message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}";

TEST(ChatTemplate, WritesChatMl) {
  const auto chat = ChatTemplate::detect("{{'<|im_start|>' + message['role'] + '\\n' + message['content']}}");
  EXPECT_EQ(chat.format, ChatFormat::chatml);
  EXPECT_EQ(chat.apply(kTalk, true),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nBye"
            "<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, BeginsWithTheSystemMessageOfQwen2UnlessGivenOne) {
  const auto chat = ChatTemplate::detect(kQwen2);
  EXPECT_EQ(chat.default_system, "You are a helpful assistant.");
  const std::vector<ChatMessage> user = {{"user", "Hi"}};
  EXPECT_EQ(chat.apply(user, false),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n");
  const std::vector<ChatMessage> with_system = {{"system", "Be brief."}, {"user", "Hi"}};
  EXPECT_EQ(chat.apply(with_system, false),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n");
}

TEST(ChatTemplate, FindsTheSystemMessageAmongOtherMentionsOfTheTurn) {
  EXPECT_EQ(ChatTemplate::detect("{% if tools %}{{ '<|im_start|>system\\n' }}{% else %}{{ "
                                 "'<|im_start|>system\\nYou are Qwen.<|im_end|>\\n' }}{% endif %}")
                .default_system,
            "You are Qwen.");
  EXPECT_EQ(ChatTemplate::detect("{% set system_message = 'Be kind.' %}{{ '<|im_start|>system\\n' + "
                                 "system_message + '<|im_end|>\\n' }}")
                .default_system,
            "Be kind.");
}

TEST(ChatTemplate, WritesLlama3) {
  const auto chat =
      ChatTemplate::detect("'<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'");
  const std::vector<ChatMessage> talk = {{"user", " Hi \n"}};
  EXPECT_EQ(chat.apply(talk, true),
            "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant"
            "<|end_header_id|>\n\n");
}

TEST(ChatTemplate, WritesLlama2) {
  const auto chat = ChatTemplate::detect("bos_token + '[INST] ' + content + ' [/INST]'");
  const std::vector<ChatMessage> talk = {
      {"system", "S"}, {"user", "Hi"}, {"assistant", "Yo"}, {"user", "Bye"}};
  EXPECT_EQ(chat.apply(talk, true), "[INST] <<SYS>>\nS\n<</SYS>>\n\nHi [/INST] Yo </s><s>[INST] Bye [/INST]");
}

TEST(ChatTemplate, WritesPhi3AndZephyr) {
  const std::vector<ChatMessage> talk = {{"user", "Hi"}};
  EXPECT_EQ(ChatTemplate::detect("'<|user|>' '<|end|>' '<|assistant|>'").apply(talk, true),
            "<|user|>\nHi<|end|>\n<|assistant|>\n");
  EXPECT_EQ(ChatTemplate::detect("'<|user|>' + eos_token + '<|assistant|>'").apply(talk, true),
            "<|user|>\nHi</s>\n<|assistant|>\n");
}

TEST(ChatTemplate, TakesTurnEndsFromTheVocabulary) {
  VocabularyData data = byte_level_vocabulary();
  data.eos_id = add_token(data, "<eos>", kControl);
  data.chat_template = "'<|user|>' + eos_token + '<|assistant|>'";
  const auto tokenizer = Tokenizer::create(std::move(data));
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(ChatTemplate::detect(*tokenizer).apply(std::vector<ChatMessage>{{"user", "Hi"}}, false),
            "<|user|>\nHi<eos>\n");
}

TEST(ChatTemplate, IsPlainTextForAModelWithoutOne) {
  const auto chat = ChatTemplate::detect("");
  EXPECT_EQ(chat_format_name(chat.format), "plain");
  EXPECT_EQ(chat.apply(kTalk, true), "User: Hi\nAssistant: Hello.\nUser: Bye\nAssistant:");
  EXPECT_EQ(chat.stop_texts(), (std::vector<std::string>{"\nUser:"}));
}

}  // namespace
}  // namespace plm::tokenizer
