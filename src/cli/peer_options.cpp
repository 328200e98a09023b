#include "cli/peer_options.h"

#include "cli/output.h"

namespace plm::cli {

namespace {

constexpr const char* kGroup = "Taken for llama-server's sake, without effect";

}  // namespace

void PeerOptions::add_to(CLI::App& app) {
  app_ = &app;
  const auto flag = [&](const std::string& names, const std::string& text) {
    app.add_flag(names, text)->group(kGroup);
  };
  const auto option = [&](const std::string& names, const std::string& text) {
    return app.add_option(names, ignored_, text)->group(kGroup)->type_name("X");
  };
  option("--flash-attn", "(-fa) attention is always of that kind")->expected(0, 1);
  flag("--cont-batching", "(-cb) requests always join and leave at every step");
  flag("--kv-unified", "(-kvu) memory is taken as rows are written");
  flag("--embedding,--embeddings", "embeddings are always served");
  flag("--no-context-shift", "contexts are never shifted here");
  flag("--mlock", "weights are repacked into memory of plm's own, which is not locked");
  flag("--no-mmap", "the same");
  flag("--no-warmup", "there is nothing to warm");
  option("--cache-reuse", "earlier prompts are taken over from their beginning alone");
  option("--slot-prompt-similarity", "(-sps) all slots share the rows of earlier prompts");
  option("--threads-http", "each connection has a thread");
  option("--reasoning-format", "thoughts are told as they stand in the text")->check(CLI::IsMember({"none"}));
}

void PeerOptions::tell() const {
  std::string given;
  for (const CLI::Option* option : app_->get_options()) {
    if (option->get_group() != kGroup || option->count() == 0) continue;
    given += (given.empty() ? "" : ", ") + option->get_name();
  }
  if (!given.empty()) talk("plm: {}: taken for llama-server's sake, without effect", given);
}

}  // namespace plm::cli
