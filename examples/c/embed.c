/* embed MODEL: which of two texts is more like a third. */
#include <math.h>
#include <stdlib.h>

#include "open_model.h"

static const char* const texts[3] = {"The dog ran after the cat.", "A dog ran after a cat.",
                                     "The king counted his gold coins."};

static double cosine(const float* a, const float* b, size_t n) { /* of vectors of length 1 */
  double sum = 0;
  size_t i;
  for (i = 0; i < n; ++i) sum += (double)a[i] * (double)b[i];
  return sum;
}

int main(int argc, char** argv) {
  plm_model* model = argc < 2 ? NULL : open_model(argv[1]);
  plm_model_info info;
  float* rows = NULL;
  int failed = 1, i;
  if (model == NULL) return 1;
  if (plm_model_describe(model, &info) == PLM_OK) rows = malloc(3 * (size_t)info.width * sizeof(float));
  if (rows != NULL) {
    const size_t width = (size_t)info.width;
    failed = 0;
    for (i = 0; i < 3 && !failed; ++i) {
      failed = plm_embed(model, plm_text_of(texts[i]), PLM_POOLING_MEAN, 1, rows + (size_t)i * width, width,
                         NULL, NULL) != PLM_OK;
    }
    if (failed) {
      fprintf(stderr, "%s\n", plm_last_error());
    } else {
      const double near = cosine(rows, rows + width, width), far = cosine(rows, rows + 2 * width, width);
      printf("dog and dog %.3f, dog and king %.3f\n", near, far);
      failed = !(near > far) || fabs(cosine(rows, rows, width) - 1) > 1e-4;
    }
  }
  free(rows);
  plm_model_free(model);
  return failed;
}
