/* chat MODEL: a question in the terms of OpenAI's API. */
#include "open_model.h"

int main(int argc, char** argv) {
  plm_conversation conversation = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
  plm_generate_options options;
  plm_answer* answer = NULL;
  plm_answer_info info;
  plm_model* model = argc < 2 ? NULL : open_model(argv[1]);
  int failed;
  if (model == NULL) return 1;
  conversation.messages = plm_text_of(
      "[{\"role\": \"system\", \"content\": \"You tell stories.\"},"
      " {\"role\": \"user\", \"content\": \"Tell me of a dog.\"}]");
  plm_generate_options_init(&options);
  options.max_tokens = 40;
  options.has_seed = 1;
  options.seed = 1;
  failed = plm_chat(model, &conversation, &options, NULL, NULL, &answer) != PLM_OK ||
           plm_answer_describe(answer, &info) != PLM_OK;
  if (failed) {
    fprintf(stderr, "%s\n", plm_last_error());
  } else {
    printf("%s\n(a prompt of %d tokens)\n", info.whole.text.data, (int)info.n_prompt);
  }
  plm_answer_free(answer);
  plm_model_free(model);
  return failed;
}
