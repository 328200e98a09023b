// session MODEL FILE: the first time runs a long prompt and keeps it; another time takes it up from there.
#include <plm/plm.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const auto model = plm::Model::load({.path = argv[1]});
  if (!model.ok()) {
    std::cerr << model.error().message << '\n';
    return 1;
  }
  const auto session = model->load_session(argv[2]);
  if (!session.ok() && session.error().kind != plm::ErrorKind::not_found) {
    std::cerr << session.error().message << '\n';
    return 1;
  }
  const auto answer = model->generate(
      "Once upon a time there was a king who had three sons, and they lived in a house near the sea. One day",
      {.max_tokens = 20, .temperature = 0});
  if (!answer.ok()) {
    std::cerr << answer.error().message << '\n';
    return 1;
  }
  std::cout << answer->n_reused << " of " << answer->n_prompt << " tokens were there:" << answer->text
            << '\n';
  if (session.ok()) return 0;
  const auto saved = model->save_session(argv[2]);
  if (!saved.ok()) {
    std::cerr << saved.error().message << '\n';
    return 1;
  }
  return 0;
}
