// embed MODEL: which of two texts is more like a third.
#include <plm/plm.h>

#include <iostream>
#include <numeric>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto model = plm::Model::load({.path = argv[1], .n_parallel = 3});
  if (!model.ok()) {
    std::cerr << model.error().message << '\n';
    return 1;
  }
  const std::vector<plm::Prompt> texts = {"The dog ran after the cat.", "A dog ran after a cat.",
                                          "The king counted his gold coins."};
  const auto rows = model->embed_all(texts);
  if (!rows.ok()) {
    std::cerr << rows.error().message << '\n';
    return 1;
  }
  const auto cosine = [&](size_t a, size_t b) {  // the vectors have length 1
    return std::inner_product((*rows)[a].begin(), (*rows)[a].end(), (*rows)[b].begin(), 0.0);
  };
  std::cout << "dog and dog " << cosine(0, 1) << ", dog and king " << cosine(0, 2) << '\n';
  return cosine(0, 1) > cosine(0, 2) ? 0 : 1;
}
