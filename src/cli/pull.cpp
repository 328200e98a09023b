// plm pull: a model from the Hugging Face hub into the cache that huggingface_hub shares.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/hub_options.h"
#include "cli/output.h"
#include "hub/names.h"

namespace plm::cli {

namespace {

using Json = nlohmann::ordered_json;

std::string json_report(const hub::Pulled& pulled) {
  Json files = Json::array();
  for (const hub::PulledFile& file : pulled.files) {
    files.push_back(Json{
        {"name", file.name}, {"path", file.path}, {"bytes", file.bytes}, {"was_cached", file.was_cached}});
  }
  const Json report{{"repository", pulled.repository},
                    {"revision", pulled.revision},
                    {"commit", pulled.commit},
                    {"folder", pulled.folder},
                    {"files", std::move(files)}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

class PullCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("repository", source_, "USER/REPO, or USER/REPO:Q4_K_M for a quantisation")
        ->required()
        ->type_name("USER/REPO[:QUANT]");
    app.add_option("--hf-file,--file", request_.wish.file, "(-hff) this file")->type_name("FILE");
    app.add_option("--include", request_.wish.globs,
                   "all files that match, '*' for the whole repository; may be given again")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false)
        ->type_name("GLOB");
    app.add_option("--revision", request_.revision, "branch, tag or commit")
        ->capture_default_str()
        ->type_name("REV");
    app.add_option("--retries", n_retries_, "tries after one that broke without bringing anything")
        ->check(within(0, 1000))
        ->capture_default_str()
        ->type_name("N");
    app.add_flag("--json", json_, "print JSON: the commit, and path and size of each file");
    hub_.add_to(app);
  }

  Status run() override {
    PLM_TRY(const hub::Source source, hub::parse_source(source_));
    PLM_TRY_STATUS(hub::check_revision(request_.revision));
    const int n_choices = static_cast<int>(!source.quant.empty()) +
                          static_cast<int>(!request_.wish.file.empty()) +
                          static_cast<int>(!request_.wish.globs.empty());
    if (n_choices > 1) {
      return make_error(ErrorKind::invalid_argument,
                        "a quantisation, --file and --include exclude each other");
    }
    PLM_TRY(hub::Settings settings, hub_.settings());
    settings.n_tries = n_retries_ + 1;
    request_.repository = source.repository;
    request_.wish.quant = source.quant;
    PLM_TRY(const hub::Pulled pulled, pull_shown(request_, settings));
    if (json_) return write_output(json_report(pulled));
    return write_output((request_.wish.globs.empty() ? pulled.files.front().path : pulled.folder) + "\n");
  }

 private:
  HubOptions hub_;
  hub::PullRequest request_;
  std::string source_;
  int n_retries_ = 5;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_pull_command() { return std::make_unique<PullCommand>(); }

}  // namespace plm::cli
