#include "sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

Sink open_sink(const char *const *stops, size_t num_stops, size_t most) {
  Sink sink = {.stops = stops, .num_stops = num_stops, .terminal = isatty(1)};
  for (size_t each = 0; each < num_stops; each++)
    if (strlen(stops[each]) > sink.longest + 1) sink.longest = strlen(stops[each]) - 1;
  /* A character of which the last byte is held is held whole. */
  sink.held = allocate(sink.longest + 3 + most, 1);
  return sink;
}

void hold(Sink *sink, const char *text, size_t size) {
  memcpy(sink->held + sink->size, text, size);
  sink->size += size;
}

static void flush(Sink *sink, size_t size) {
  if (sink->terminal) write_visible(stdout, sink->held, size, "\n\t");
  else fwrite(sink->held, 1, size, stdout);
  if (size) sink->in_line = sink->held[size - 1] != '\n';
  if (fflush(stdout)) {
    if (errno == EPIPE) exit(0);
    fail(1, "standard output cannot be written: %s", strerror(errno));
  }
  sink->size -= size;
  memmove(sink->held, sink->held + size, sink->size);
}

void pass_on(Sink *sink) {
  size_t safe = sink->size < sink->longest ? 0 : sink->size - sink->longest;
  for (size_t each = 0; each < sink->num_stops; each++) {
    size_t size = strlen(sink->stops[each]), most = sink->stopped ? safe : sink->size;
    for (size_t at = 0; at + size <= sink->size && at < most; at++)
      if (!memcmp(sink->held + at, sink->stops[each], size)) {
        sink->stopped = true;
        safe = at;
        break;
      }
  }
  while (!sink->stopped && safe && safe < sink->size &&
         (sink->held[safe] & 0xC0) == 0x80)
    safe--;
  flush(sink, safe);
}

void close_sink(Sink *sink) {
  if (!sink->stopped) flush(sink, sink->size);
  if (sink->terminal && sink->in_line && putchar('\n') != EOF) fflush(stdout);
}
