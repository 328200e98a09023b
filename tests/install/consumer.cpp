// The smallest program over the parts beneath plm.h: continues a text greedily, choosing its tokens itself.
#include <plm/engine.h>

#include <algorithm>
#include <cstdio>

namespace {

plm::Result<std::string> continue_text(const char* model_path, const char* text, int n_tokens) {
  PLM_TRY(auto engine, plm::runtime::Engine::load({.model_path = model_path, .n_threads = 2}));
  PLM_TRY(auto session, engine->new_session());
  const auto& tokenizer = engine->tokenizer();
  std::vector<plm::runtime::TokenId> next = tokenizer.encode(text);
  std::string written;
  for (int i = 0; i < n_tokens; ++i) {
    PLM_TRY_STATUS(session.decode(next));
    const auto logits = session.logits();
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    next = {static_cast<plm::runtime::TokenId>(best)};
    written += tokenizer.token_bytes(next[0]);
  }
  return written;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto missing = continue_text("no such file.gguf", "", 1);
  if (missing.ok()) return 1;
  const auto written = continue_text(argv[1], "Once upon a time", 8);
  if (!written.ok()) {
    std::fprintf(stderr, "%s\n", written.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", written->c_str());
  return written->empty() ? 1 : 0;
}
