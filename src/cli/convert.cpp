// plm convert: a Hugging Face folder to a GGUF file, and back.

#include "convert/convert.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/aligned_buffer.h"
#include "base/cpu_features.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace plm::cli {

namespace {

using Clock = std::chrono::steady_clock;

class ConvertCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("in", input_, "Hugging Face folder, or GGUF file")->required()->type_name("IN");
    app.add_option("out", output_, "GGUF file, or folder")->required()->type_name("OUT");
    app.add_option("--outtype", type_name_,
                   "type of the matrices: f32, f16, bf16, q8_0 (GGUF only), or auto, the source's own")
        ->capture_default_str()
        ->type_name("TYPE");
    app.add_option("--model-name", options_.name, "name in the GGUF file (default: that of the folder)")
        ->type_name("NAME");
    app.add_option("--split-max-size", max_shard_, "largest model-0000N-of-0000M.safetensors, e.g. 500M, 5G")
        ->capture_default_str()
        ->type_name("SIZE");
    app.add_flag("--allow-nonfinite", options_.allow_nonfinite,
                 "write NaN and infinite weights all the same");
    app.add_flag("--force", options_.overwrite, "write over what is there");
    app.add_option("-t,--threads", n_threads_, "threads (default: all CPUs)")
        ->check(within(-1, 1 << 20))
        ->type_name("N");
    app.add_flag("--json", json_, "report as JSON");
  }

  Status run() override;

 private:
  Status read_type();
  Status read_shard_size();
  std::string report_text(const convert::Report& report, double seconds) const;

  convert::Options options_;
  std::string input_, output_, type_name_ = "auto", max_shard_ = "5G";
  int n_threads_ = 0;
  bool json_ = false;
};

Status ConvertCommand::read_type() {
  if (type_name_ == "auto") return {};
  options_.type = tensor_type_from_name(type_name_);
  if (options_.type) return {};
  return make_error(ErrorKind::invalid_argument,
                    "--outtype: found \"{}\", expected f32, f16, bf16, q8_0 or auto", type_name_);
}

// 500M is 500,000,000 bytes, as llama.cpp and huggingface count.
Status ConvertCommand::read_shard_size() {
  uint64_t number = 0;
  const char* const end = max_shard_.data() + max_shard_.size();
  const auto [rest, problem] = std::from_chars(max_shard_.data(), end, number);
  const bool has_unit = end - rest == 1;
  const uint64_t unit = !has_unit ? 0 : *rest == 'M' ? 1'000'000 : *rest == 'G' ? 1'000'000'000 : 0;
  constexpr uint64_t kLargest = 1'000'000;
  if (problem == std::errc() && unit != 0 && number >= 1 && number <= kLargest) {
    options_.max_shard_bytes = number * unit;
    return {};
  }
  return make_error(ErrorKind::invalid_argument,
                    "--split-max-size: found \"{}\", expected a size such as 500M or 5G", max_shard_);
}

std::string ConvertCommand::report_text(const convert::Report& report, double seconds) const {
  if (!json_) return output_ + "\n";
  const nlohmann::ordered_json json{{"output", output_},
                                    {"architecture", report.architecture},
                                    {"type", tensor_type_name(report.type)},
                                    {"tensors", report.n_tensors},
                                    {"parameters", report.n_parameters},
                                    {"bytes", report.bytes},
                                    {"seconds", seconds},
                                    {"peak_memory_bytes", peak_resident_bytes()},
                                    {"notes", report.notes}};
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Status ConvertCommand::run() {
  PLM_TRY_STATUS(read_type());
  PLM_TRY_STATUS(read_shard_size());
  options_.n_threads = n_threads_ > 0 ? std::min(n_threads_, available_cpus()) : available_cpus();
  const auto begin = Clock::now();
  auto shown_at = begin;
  options_.progress = [&shown_at](double fraction, std::string_view tensor) {
    constexpr auto kPause = std::chrono::seconds(1);
    if (Clock::now() - shown_at >= kPause) {
      talk("plm: {:.0f} % {}", 100 * fraction, tensor);
      shown_at = Clock::now();
    }
    return !interrupted();
  };
  std::error_code error;
  const bool from_folder = std::filesystem::is_directory(input_, error);
  PLM_TRY(const convert::Report report, from_folder
                                            ? convert::huggingface_to_gguf(input_, output_, options_)
                                            : convert::gguf_to_huggingface(input_, output_, options_));
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  for (const std::string& note : report.notes) talk("plm: note: {}", note);
  talk("plm: {} tensors, {:.1f} MB as {} in {:.1f} s", report.n_tensors,
       static_cast<double>(report.bytes) / 1e6, tensor_type_name(report.type), seconds);
  return write_output(report_text(report, seconds));
}

}  // namespace

std::unique_ptr<Command> make_convert_command() { return std::make_unique<ConvertCommand>(); }

}  // namespace plm::cli
