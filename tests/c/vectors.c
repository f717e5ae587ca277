/* Answers test_vectors.py: each line of standard input is a case, and gets a line. */

#include <stdio.h>
#include <stdlib.h>

#include "sampling.h"

int main(void) {
  char kind = 0;
  while (scanf(" %c", &kind) == 1) {
    unsigned seed = 0, index = 0;
    if (kind == 'u') {
      if (scanf("%u %u", &seed, &index) != 2) return 1;
      printf("%.0f\n", uniform_number(seed, index) * 16777216.0);
      continue;
    }
    Settings settings;
    float uniform = 0;
    int count = 0;
    if (scanf("%f %f %d %f %f %d", &uniform, &settings.temperature, &settings.top_k,
              &settings.top_p, &settings.min_p, &count) != 6)
      return 1;
    float *logits = malloc((size_t)count * sizeof *logits);
    for (int id = 0; id < count; id++)
      if (scanf("%f", &logits[id]) != 1) return 1;
    printf("%d\n", choose_token(logits, count, uniform, &settings));
    free(logits);
  }
  return 0;
}
