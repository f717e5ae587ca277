#include "sampling.h"

#include <math.h>
#include <stdlib.h>

#include "text.h"

typedef struct {
  float weight;
  int id;
} Ranked;

/* MurmurHash3's 32-bit finalizer. */
static uint32_t mix(uint32_t x) {
  x = (x ^ x >> 16) * 0x85EBCA6Bu;
  x = (x ^ x >> 13) * 0xC2B2AE35u;
  return x ^ x >> 16;
}

float uniform_number(uint32_t seed, uint32_t index) {
  const uint32_t golden = 0x9E3779B9u;
  return (float)(mix(mix(seed + golden) + index * golden) >> 8) / 16777216.0f;
}

static int by_weight(const void *one, const void *two) {
  const Ranked *a = one, *b = two;
  if (a->weight != b->weight) return a->weight < b->weight ? 1 : -1;
  return a->id - b->id;
}

/* Set to 0 the weights that top-k, min-p and top-p drop. */
static void drop(float *weights, int count, const Settings *settings) {
  Ranked *ranked = allocate((size_t)count, sizeof *ranked);
  float total = 0, before = 0;
  for (int id = 0; id < count; id++) ranked[id] = (Ranked){weights[id], id};
  qsort(ranked, (size_t)count, sizeof *ranked, by_weight);
  for (int rank = 0; rank < count; rank++) {
    if ((settings->top_k && rank >= settings->top_k) ||
        ranked[rank].weight < settings->min_p)
      ranked[rank].weight = 0;
    total += ranked[rank].weight;
  }
  for (int rank = 0; rank < count; rank++) {
    float weight = ranked[rank].weight;
    int kept = settings->top_p >= 1 || rank == 0 || before < settings->top_p * total;
    weights[ranked[rank].id] = kept ? weight : 0;
    before += weight;
  }
  free(ranked);
}

int choose_token(float *logits, int count, float uniform, const Settings *settings) {
  const float most = 1e30f;
  int best = 0, token = 0;
  for (int id = 0; id < count; id++) {
    if (!(logits[id] > -most)) logits[id] = -most; /* NaN too */
    if (logits[id] > most) logits[id] = most;
    if (logits[id] > logits[best]) best = id;
  }
  if (settings->temperature == 0) return best;
  float divisor = fminf(fmaxf(settings->temperature, 1e-6f), 1e6f);
  float highest = logits[best], sum = 0, running = 0;
  for (int id = 0; id < count; id++) logits[id] = expf((logits[id] - highest) / divisor);
  if (settings->top_k || settings->top_p < 1 || settings->min_p > 0)
    drop(logits, count, settings);
  for (int id = 0; id < count; id++) sum += logits[id];
  float threshold = fminf(uniform, 1 - 1 / 16777216.0f) * sum;
  while (token < count && (running += logits[token]) <= threshold) token++;
  return token;
}
