// chat MODEL: a conversation of two turns.
#include <plm/plm.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto model = plm::Model::load({.path = argv[1]});
  if (!model.ok()) {
    std::cerr << model.error().message << '\n';
    return 1;
  }
  std::vector<plm::Message> messages = {{.role = "system", .content = "You tell stories."}};
  for (const char* question : {"Tell me of a dog.", "And what did the dog do then?"}) {
    messages.push_back({.role = "user", .content = question});
    const auto answer = model->chat(messages, {}, {.max_tokens = 40, .seed = 1});
    if (!answer.ok()) {
      std::cerr << answer.error().message << '\n';
      return 1;
    }
    std::cout << "> " << question << '\n' << answer->text << '\n';
    // All but the question itself was run for the turn before.
    std::cout << "(" << answer->n_reused << " of " << answer->n_prompt << " tokens were there)\n";
    messages.push_back({.role = "assistant", .content = answer->text});
  }
  return 0;
}
