// The bundled model, loaded through the library's interface.
#pragma once

#include <gtest/gtest.h>

#include "plm/plm.h"

namespace plm {

inline ModelOptions story_options() {
  return {.path = PLM_SOURCE_DIR "/models/story-7m-f16.gguf",
          .n_threads = 2,
          .context_length = 256,
          .batch_size = 128,
          .prefix_bytes = 16 << 20};
}

class StoryModelTest : public testing::Test {
 protected:
  static Model load(const ModelOptions& options = story_options()) {
    auto model = Model::load(options);
    if (!model.ok()) ADD_FAILURE() << model.error().message;
    return *std::move(model);
  }

  // The kind of a failure; none where it did not fail.
  template <class T>
  static std::optional<ErrorKind> failure(const Result<T>& result) {
    if (result.ok()) return {};
    EXPECT_FALSE(result.error().message.empty());
    EXPECT_EQ(result.error().message.find('\n'), std::string::npos) << result.error().message;
    return result.error().kind;
  }

  Model model_ = load();
};

inline GenerateOptions greedy(std::int64_t max_tokens) {
  return {.max_tokens = max_tokens, .temperature = 0};
}

}  // namespace plm
