// plm quantize: a GGUF file with weights in fewer bits. Arguments and options are llama-quantize's.

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/cpu_features.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "quantize/quantizer.h"

namespace plm::cli {

namespace {

using Json = nlohmann::ordered_json;
using quantize::PlannedTensor;

double mebibytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

class QuantizeCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("files", positional_,
                   "the model, the file to write (not with --dry-run), the type, threads")
        ->required()
        ->expected(2, 4)
        ->type_name("IN [OUT] TYPE [THREADS]");
    app.add_option("--imatrix", importance_path_,
                   "importance of the inputs, from plm imatrix or llama-imatrix")
        ->type_name("FILE");
    app.add_option("--tensor-type", rule_texts_,
                   "type of the tensors whose name the pattern finds; may be repeated")
        ->type_name("REGEX=TYPE");
    app.add_option("--output-tensor-type", output_type_, "type of the output matrix")->type_name("TYPE");
    app.add_option("--token-embedding-type", embedding_type_, "type of the embedding")->type_name("TYPE");
    app.add_flag("--pure", plan_options_.pure, "all matrices of one type, no mixture");
    app.add_flag("--leave-output-tensor", plan_options_.keep_output, "output.weight as it is");
    app.add_flag("--allow-requantize", plan_options_.may_requantize,
                 "take tensors that have lost precision already");
    app.add_flag("--order-neurons", order_neurons_,
                 "put neurons that fire together side by side (exact; the imatrix must know; its "
                 "correlations of ffn_down then go unused)");
    app.add_flag("--dry-run", dry_run_, "only say what would be done and how large the file would be");
    app.add_option("-t,--threads", n_threads_, "threads (default: all CPUs)")
        ->check(within(-1, 1 << 20))
        ->type_name("N");
    app.add_flag("--force", force_, "write over a file that is there");
    app.add_flag("--json", json_, "print JSON");
  }

  Status run() override;

 private:
  Status take_positionals();
  Status take_types();
  Status check_paths() const;
  std::string report(const quantize::Plan& plan, double seconds) const;
  void talk_plan(const quantize::Plan& plan) const;
  Status write(const gguf::File& file, const quantize::Plan& plan);

  std::vector<std::string> positional_, rule_texts_;
  std::string in_, out_, importance_path_, output_type_, embedding_type_;
  quantize::PlanOptions plan_options_;
  std::optional<quantize::Importance> importance_;
  bool order_neurons_ = false, dry_run_ = false, force_ = false, json_ = false;
  int n_threads_ = 0;
};

// IN TYPE, IN OUT TYPE, and either with a number of threads behind, as llama-quantize takes it.
Status QuantizeCommand::take_positionals() {
  std::vector<std::string> words = positional_;
  const std::string& last = words.back();
  if (words.size() > 2 && last.size() < 7 && last.find_first_not_of("0123456789") == std::string::npos) {
    n_threads_ = std::stoi(last);
    words.pop_back();
  }
  plan_options_.file_type = quantize::find_file_type(words.back());
  if (plan_options_.file_type == nullptr) {
    return make_error(ErrorKind::invalid_argument, "type {} is not known; there are: {}", words.back(),
                      quantize::file_type_names());
  }
  in_ = words[0];
  if (words.size() == 3) {
    out_ = words[1];
  } else if (words.size() == 2 && !dry_run_) {
    return make_error(ErrorKind::invalid_argument, "no file to write: give IN OUT TYPE, or --dry-run");
  } else if (words.size() > 3) {
    return make_error(ErrorKind::invalid_argument, "found {} words, expected IN OUT TYPE", words.size());
  }
  return {};
}

Status QuantizeCommand::take_types() {
  if (!output_type_.empty()) {
    PLM_TRY(plan_options_.output_type, quantize::writable_type(output_type_));
  }
  if (!embedding_type_.empty()) {
    PLM_TRY(plan_options_.embedding_type, quantize::writable_type(embedding_type_));
  }
  for (const std::string& text : rule_texts_) {
    PLM_TRY(quantize::TensorRule rule, quantize::TensorRule::parse(text));
    plan_options_.rules.push_back(std::move(rule));
  }
  return {};
}

Status QuantizeCommand::check_paths() const {
  if (dry_run_) return {};
  std::error_code error;
  if (std::filesystem::equivalent(in_, out_, error)) {
    return make_error(ErrorKind::invalid_argument, "{} would be read and written at once; name another file",
                      out_);
  }
  if (!force_ && std::filesystem::exists(out_, error)) {
    return make_error(ErrorKind::io, "{} is there already; --force writes over it", out_);
  }
  return {};
}

void QuantizeCommand::talk_plan(const quantize::Plan& plan) const {
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const PlannedTensor& tensor = plan.tensors[i];
    talk("[{:4}/{:4}] {:36} {:>7} -> {:7} {:9.2f} MiB -> {:9.2f} MiB{}", i + 1, plan.tensors.size(),
         tensor.source.name, tensor_type_name(tensor.source.type), tensor_type_name(tensor.type),
         mebibytes(tensor.source.bytes), mebibytes(tensor.bytes),
         tensor.fell_back ? "  (row length allows no other)" : "");
  }
}

std::string QuantizeCommand::report(const quantize::Plan& plan, double seconds) const {
  std::map<std::string, int64_t> n_of_type;
  for (const PlannedTensor& tensor : plan.tensors) ++n_of_type[std::string(tensor_type_name(tensor.type))];
  if (json_) {
    Json json{{"in", in_},
              {"out", out_},
              {"type", plan.file_type->name},
              {"bytes_before", plan.bytes_before},
              {"bytes_after", plan.bytes_after},
              {"bits_per_weight", plan.bits_per_weight()},
              {"dry_run", dry_run_},
              {"seconds", seconds},
              {"tensors_of_type", n_of_type}};
    for (const PlannedTensor& tensor : plan.tensors) {
      json["tensors"].push_back({{"name", tensor.source.name},
                                 {"from", tensor_type_name(tensor.source.type)},
                                 {"to", tensor_type_name(tensor.type)},
                                 {"bytes", tensor.bytes}});
    }
    return json.dump() + "\n";
  }
  std::string types;
  for (const auto& [type, n] : n_of_type) types += fmt::format("{}{} {}", types.empty() ? "" : ", ", n, type);
  return fmt::format("{}: {:.2f} MiB -> {:.2f} MiB, {:.3f} bits a weight ({} tensors: {})\n",
                     dry_run_ ? "would write" : out_, mebibytes(plan.bytes_before),
                     mebibytes(plan.bytes_after), plan.bits_per_weight(), plan.tensors.size(), types);
}

Status QuantizeCommand::write(const gguf::File& file, const quantize::Plan& plan) {
  const int n_threads = n_threads_ > 0 ? std::min(n_threads_, available_cpus()) : available_cpus();
  ThreadPool pool(n_threads);
  quantize::QuantizeOptions options;
  options.importance = plan_options_.importance;
  options.importance_path = importance_path_;
  options.order_neurons = order_neurons_;
  int shown_tenths = 0;
  options.progress = [&shown_tenths](const quantize::QuantizeProgress& progress) {
    const int tenths = static_cast<int>(progress.fraction * 10);
    if (tenths > shown_tenths) talk("plm: {} %", 10 * tenths);
    shown_tenths = std::max(shown_tenths, tenths);
    return !interrupted();
  };
  PLM_TRY(const quantize::QuantizeSummary summary, quantize::quantize_file(file, plan, options, out_, pool));
  if (importance_) {
    talk("plm: importance was known for {} tensors, unknown for {}", summary.n_weighted,
         summary.n_unweighted);
  }
  return {};
}

Status QuantizeCommand::run() {
  PLM_TRY_STATUS(take_positionals());
  PLM_TRY_STATUS(take_types());
  PLM_TRY_STATUS(check_paths());
  PLM_TRY(const gguf::File file, gguf::File::open(in_));
  if (!importance_path_.empty()) {
    PLM_TRY(importance_, quantize::read_importance(importance_path_));
    plan_options_.importance = &*importance_;
  }
  PLM_TRY(const quantize::Plan plan, quantize::make_plan(file, plan_options_));
  if (!json_) talk_plan(plan);
  const double start = seconds_now();
  if (!dry_run_) PLM_TRY_STATUS(write(file, plan));
  const double seconds = seconds_now() - start;
  return write_output(report(plan, seconds));
}

}  // namespace

std::unique_ptr<Command> make_quantize_command() { return std::make_unique<QuantizeCommand>(); }

}  // namespace plm::cli
