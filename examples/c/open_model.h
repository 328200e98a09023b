/* What the examples begin with. */
#ifndef OPEN_MODEL_H
#define OPEN_MODEL_H

#include <plm/plm_c.h>
#include <stdio.h>

static inline plm_model* open_model(const char* path) {
  plm_model_options options;
  plm_model* model = NULL;
  plm_model_options_init(&options);
  options.path = plm_text_of(path);
  if (plm_model_load(&options, &model) != PLM_OK) fprintf(stderr, "%s\n", plm_last_error());
  return model;
}

#endif
