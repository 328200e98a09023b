// plm tokenize: text to ids. plm detokenize: ids to text. Only the vocabulary of the file is read.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "cli/text_input.h"
#include "cli/token_ids.h"
#include "gguf/gguf_file.h"
#include "runtime/vocabulary_file.h"

namespace plm::cli {

namespace {

using Json = nlohmann::ordered_json;

// Bytes that are not UTF-8 become U+FFFD: JSON has no other way.
std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<tokenizer::Tokenizer> load_vocabulary(const std::string& given_path) {
  PLM_TRY(const std::string path, find_model(given_path));
  PLM_TRY(const auto file, gguf::File::open(path));
  return runtime::load_tokenizer(file);
}

class TokenizeCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("-m,--model", model_, "GGUF file; one of a vocabulary alone serves")->type_name("FILE");
    text_.add_to(app, "-p,--text,--prompt", "the text");
    app.add_flag("--json", json_, R"(print {"ids":[..],"pieces":[..]})");
    app.add_flag("--pieces", pieces_, "print a token a line, with its text");
    app.add_flag("--no-bos", no_special_,
                 "add no beginning or end token, even where the vocabulary asks for it");
    app.add_flag("--no-parse-special", no_parse_special_, "read <|im_start|> and the like as plain text");
  }

  Status run() override {
    PLM_TRY(const std::string text, text_.read());
    PLM_TRY(const auto tokenizer, load_vocabulary(model_));
    const auto ids =
        tokenizer.encode(text, {.add_special = !no_special_, .parse_special = !no_parse_special_});
    std::string line;
    if (json_) {
      Json json{{"ids", ids}, {"pieces", Json::array()}};
      for (const auto id : ids) json["pieces"].push_back(std::string(tokenizer.token_bytes(id)));
      line = to_line(json);
    } else if (pieces_) {
      for (const auto id : ids) {
        line += fmt::format("{:>7}  \"{}\"\n", id, gguf::printable(tokenizer.token_bytes(id), 1000));
      }
    } else {
      line = fmt::format("{}\n", fmt::join(ids, " "));
    }
    return write_output(line);
  }

 private:
  std::string model_;
  TextOption text_;
  bool json_ = false, pieces_ = false, no_special_ = false, no_parse_special_ = false;
};

class DetokenizeCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("-m,--model", model_, "GGUF file; one of a vocabulary alone serves")->type_name("FILE");
    ids_.add_to(app, "--ids", "the ids, with blanks or commas between them");
    app.add_flag("--json", json_, R"(print {"text":".."} instead of the bytes)");
    app.add_flag("--skip-special", skip_special_, "leave out control tokens such as <|im_start|>");
  }

  Status run() override {
    PLM_TRY(const std::string list, ids_.read());
    PLM_TRY(const auto tokenizer, load_vocabulary(model_));
    PLM_TRY(const auto ids, parse_token_ids(list, tokenizer.vocabulary_size()));
    const std::string text = tokenizer.decode(ids, {.skip_special = skip_special_});
    return write_output(json_ ? to_line(Json{{"text", text}}) : text);
  }

 private:
  std::string model_;
  TextOption ids_;
  bool json_ = false, skip_special_ = false;
};

}  // namespace

std::unique_ptr<Command> make_tokenize_command() { return std::make_unique<TokenizeCommand>(); }
std::unique_ptr<Command> make_detokenize_command() { return std::make_unique<DetokenizeCommand>(); }

}  // namespace plm::cli
