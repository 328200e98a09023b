/* score MODEL [TEXT]: how likely each token is, given those before it. */
#include "open_model.h"

#define MOST 512

int main(int argc, char** argv) {
  const plm_text text = plm_text_of(argc > 2 ? argv[2] : "Once upon a time");
  plm_token ids[MOST];
  float scores[MOST];
  char bytes[MOST];
  size_t n = 0, i, n_bytes = 0;
  plm_model* model = argc < 2 ? NULL : open_model(argv[1]);
  int failed;
  if (model == NULL) return 1;
  failed = plm_tokenize(model, text, 1, 0, ids, MOST, &n) != PLM_OK ||
           plm_score(model, ids, n, scores, NULL, NULL) != PLM_OK;
  for (i = 0; i < n && !failed; ++i) {
    failed = plm_detokenize(model, &ids[i], 1, 0, bytes, MOST, &n_bytes) != PLM_OK;
    if (!failed) printf("%.*s\t%.3f\n", (int)n_bytes, bytes, (double)scores[i]); /* nan: the first has none */
  }
  if (failed) fprintf(stderr, "%s\n", plm_last_error());
  plm_model_free(model);
  return failed;
}
