/* generate MODEL [PROMPT]: continues a text, showing it as it is written. */
#include "open_model.h"

static int show(const plm_piece* piece, void* data) {
  FILE* file = data;
  fwrite(piece->text.data, 1, piece->text.size, file);
  return fflush(file) == 0; /* nobody listens any more: stop */
}

int main(int argc, char** argv) {
  const char* prompt = argc > 2 ? argv[2] : "Once upon a time";
  plm_generate_options options;
  plm_model* model = argc < 2 ? NULL : open_model(argv[1]);
  plm_result result;
  if (model == NULL) return 1;
  plm_generate_options_init(&options);
  options.max_tokens = 60;
  options.temperature = 0.7F;
  options.has_seed = 1;
  options.seed = 1;
  printf("%s", prompt);
  result = plm_generate(model, plm_text_of(prompt), &options, show, stdout, NULL);
  printf("\n");
  if (result != PLM_OK) fprintf(stderr, "%s\n", plm_last_error());
  plm_model_free(model);
  return result == PLM_OK ? 0 : 1;
}
