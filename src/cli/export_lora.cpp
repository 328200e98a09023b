// plm export-lora: LoRA adapters merged into a GGUF file. Options are llama-export-lora's.

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/cpu_features.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/lora_options.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "quant/formats.h"
#include "quantize/quantizer.h"

namespace plm::cli {

namespace {

class ExportLoraCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    model_.add_to(app);
    lora_.add_to(app);
    app.add_option("-o,--output", out_, "the file to write")->required()->type_name("FILE");
    app.add_option("--outtype", type_name_, "auto, each tensor's own, or a type that plm quantize knows")
        ->capture_default_str()
        ->type_name("TYPE");
    app.add_option("-t,--threads", n_threads_, "threads (default: all CPUs)")
        ->check(within(-1, 1 << 20))
        ->type_name("N");
    app.add_flag("--force", force_, "write over a file that is there");
  }

  Status run() override;

 private:
  Status check_paths(const std::string& base) const;
  Result<quantize::Plan> plan(const gguf::File& base, const quantize::AdapterChanges& changes) const;

  ModelSource model_;
  LoraOptions lora_;
  std::string out_, type_name_ = "auto";
  int n_threads_ = 0;
  bool force_ = false;
};

Status ExportLoraCommand::check_paths(const std::string& base) const {
  std::error_code error;
  if (std::filesystem::equivalent(base, out_, error)) {
    return make_error(ErrorKind::invalid_argument, "{} would be read and written at once; name another file",
                      out_);
  }
  if (!force_ && std::filesystem::exists(out_, error)) {
    return make_error(ErrorKind::io, "{} is there already; --force writes over it", out_);
  }
  return {};
}

Result<quantize::Plan> ExportLoraCommand::plan(const gguf::File& base,
                                               const quantize::AdapterChanges& changes) const {
  if (type_name_ != "auto") {
    const quantize::FileType* type = quantize::find_file_type(type_name_);
    if (type == nullptr) {
      return make_error(ErrorKind::invalid_argument, "--outtype: found \"{}\", expected auto or one of {}",
                        type_name_, quantize::file_type_names());
    }
    return quantize::make_plan(base, {.file_type = type, .may_requantize = true});
  }
  quantize::Plan plan = quantize::plan_as_it_is(base);
  for (const quantize::PlannedTensor& tensor : plan.tensors) {
    const quant::Format* format = quant::find_format(tensor.type);
    if (!changes.contains(tensor.source.name) || (format != nullptr && format->encode != nullptr)) continue;
    return make_error(ErrorKind::unsupported,
                      "{}: tensor {}: found {}, which is not written here; choose another with --outtype",
                      base.path(), tensor.source.name, tensor_type_name(tensor.type));
  }
  return plan;
}

Status ExportLoraCommand::run() {
  if (lora_.empty()) {
    return make_error(ErrorKind::invalid_argument,
                      "no adapter: give --lora FILE or --lora-scaled FILE SCALE");
  }
  PLM_TRY(const std::string path, model_.find());
  PLM_TRY_STATUS(check_paths(path));
  PLM_TRY(const gguf::File base, gguf::File::open(path));
  PLM_TRY(const auto adapters, lora_.load(path));
  PLM_TRY(const auto changes, quantize::AdapterChanges::create(base, adapters));
  PLM_TRY(const quantize::Plan planned, plan(base, changes));
  ThreadPool pool(n_threads_ > 0 ? std::min(n_threads_, available_cpus()) : available_cpus());
  quantize::QuantizeOptions options{.changes = &changes};
  int shown_tenths = 0;
  options.progress = [&shown_tenths](const quantize::QuantizeProgress& progress) {
    const int tenths = static_cast<int>(progress.fraction * 10);
    if (tenths > shown_tenths) talk("plm: {} %", 10 * tenths);
    shown_tenths = std::max(shown_tenths, tenths);
    return !interrupted();
  };
  const double start = seconds_now();
  if (const auto written = quantize::quantize_file(base, planned, options, out_, pool); !written.ok()) {
    return written.error();
  }
  const double seconds = seconds_now() - start;
  size_t n_pairs = 0;
  for (const model::ScaledAdapter& scaled : adapters) n_pairs += scaled.adapter->pairs.size();
  talk("plm: {} adapters with {} pairs merged, {:.1f} MB in {:.1f} s", adapters.size(), n_pairs,
       static_cast<double>(planned.bytes_after) / 1e6, seconds);
  return write_output(out_ + "\n");
}

}  // namespace

std::unique_ptr<Command> make_export_lora_command() { return std::make_unique<ExportLoraCommand>(); }

}  // namespace plm::cli
