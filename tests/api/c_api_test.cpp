#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../gguf/temporary_folder.h"
#include "plm/plm_c.h"

namespace plm {
namespace {

struct FreeModel {
  void operator()(plm_model* model) const { plm_model_free(model); }
};
struct FreeAnswer {
  void operator()(plm_answer* answer) const { plm_answer_free(answer); }
};
using OwnedModel = std::unique_ptr<plm_model, FreeModel>;
using OwnedAnswer = std::unique_ptr<plm_answer, FreeAnswer>;

std::string_view view(plm_text text) { return {text.data, text.size}; }

class CApiTest : public TemporaryFolder {
 protected:
  static OwnedModel load() {
    plm_model_options options;
    plm_model_options_init(&options);
    options.path = plm_text_of(PLM_SOURCE_DIR "/models/story-7m-f16.gguf");
    options.n_threads = 2;
    options.context_length = 256;
    plm_model* model = nullptr;
    EXPECT_EQ(plm_model_load(&options, &model), PLM_OK) << plm_last_error();
    return OwnedModel(model);
  }
  static plm_generate_options greedy(int64_t max_tokens) {
    plm_generate_options options;
    plm_generate_options_init(&options);
    options.max_tokens = max_tokens;
    options.temperature = 0;
    return options;
  }
  OwnedAnswer generate(const plm_generate_options& options, plm_on_piece on_piece = nullptr,
                       void* data = nullptr) {
    plm_answer* answer = nullptr;
    EXPECT_EQ(plm_generate(model_.get(), plm_text_of("Once upon a time"), &options, on_piece, data, &answer),
              PLM_OK)
        << plm_last_error();
    return OwnedAnswer(answer);
  }
  static plm_answer_info info(const OwnedAnswer& answer) {
    plm_answer_info info = {};
    EXPECT_EQ(plm_answer_describe(answer.get(), &info), PLM_OK);
    return info;
  }
  // Of a call that must be refused for what it was given.
  static void expect_refused(plm_result result, std::string_view part) {
    EXPECT_EQ(result, PLM_INVALID_ARGUMENT);
    EXPECT_NE(std::string_view(plm_last_error()).find(part), std::string_view::npos) << plm_last_error();
  }

  OwnedModel model_ = load();
};

TEST_F(CApiTest, IsOfTheVersionOfItsHeader) {
  EXPECT_EQ(plm_abi_version(), PLM_C_ABI_VERSION);
  EXPECT_STRNE(plm_version(), "");
}

// A change of these sizes is a change of the ABI: PLM_C_ABI_VERSION and SOVERSION are counted up with it.
TEST_F(CApiTest, StructsHaveTheSizeOfTheirAbi) {
  if (sizeof(void*) != 8) GTEST_SKIP() << "counted for 64 bits";
  EXPECT_EQ(sizeof(plm_text), 16);
  EXPECT_EQ(sizeof(plm_model_options), 112);
  EXPECT_EQ(sizeof(plm_model_info), 144);
  EXPECT_EQ(sizeof(plm_generate_options), 176);
  EXPECT_EQ(sizeof(plm_token_score), 24);
  EXPECT_EQ(sizeof(plm_tool_call), 32);
  EXPECT_EQ(sizeof(plm_piece), 48);
  EXPECT_EQ(sizeof(plm_answer_info), 128);
}

TEST_F(CApiTest, TellsWhatAModelIs) {
  plm_model_info told = {};
  ASSERT_EQ(plm_model_describe(model_.get(), &told), PLM_OK);
  EXPECT_EQ(told.context_length, 256);
  EXPECT_EQ(view(told.architecture), "plm");
}

TEST_F(CApiTest, PiecesTogetherAreTheAnswer) {
  std::string text;
  const auto answer = generate(
      greedy(12),
      [](const plm_piece* piece, void* data) {
        static_cast<std::string*>(data)->append(piece->text.data, piece->text.size);
        return 1;
      },
      &text);
  ASSERT_NE(answer, nullptr);
  const plm_answer_info told = info(answer);
  EXPECT_EQ(view(told.whole.text), text);
  EXPECT_EQ(told.whole.text.data[told.whole.text.size], '\0');
  EXPECT_EQ(told.whole.n_tokens, 12);
  EXPECT_TRUE(std::isnan(told.whole.tokens[0].log_probability));
  EXPECT_EQ(told.reason, PLM_STOP_MAX_TOKENS);
}

TEST_F(CApiTest, ACallbackStopsIt) {
  int n_pieces = 0;
  const auto answer = generate(
      greedy(100), [](const plm_piece*, void* data) { return ++*static_cast<int*>(data) < 3 ? 1 : 0; },
      &n_pieces);
  EXPECT_EQ(info(answer).reason, PLM_STOP_STOPPED);
  EXPECT_EQ(info(answer).whole.n_tokens, 3);
}

TEST_F(CApiTest, AnAnswerOutlivesItsModel) {
  const auto answer = generate(greedy(4));
  model_.reset();
  EXPECT_GT(info(answer).whole.text.size, 0);
}

TEST_F(CApiTest, OptionsReachTheSampler) {
  plm_generate_options options = greedy(8);
  const plm_text stop[] = {plm_text_of("zzz"), plm_text_of("qqq")};
  const plm_bias bias[] = {{.id = 5, .bias = -INFINITY}};
  options.stop = stop;
  options.n_stop = 2;
  options.logit_bias = bias;
  options.n_logit_bias = 1;
  options.has_seed = 1;
  options.seed = 77;
  options.n_top = 2;
  options.regex = plm_text_of(" (happy|sad)\\.");
  const auto answer = generate(options);
  const plm_answer_info told = info(answer);
  EXPECT_EQ(told.seed, 77);
  EXPECT_EQ(told.whole.tokens[0].n_top, 2);
  EXPECT_LE(told.whole.tokens[0].log_probability, 0);
  EXPECT_TRUE(view(told.whole.text) == " happy." || view(told.whole.text) == " sad.");
}

TEST_F(CApiTest, TokensFillABufferOrSayWhatTheyNeed) {
  const plm_text text = plm_text_of("The dog ran home.");
  size_t n = 0;
  EXPECT_EQ(plm_tokenize(model_.get(), text, 0, 0, nullptr, 0, &n), PLM_TOO_SMALL);
  ASSERT_GT(n, 2);
  std::vector<plm_token> ids(n);
  size_t n_again = 0;
  EXPECT_EQ(plm_tokenize(model_.get(), text, 0, 0, ids.data(), n - 1, &n_again), PLM_TOO_SMALL);
  EXPECT_EQ(plm_tokenize(model_.get(), text, 0, 0, ids.data(), n, &n_again), PLM_OK);
  EXPECT_EQ(n, n_again);
  std::string back(64, '\0');
  size_t n_bytes = 0;
  EXPECT_EQ(plm_detokenize(model_.get(), ids.data(), n, 0, back.data(), back.size(), &n_bytes), PLM_OK);
  EXPECT_EQ(std::string_view(back.data(), n_bytes), view(text));
  EXPECT_EQ(plm_tokenize(model_.get(), {}, 0, 0, nullptr, 0, &n), PLM_OK);
  EXPECT_EQ(n, 0);
}

TEST_F(CApiTest, ScoresAndEmbeds) {
  const plm_token ids[] = {5, 6, 7};
  float scores[3] = {};
  ASSERT_EQ(plm_score(model_.get(), ids, 3, scores, nullptr, nullptr), PLM_OK) << plm_last_error();
  EXPECT_TRUE(std::isnan(scores[0]));
  EXPECT_LE(scores[2], 0);
  plm_model_info told = {};
  ASSERT_EQ(plm_model_describe(model_.get(), &told), PLM_OK);
  std::vector<float> row(static_cast<size_t>(told.width));
  ASSERT_EQ(plm_embed(model_.get(), plm_text_of("a dog"), PLM_POOLING_MEAN, 1, row.data(), row.size(),
                      nullptr, nullptr),
            PLM_OK)
      << plm_last_error();
  double sum = 0;
  for (const float number : row) sum += static_cast<double>(number) * static_cast<double>(number);
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_EQ(plm_embed(model_.get(), plm_text_of("a dog"), PLM_POOLING_MEAN, 1, row.data(), row.size() - 1,
                      nullptr, nullptr),
            PLM_INVALID_ARGUMENT);
  const auto stop = [](void*) { return 0; };
  EXPECT_EQ(plm_score(model_.get(), ids, 3, scores, stop, nullptr), PLM_CANCELLED);
}

TEST_F(CApiTest, ChatsInOpenAisTerms) {
  plm_conversation conversation = {};
  conversation.messages = plm_text_of(R"([{"role": "user", "content": "Tell me of a dog."}])");
  const plm_generate_options options = greedy(6);
  plm_answer* answer = nullptr;
  ASSERT_EQ(plm_chat(model_.get(), &conversation, &options, nullptr, nullptr, &answer), PLM_OK)
      << plm_last_error();
  const OwnedAnswer owned(answer);
  EXPECT_GT(info(owned).n_prompt, 4);
  conversation.messages = plm_text_of("[");
  expect_refused(plm_chat(model_.get(), &conversation, &options, nullptr, nullptr, nullptr), "messages");
}

TEST_F(CApiTest, SessionsComeBack) {
  const std::string file = path("session");
  expect_refused(plm_save_session(model_.get(), plm_text_of(file.c_str()), nullptr), "no session");
  generate(greedy(4));
  size_t n_saved = 0, n_loaded = 0;
  ASSERT_EQ(plm_save_session(model_.get(), plm_text_of(file.c_str()), &n_saved), PLM_OK) << plm_last_error();
  ASSERT_EQ(plm_load_session(model_.get(), plm_text_of(file.c_str()), &n_loaded), PLM_OK) << plm_last_error();
  EXPECT_EQ(n_saved, n_loaded);
  EXPECT_EQ(plm_load_session(model_.get(), plm_text_of("no such file"), nullptr), PLM_NOT_FOUND);
  EXPECT_EQ(plm_load_session(model_.get(), plm_text_of(PLM_SOURCE_DIR "/README.md"), nullptr), PLM_BAD_DATA);
}

TEST_F(CApiTest, NullPointersAreRefused) {
  plm_model* model = model_.get();
  const plm_text text = plm_text_of("a");
  const plm_token id = 5;
  size_t n = 0;
  float number = 0;
  plm_answer* answer = nullptr;
  plm_model_options options;
  plm_model_options_init(&options);
  plm_model_options_init(nullptr);
  plm_generate_options_init(nullptr);
  expect_refused(plm_model_load(nullptr, &model), "options");
  EXPECT_EQ(model, nullptr) << "a failed load leaves no pointer behind";
  model = model_.get();
  expect_refused(plm_model_load(&options, nullptr), "out");
  expect_refused(plm_model_describe(nullptr, nullptr), "model");
  expect_refused(plm_model_describe(model, nullptr), "info");
  expect_refused(plm_model_stop_all(nullptr), "model");
  expect_refused(plm_tokenize(nullptr, text, 0, 0, nullptr, 0, &n), "model");
  expect_refused(plm_tokenize(model, text, 0, 0, nullptr, 0, nullptr), "n:");
  expect_refused(plm_tokenize(model, text, 0, 0, nullptr, 8, &n), "ids");
  expect_refused(plm_tokenize(model, {nullptr, 3}, 0, 0, nullptr, 0, &n), "text");
  expect_refused(plm_detokenize(model, nullptr, 3, 0, nullptr, 0, &n), "ids");
  expect_refused(plm_generate(nullptr, text, nullptr, nullptr, nullptr, &answer), "model");
  expect_refused(plm_generate(model, {nullptr, 3}, nullptr, nullptr, nullptr, &answer), "prompt");
  expect_refused(plm_generate_from_tokens(model, nullptr, 3, nullptr, nullptr, nullptr, &answer), "ids");
  EXPECT_EQ(answer, nullptr);
  expect_refused(plm_chat(model, nullptr, nullptr, nullptr, nullptr, &answer), "conversation");
  expect_refused(plm_answer_describe(nullptr, nullptr), "answer");
  expect_refused(plm_score(model, nullptr, 1, &number, nullptr, nullptr), "ids");
  expect_refused(plm_score(model, &id, 1, nullptr, nullptr, nullptr), "log_probabilities");
  expect_refused(plm_embed(model, text, PLM_POOLING_MEAN, 1, nullptr, 0, nullptr, nullptr), "vector");
  expect_refused(plm_save_session(nullptr, text, nullptr), "model");
  expect_refused(plm_load_session(nullptr, text, nullptr), "model");
  plm_model_free(nullptr);
  plm_answer_free(nullptr);
}

TEST_F(CApiTest, OptionsThatWereNotBegunAreRefused) {
  plm_generate_options options = greedy(1);
  for (const size_t size : {size_t{0}, size_t{1}, sizeof options + 1, SIZE_MAX}) {
    options.struct_size = size;
    expect_refused(plm_generate(model_.get(), plm_text_of("a"), &options, nullptr, nullptr, nullptr),
                   "plm_generate_options");
  }
}

TEST_F(CApiTest, OptionsOfAnOlderProgramAreTaken) {
  plm_generate_options options = greedy(3);
  options.struct_size = offsetof(plm_generate_options, top_k);
  options.top_k = -12345;  // what such a program has there is not looked at
  EXPECT_EQ(info(generate(options)).whole.n_tokens, 3);
}

TEST_F(CApiTest, SettingsThatCannotBeAreRefused) {
  plm_generate_options options = greedy(1);
  options.temperature = std::numeric_limits<float>::quiet_NaN();
  expect_refused(plm_generate(model_.get(), plm_text_of("a"), &options, nullptr, nullptr, nullptr),
                 "temperature");
  const std::string endless(100000, 'x');
  expect_refused(plm_generate(model_.get(), plm_text_of(endless.c_str()), nullptr, nullptr, nullptr, nullptr),
                 "prompt");
  EXPECT_EQ(plm_embed(model_.get(), plm_text_of("a"), static_cast<plm_pooling>(3), 1, &options.temperature, 1,
                      nullptr, nullptr),
            PLM_INVALID_ARGUMENT);
}

TEST_F(CApiTest, EachThreadHasItsOwnLastError) {
  expect_refused(plm_model_describe(nullptr, nullptr), "model");
  std::thread([] {
    EXPECT_STREQ(plm_last_error(), "");
    EXPECT_EQ(plm_answer_describe(nullptr, nullptr), PLM_INVALID_ARGUMENT);
  }).join();
  EXPECT_STREQ(plm_last_error(), "model: found a null pointer");
}

TEST_F(CApiTest, ManyThreadsUseOneModel) {
  std::vector<std::string> texts(6);
  std::vector<std::thread> threads;
  for (std::string& text : texts) {
    threads.emplace_back([&] {
      const auto answer = generate(greedy(8));
      text = view(info(answer).whole.text);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : texts) EXPECT_EQ(text, texts.front());
}

}  // namespace
}  // namespace plm
