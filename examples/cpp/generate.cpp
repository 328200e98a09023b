// generate MODEL [PROMPT]: continues a text, showing it as it is written.
#include <plm/plm.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto model = plm::Model::load({.path = argv[1]});
  if (!model.ok()) {
    std::cerr << model.error().message << '\n';
    return 1;
  }
  const char* prompt = argc > 2 ? argv[2] : "Once upon a time";
  std::cout << prompt;
  const auto answer = model->generate(prompt, {.max_tokens = 60, .temperature = 0.7F, .seed = 1},
                                      [](const plm::Piece& piece) {
                                        std::cout << piece.text << std::flush;
                                        return std::cout.good();  // nobody listens any more: stop
                                      });
  if (!answer.ok()) {
    std::cerr << answer.error().message << '\n';
    return 1;
  }
  std::cout << "\n\n" << answer->tokens.size() << " tokens in " << answer->answer_seconds << " s\n";
  return 0;
}
