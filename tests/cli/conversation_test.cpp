// The bundled model tells stories and does not chat, but a conversation with it must run each token once.
#include "cli/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plm::cli {
namespace {

using ::testing::HasSubstr;

class ConversationTest : public ::testing::Test {
 protected:
  void start(int64_t context_length, bool context_shift) {
    runtime::EngineOptions options;
    options.model_path = PLM_SOURCE_DIR "/models/story-7m-f16.gguf";
    options.n_threads = 1;
    options.context_length = context_length;
    auto engine = runtime::Engine::load(options);
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    engine_ = *std::move(engine);
    session_.emplace(*engine_->new_session());
    runtime::SamplerOptions greedy;
    greedy.temperature = 0;
    sampler_.emplace(*runtime::Sampler::create(greedy, engine_->config().vocabulary_size));
    ConversationOptions conversation_options;
    conversation_options.n_predict = 12;
    conversation_options.context_shift = context_shift;
    conversation_.emplace(Writer{*session_, *sampler_, engine_->tokenizer()},
                          *chat::Template::create(engine_->tokenizer()), conversation_options);
  }
  std::string answer(const std::string& question) { return text(conversation_->answer(question, ignore_)); }
  static std::string text(const Result<Generated>& generated) {
    return generated.ok() ? generated->text : "error: " + generated.error().message;
  }
  int64_t n_read() const { return conversation_->totals().n_read; }

  const Conversation::Show ignore_ = [](std::string_view) { return Status(); };
  std::unique_ptr<runtime::Engine> engine_;
  std::optional<runtime::Session> session_;
  std::optional<runtime::Sampler> sampler_;
  std::optional<Conversation> conversation_;
};

TEST_F(ConversationTest, AnswersAsIfTheWholeConversationWereReadAnew) {
  start(256, false);
  answer("Tell me of a fox.");
  const std::string second = answer("And then?");
  const auto messages = conversation_->messages();
  ASSERT_EQ(messages.size(), 4u);
  const int64_t read_so_far = n_read();

  // The same from the messages alone: nothing of the cache helps.
  start(256, false);
  conversation_->set_messages({messages[0], messages[1]});
  EXPECT_EQ(answer("And then?"), second);
  EXPECT_GT(n_read(), read_so_far / 2);
}

TEST_F(ConversationTest, ReadsOnlyWhatIsNew) {
  start(256, false);
  answer("Tell me of a fox and of a hen and of all that they did on a long summer's day.");
  const int64_t first_question = n_read();
  answer("And?");
  EXPECT_LT(n_read() - first_question, first_question);
  const int64_t before = n_read();
  const std::string again = text(conversation_->regenerate(ignore_));
  EXPECT_LT(n_read() - before, first_question) << "only the last question is read again";
  EXPECT_EQ(again, conversation_->messages().back().content);
}

TEST_F(ConversationTest, WritesTheSameAnswerAnewWhenGreedy) {
  start(256, false);
  answer("Tell me of a fox.");
  const std::string second = answer("And then?");
  EXPECT_EQ(text(conversation_->regenerate(ignore_)), second);
  EXPECT_EQ(conversation_->messages().size(), 4u);
}

TEST_F(ConversationTest, ForgetsButForTheSystemMessage) {
  start(256, false);
  conversation_->set_system("Be kind.");
  const std::string first = answer("Tell me of a fox.");
  answer("And then?");
  conversation_->reset();
  ASSERT_EQ(conversation_->messages().size(), 1u);
  EXPECT_EQ(answer("Tell me of a fox."), first);
  conversation_->set_system("");
  EXPECT_EQ(conversation_->messages().front().role, "user");
  EXPECT_NE(answer("Tell me of a fox."), "");
}

TEST_F(ConversationTest, SaysWhenTheContextIsFullAndTakesTheQuestionBack) {
  start(64, false);
  std::string last;
  for (int i = 0; i < 10 && !last.starts_with("error"); ++i) last = answer("Tell me of a fox.");
  EXPECT_THAT(last, HasSubstr("do not fit the context"));
  EXPECT_EQ(conversation_->messages().back().role, "assistant");
  conversation_->reset();
  EXPECT_FALSE(answer("Tell me of a fox.").starts_with("error"));
  EXPECT_THAT(text(conversation_->answer(std::string(5000, 'x'), ignore_)), HasSubstr("do not fit"));
}

TEST_F(ConversationTest, GoesOnInAFullContextByDroppingTheOldestTurns) {
  start(64, true);
  conversation_->set_system("Be kind.");
  for (int i = 0; i < 20; ++i) {
    const std::string text = answer("Tell me of a fox.");
    ASSERT_FALSE(text.starts_with("error")) << i << ": " << text;
    ASSERT_LE(session_->position(), session_->capacity());
  }
  EXPECT_EQ(conversation_->messages().size(), 41u) << "the messages themselves stay, for /save";
  EXPECT_FALSE(text(conversation_->regenerate(ignore_)).starts_with("error"));
}

TEST_F(ConversationTest, HasNothingToWriteAnewAtTheBeginning) {
  start(64, false);
  EXPECT_THAT(text(conversation_->regenerate(ignore_)), HasSubstr("no answer"));
}

}  // namespace
}  // namespace plm::cli
