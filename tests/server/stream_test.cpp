// Streams that are silent for long: signs of life, and failures once the reply has begun.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "server/api.h"

namespace plm::server {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Opened once. Whoever waits for it goes on after a while too: then a test fails instead of hanging.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 60s, [this] { return is_open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
};

// Holds the scheduler up in the middle of an answer.
class GateDrafter final : public runtime::Drafter {
 public:
  void begin(int, std::span<const tokenizer::TokenId>) override {}
  void append(int, tokenizer::TokenId) override {}
  Status propose(std::span<runtime::DraftAsk>) override {
    entered.open();
    released.wait();
    return {};
  }

  Gate entered, released;
};

// A client who reads all, and lets the scheduler go on as soon as he sees a sign of life.
class WatchingStream final : public ByteStream {
 public:
  WatchingStream(Gate& gate, std::string_view sign) : gate_(gate), sign_(sign) {}

  Read read(std::string&, size_t, Clock::time_point) override { return Read::end; }
  bool write(std::string_view bytes, Clock::time_point) override {
    text += bytes;
    if (bytes.find(sign_) != std::string_view::npos) gate_.open();
    return true;
  }
  void end_writing() override {}
  bool is_gone() override { return false; }

  std::string text;

 private:
  Gate& gate_;
  std::string_view sign_;
};

// How a client asks, and the chunk that is a sign of life to him.
struct Form {
  std::string_view path, body, sign;
};
constexpr Form kOpenAi = {
    "/v1/chat/completions",
    R"({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3, "stream": true})", ": ping\n\n"};
constexpr Form kOllama = {
    "/api/chat", R"({"messages": [{"role": "user", "content": "Hi"}], "options": {"num_predict": 3}})",
    "1\r\n \r\n"};

class SilentStream : public testing::Test {
 protected:
  // What a client sees who asks while the only slot is busy.
  std::string ask(std::chrono::milliseconds ping_interval, std::chrono::seconds patience = 60s,
                  const Form& form = kOpenAi) {
    auto engine = runtime::Engine::load({.model_path = PLM_SOURCE_DIR "/models/story-7m-f16.gguf",
                                         .n_threads = 1,
                                         .context_length = 64,
                                         .batch_size = 64,
                                         .cache_type = {}});
    const auto drafter = std::make_shared<GateDrafter>();
    auto scheduler = scheduler::Scheduler::create(
        **engine, {.n_slots = 1, .drafter = drafter, .drafts = {.adapts = false}});
    scheduler::Request busy;
    busy.prompt = {1, 2, 3};
    busy.max_tokens = 20;
    EXPECT_TRUE((*scheduler)->submit(std::move(busy)).ok());
    drafter->entered.wait();
    if (ping_interval.count() == 0) drafter->released.open();

    ApiOptions options;
    options.model_name = "story";
    options.ping_interval = ping_interval;
    options.patience = patience;
    const Api api(**scheduler, *chat::Template::create((*engine)->tokenizer()), std::move(options));
    HttpRequest request;
    request.head.method = "POST";
    request.head.path = form.path;
    request.body = form.body;
    WatchingStream stream(drafter->released, form.sign);
    HttpReply reply(stream, request.head, 10s);
    Exchange exchange{.request = request, .reply = reply};
    api.handle(exchange);
    reply.finish();
    return stream.text;
  }
};

TEST_F(SilentStream, GetsSignsOfLifeWhileItWaitsForASlot) {
  const std::string text = ask(1ms);
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200 "));
  const size_t ping = text.find(": ping\n\n"), role = text.find(R"("role":"assistant")");
  ASSERT_NE(ping, std::string::npos) << text;
  ASSERT_NE(role, std::string::npos) << text;
  EXPECT_LT(ping, role);
  EXPECT_THAT(text, HasSubstr(R"("finish_reason":"length")"));
  EXPECT_THAT(text, HasSubstr("data: [DONE]\n\n"));
}

TEST_F(SilentStream, TellsByAnEventWhatFailsAfterASignOfLife) {
  const std::string text = ask(1ms, 0s);
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(text, HasSubstr(R"(data: {"error":{"code":503,"message":"no slot became free in time")"));
  EXPECT_THAT(text, Not(HasSubstr("[DONE]")));
}

// A line of JSON may begin with a blank, and may not be empty.
TEST_F(SilentStream, OfLinesGetsBlanksBeforeTheFirst) {
  const std::string text = ask(1ms, 60s, kOllama);
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(text, HasSubstr("application/x-ndjson"));
  const size_t blank = text.find(kOllama.sign), words = text.find(R"({"model":"story:latest")");
  ASSERT_NE(blank, std::string::npos) << text;
  ASSERT_NE(words, std::string::npos) << text;
  EXPECT_LT(blank, words);
  EXPECT_THAT(text, HasSubstr(R"("done_reason":"length")"));
}

TEST_F(SilentStream, OfLinesTellsByALineWhatFailsAfterASignOfLife) {
  const std::string text = ask(1ms, 0s, kOllama);
  EXPECT_THAT(text, HasSubstr("{\"error\":\"no slot became free in time\"}\n"));
  EXPECT_THAT(text, Not(HasSubstr("done_reason")));
}

TEST_F(SilentStream, GetsNoneWhereNoneAreWanted) {
  const std::string text = ask(0ms);
  EXPECT_THAT(text, Not(HasSubstr("ping")));
  EXPECT_THAT(text, HasSubstr("data: [DONE]\n\n"));
}

}  // namespace
}  // namespace plm::server
