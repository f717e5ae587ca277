/* From a seed to uniform numbers, and from logits to a token. */
#ifndef KERASSEQ_SAMPLING_H
#define KERASSEQ_SAMPLING_H

#include <stdint.h>

typedef struct {
  float temperature, top_p, min_p;
  int32_t top_k;
} Settings;

/* Number `index` of a seed's sequence, from 0 to below 1. */
float uniform_number(uint32_t seed, uint32_t index);

/* The token that a uniform number chooses from `count` logits, which are changed. */
int choose_token(float *logits, int count, float uniform, const Settings *settings);

#endif
