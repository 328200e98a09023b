// plm chat: a conversation at the terminal, or line by line from a pipe.

#include <filesystem>
#include <optional>
#include <string>

#include "base/atomic_file.h"
#include "base/json_shape.h"
#include "cli/commands.h"
#include "cli/conversation.h"
#include "cli/grammar_options.h"
#include "cli/interrupt.h"
#include "cli/line_editor.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/sampling_options.h"
#include "cli/speculation_options.h"
#include "cli/template_options.h"
#include "cli/text_input.h"

namespace plm::cli {

namespace {

using chat::Json;
using chat::Message;

constexpr int kMaxSavedDepth = 100;

constexpr std::string_view kHelp =
    "/help            this list\n"
    "/reset           forget the conversation (the system message stays)\n"
    "/regen           write the last answer anew\n"
    "/system [TEXT]   show, or with a text set, the system message; \"/system -\" removes it\n"
    "/save FILE       write the conversation as JSON; /save! FILE writes over a file\n"
    "/load FILE       go on with a saved conversation\n"
    "/exit            leave, as Ctrl-D does\n"
    "Ctrl-C stops an answer. A line that ends in \\ is continued on the next.";

Status save(const Conversation& conversation, const std::string& path, bool replace) {
  if (path.empty()) return make_error(ErrorKind::invalid_argument, "/save needs a file");
  std::error_code error;
  if (!replace && std::filesystem::exists(path, error)) {
    return make_error(ErrorKind::invalid_argument, "{} is there already; /save! {} writes over it", path,
                      path);
  }
  Json json{{"messages", Json::array()}};
  for (const Message& message : conversation.messages()) {
    json["messages"].push_back(chat::message_to_json(message));
  }
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  PLM_TRY_STATUS(file.write(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"));
  return file.commit();
}

Result<std::vector<Message>> load(const std::string& path) {
  if (path.empty()) return make_error(ErrorKind::invalid_argument, "/load needs a file");
  PLM_TRY(const std::string text, read_input(path));
  if (json_shape(text).depth > kMaxSavedDepth) {
    return make_error(ErrorKind::bad_data, "{}: not a saved conversation: brackets nested deeper than {}",
                      path, kMaxSavedDepth);
  }
  const Json json = Json::parse(text, nullptr, false);
  const bool has_messages = json.is_object() && json.contains("messages");
  auto messages = chat::messages_from_json(has_messages ? json["messages"] : Json());
  if (messages.ok()) return messages;
  return make_error(ErrorKind::bad_data, "{}: not a saved conversation: {}", path, messages.error().message);
}

// One session at the keyboard.
class Chat {
 public:
  Chat(Conversation& conversation, LineEditor& editor) : conversation_(conversation), editor_(editor) {}

  // Until the end of the input. Fails when the output does, or when an answer fails and nobody is there to
  // see it.
  Status talk_on();
  Status ask(std::string question);

 private:
  std::optional<std::string> read_message();
  Status command(std::string_view line);
  Status show_answer(Result<Generated> generated);
  Status complain(const Status& status);

  Conversation& conversation_;
  LineEditor& editor_;
  bool leaving_ = false;
};

// A message of one or, with backslashes, several lines; nothing at the end of the input.
std::optional<std::string> Chat::read_message() {
  std::string message;
  bool interrupted_before = false;
  while (true) {
    const LineEditor::Line line = editor_.read(message.empty() ? "> " : ". ");
    if (line.outcome == LineEditor::Outcome::end) {
      if (editor_.is_terminal()) talk_line("");
      return std::nullopt;
    }
    if (line.outcome == LineEditor::Outcome::interrupted) {
      if (!editor_.is_terminal()) return std::nullopt;
      talk_line("");
      const bool is_empty = message.empty() && line.was_empty;
      if (is_empty && interrupted_before) return std::nullopt;
      if (is_empty) talk_line("(Ctrl-C again, Ctrl-D or /exit to leave)");
      interrupted_before = is_empty;
      message.clear();
      continue;
    }
    interrupted_before = false;
    message += line.text;
    if (!message.ends_with('\\')) return message;
    message.back() = '\n';
  }
}

Status Chat::show_answer(Result<Generated> generated) {
  clear_interrupt();
  if (!generated.ok()) {
    if (generated.error().kind == ErrorKind::cancelled) return {};
    return generated.error();
  }
  PLM_TRY_STATUS(write_output("\n"));
  if (generated->reason == StopReason::context_full) {
    talk("plm: the context is full; /reset begins anew, --context-shift drops the oldest turns");
  }
  return {};
}

Status Chat::ask(std::string question) {
  return show_answer(conversation_.answer(std::move(question), write_output));
}

// Shows an error that a person at the terminal can do something about.
Status Chat::complain(const Status& status) {
  if (status.ok() || output_is_closed() || !editor_.is_terminal()) return status;
  talk("plm: {}", status.error().message);
  return {};
}

Status Chat::command(std::string_view line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view name = line.substr(0, end);
  std::string argument(line.substr(std::min(line.find_first_not_of(' ', end), line.size())));
  if (name == "/help") {
    talk_line(kHelp);
  } else if (name == "/reset") {
    conversation_.reset();
    talk("(a new conversation)");
  } else if (name == "/regen") {
    return show_answer(conversation_.regenerate(write_output));
  } else if (name == "/system" && argument.empty()) {
    const auto& messages = conversation_.messages();
    const bool has_one = !messages.empty() && messages.front().role == "system";
    talk_line(has_one ? messages.front().content : "(no system message)");
  } else if (name == "/system") {
    conversation_.set_system(argument == "-" ? std::string() : argument);
    talk_line(argument == "-" ? "(no system message)" : "(the system message is set)");
  } else if (name == "/save" || name == "/save!") {
    PLM_TRY_STATUS(save(conversation_, argument, name == "/save!"));
    talk("({} messages saved)", conversation_.messages().size());
  } else if (name == "/load") {
    PLM_TRY(auto messages, load(argument));
    talk("({} messages)", messages.size());
    conversation_.set_messages(std::move(messages));
  } else if (name == "/exit" || name == "/quit") {
    leaving_ = true;
  } else {
    return make_error(ErrorKind::invalid_argument, "{} is not known; /help lists the commands", name);
  }
  return {};
}

Status Chat::talk_on() {
  while (!leaving_) {
    auto message = read_message();
    if (!message) break;
    if (message->empty()) continue;
    const bool is_command = message->starts_with('/');
    const Status done = is_command ? command(*message) : ask(std::move(*message));
    PLM_TRY_STATUS(complain(done));
  }
  return {};
}

class ChatCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    model_.add_to(app);
    app.add_option("--system-prompt", system_, "(-sys) the system message")->type_name("TEXT");
    first_.add_to(app, "-p,--prompt", "the first message");
    template_.add_to(app);
    app.add_flag("--single-turn", single_turn_, "(-st) leave after the first answer");
    app.add_option("-n,--predict,--n-predict", options_.n_predict, "most tokens of an answer; -1: no limit")
        ->capture_default_str()
        ->type_name("N");
    app.add_flag("--context-shift,!--no-context-shift", options_.context_shift,
                 "when the context is full, drop the oldest turns and go on");
    app.add_flag("--special", options_.show_special, "show control tokens");
    app.add_flag("--no-perf", no_perf_, "no rates on stderr at the end");
    grammar_.add_to(app);
    sampling_.add_to(app);
    speculation_.add_to(app);
  }

  Status run() override;

 private:
  ModelOptions model_;
  SamplingOptions sampling_;
  GrammarOptions grammar_;
  SpeculationOptions speculation_;
  TemplateOptions template_;
  TextOption first_;
  std::string system_;
  ConversationOptions options_;
  bool single_turn_ = false, no_perf_ = false;
};

Status ChatCommand::run() {
  PLM_TRY_STATUS(speculation_.check());
  std::string first;
  if (first_.is_given()) {
    PLM_TRY(first, first_.read());
  }
  PLM_TRY(options_.template_variables, template_.variables());
  PLM_TRY(const std::string chosen_template, template_.chosen());
  PLM_TRY(auto engine, model_.load());
  PLM_TRY(auto constraint, grammar_.constraint(engine->tokenizer()));
  PLM_TRY(auto sampler, sampling_.make_sampler(engine->tokenizer(), std::move(constraint)));
  PLM_TRY(auto session, engine->new_session());
  options_.batch_size = model_.batch_size();
  PLM_TRY(auto chat_template, chat::Template::create(engine->tokenizer(), chosen_template));
  PLM_TRY(const auto drafter, speculation_.make_drafter(*engine, 1));
  std::optional<Drafting> drafting;
  if (drafter != nullptr) drafting.emplace(*drafter, speculation_.settings());
  const Writer writer{session, sampler, engine->tokenizer(), drafting ? &*drafting : nullptr};
  Conversation conversation(writer, std::move(chat_template), options_);
  conversation.set_system(system_);

  LineEditor editor;
  Chat chat(conversation, editor);
  if (editor.is_terminal()) talk("{}: /help lists the commands, Ctrl-D leaves", engine->config().name);
  Status status;
  if (first_.is_given()) status = chat.ask(std::move(first));
  if (status.ok() && !single_turn_) status = chat.talk_on();
  const Conversation::Totals& totals = conversation.totals();
  if (!no_perf_ && totals.n_written > 0) {
    talk("plm: read {}; written {}{}; seed {}", rate_text(totals.n_read, totals.n_read, totals.read_seconds),
         rate_text(totals.n_written, totals.n_steps, totals.write_seconds), draft_text(writer.drafting),
         sampler.seed());
  }
  return status;
}

}  // namespace

std::unique_ptr<Command> make_chat_command() { return std::make_unique<ChatCommand>(); }

}  // namespace plm::cli
