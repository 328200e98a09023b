/* session MODEL FILE: the first time runs a long prompt and keeps it; another time takes it up from there. */
#include "open_model.h"

int main(int argc, char** argv) {
  const plm_text prompt = plm_text_of(
      "Once upon a time there was a king who had three sons, and they lived in a house near the sea. One "
      "day");
  plm_generate_options options;
  plm_answer* answer = NULL;
  plm_answer_info info;
  plm_model* model = argc < 3 ? NULL : open_model(argv[1]);
  plm_result loaded;
  int failed;
  if (model == NULL) return 1;
  loaded = plm_load_session(model, plm_text_of(argv[2]), NULL);
  plm_generate_options_init(&options);
  options.max_tokens = 20;
  options.temperature = 0;
  failed = (loaded != PLM_OK && loaded != PLM_NOT_FOUND) ||
           plm_generate(model, prompt, &options, NULL, NULL, &answer) != PLM_OK ||
           plm_answer_describe(answer, &info) != PLM_OK;
  if (!failed) {
    printf("%d of %d tokens were there:%s\n", (int)info.n_reused, (int)info.n_prompt, info.whole.text.data);
    if (loaded == PLM_NOT_FOUND) failed = plm_save_session(model, plm_text_of(argv[2]), NULL) != PLM_OK;
  }
  if (failed) fprintf(stderr, "%s\n", plm_last_error());
  plm_answer_free(answer);
  plm_model_free(model);
  return failed;
}
