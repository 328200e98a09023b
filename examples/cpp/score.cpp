// score MODEL [TEXT]: how likely each token is, given those before it.
#include <plm/plm.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto model = plm::Model::load({.path = argv[1]});
  if (!model.ok()) {
    std::cerr << model.error().message << '\n';
    return 1;
  }
  const auto scores = model->score(argc > 2 ? argv[2] : "Once upon a time");
  if (!scores.ok()) {
    std::cerr << scores.error().message << '\n';
    return 1;
  }
  double sum = 0;
  for (const plm::TokenScore& token : *scores) {
    std::cout << *model->detokenize({{token.id}}) << '\t';
    if (token.log_probability) std::cout << *token.log_probability;
    std::cout << '\n';
    sum += token.log_probability.value_or(0);
  }
  std::cout << "together " << sum << '\n';
  return 0;
}
