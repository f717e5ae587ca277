/* Text on its way to standard output, up to the first of some stop texts. */
#ifndef KERASSEQ_SINK_H
#define KERASSEQ_SINK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *const *stops;
  size_t num_stops;
  char *held; /* its end may be the beginning of a stop text */
  size_t size, longest;
  bool terminal, stopped, in_line;
} Sink;

/* `most` bytes can be held between two calls of `pass_on`. */
Sink open_sink(const char *const *stops, size_t num_stops, size_t most);

void hold(Sink *sink, const char *text, size_t size);

/* Write what cannot be part of a stop text; says in `stopped` that one was found. */
void pass_on(Sink *sink);

/* Write the rest. */
void close_sink(Sink *sink);

#endif
