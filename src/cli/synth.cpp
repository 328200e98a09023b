// plm synth: a model of random weights in a real shape, for benchmarks.

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/cpu_features.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "model/synth/quant_mix.h"
#include "model/synth/synth.h"

namespace plm::cli {

namespace {

class SynthCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("out", path_, "GGUF file to write")->required()->type_name("OUT.gguf");
    app.add_option("--preset", preset_, fmt::format("shape: {}", preset_names()))
        ->capture_default_str()
        ->type_name("NAME");
    app.add_option("--type", options_.type, "type of the weights: " + model::quant_mix_names())
        ->capture_default_str()
        ->type_name("TYPE");
    app.add_option("--sparsity", options_.sparsity, "share of squared-ReLU outputs that are zero")
        ->check(within(0.0, 1.0))
        ->capture_default_str()
        ->type_name("R");
    app.add_option("-s,--seed", options_.seed, "seed of the weights")->capture_default_str()->type_name("N");
    app.add_option("-t,--threads", n_threads_, "threads (default: all CPUs)")
        ->check(within(-1, 1 << 20))
        ->type_name("N");
    app.add_flag("--force", force_, "write over a file that is there");
  }

  Status run() override;

 private:
  static std::string preset_names() {
    std::string names;
    for (const model::SynthPreset& preset : model::synth_presets()) {
      names += (names.empty() ? "" : ", ") + std::string(preset.name);
    }
    return names;
  }

  model::SynthOptions options_;
  std::string path_, preset_ = "plm-1.8b";
  int n_threads_ = 0;
  bool force_ = false;
};

Status SynthCommand::run() {
  const model::SynthPreset* preset = model::find_synth_preset(preset_);
  if (preset == nullptr) {
    return make_error(ErrorKind::invalid_argument, "preset {} is not known; there are: {}", preset_,
                      preset_names());
  }
  std::error_code error;
  if (!force_ && std::filesystem::exists(path_, error)) {
    return make_error(ErrorKind::io, "{} is there already; --force writes over it", path_);
  }
  options_.preset = *preset;
  options_.n_threads = n_threads_ > 0 ? std::min(n_threads_, available_cpus()) : available_cpus();
  int shown_tenths = 0;
  options_.progress = [&shown_tenths](double fraction) {
    const int tenths = static_cast<int>(fraction * 10);
    if (tenths > shown_tenths) talk("plm: {} %", 10 * tenths);
    shown_tenths = std::max(shown_tenths, tenths);
    return !interrupted();
  };
  PLM_TRY_STATUS(model::write_synthetic_model(path_, options_));
  return write_output(path_ + "\n");
}

}  // namespace

std::unique_ptr<Command> make_synth_command() { return std::make_unique<SynthCommand>(); }

}  // namespace plm::cli
