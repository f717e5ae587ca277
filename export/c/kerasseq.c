/* Write text with an exported character model, as generate.py does: README.md. */

#include <errno.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"
#include "sampling.h"
#include "sink.h"
#include "text.h"

enum { AT_ONCE = 64, LONGEST_PROMPT = 1 << 24, MOST_STOPS = 100, UNKNOWN_SEEN = -2 };
enum { LENGTH, TOP_K, SEED, TEMPERATURE, TOP_P, MIN_P, NUMBERS };

static const char HELP[] =
    "usage: kerasseq FILE.tflite [--prompt TEXT] [--length N] [--seed N]\n"
    "                [--temperature X] [--top-k N] [--top-p X] [--min-p X]\n"
    "                [--stop TEXT] [--step]\n"
    "\n"
    "Write text with a character model that kerasseq exported. Without --prompt, it\n"
    "comes from standard input. --stop ends before a text and may be repeated; --step\n"
    "samples here, a call of `step` for each character, instead of in `generate`.\n";

static const struct {
  const char *option, *entry, *range;
  bool whole;
  double high;
} OPTIONS[NUMBERS] = {
    {"--length", "length", "0 to 2147483647, a whole number", true, INT32_MAX},
    {"--top-k", "top_k", "0 to 2147483647, a whole number", true, INT32_MAX},
    {"--seed", NULL, "0 to 2147483647, a whole number", true, INT32_MAX},
    {"--temperature", "temperature", "0 up", false, DBL_MAX},
    {"--top-p", "top_p", "0 to 1", false, 1},
    {"--min-p", "min_p", "0 to 1", false, 1},
};

typedef struct {
  const char *file, *prompt, *stops[MOST_STOPS];
  size_t num_stops;
  double numbers[NUMBERS]; /* -1: not given */
  bool step;
} Arguments;

static double read_number(int which, const char *text) {
  char *end = NULL;
  size_t digits = strspn(text, OPTIONS[which].whole ? "+-0123456789"
                                                    : "+-.0123456789eE");
  double found = strtod(text, &end);
  if (!*text || text[digits] || *end || !(found >= 0 && found <= OPTIONS[which].high))
    fail(2, "error: %s %.100s: give %s; --help explains", OPTIONS[which].option, text,
         OPTIONS[which].range);
  return found;
}

static void check_utf8(const char *option, const char *text) {
  for (const char *end = text + strlen(text); text < end;)
    if (next_character(&text, end) < 0)
      fail(2, "error: %s is not UTF-8 (byte 0x%02x); --help explains", option,
           (unsigned char)*text);
}

/* The value of an option as `--name value` or `--name=value`; NULL: another option. */
static const char *value_of(const char *option, char **arguments, int *at) {
  size_t size = strlen(option);
  if (strncmp(arguments[*at], option, size)) return NULL;
  if (arguments[*at][size] == '=') return arguments[*at] + size + 1;
  if (arguments[*at][size]) return NULL;
  if (!arguments[*at + 1]) fail(2, "error: %s needs a value; --help explains", option);
  return arguments[++*at];
}

static Arguments read_arguments(char **arguments) {
  Arguments found = {.numbers = {-1, -1, 0, -1, -1, -1}};
  for (int at = 1; arguments[at]; at++) {
    const char *value = NULL;
    int which = 0;
    while (which < NUMBERS && !(value = value_of(OPTIONS[which].option, arguments, &at)))
      which++;
    if (value) {
      found.numbers[which] = read_number(which, value);
    } else if ((value = value_of("--prompt", arguments, &at))) {
      check_utf8("--prompt", found.prompt = value);
    } else if ((value = value_of("--stop", arguments, &at))) {
      check_utf8("--stop", value);
      if (!*value || found.num_stops == MOST_STOPS)
        fail(2, "error: --stop '%.100s': give up to %d texts of at least one character; "
             "--help explains", value, MOST_STOPS);
      found.stops[found.num_stops++] = value;
    } else if (!strcmp(arguments[at], "--step")) {
      found.step = true;
    } else if (!strcmp(arguments[at], "--help") || !strcmp(arguments[at], "-h")) {
      fputs(HELP, stdout);
      exit(0);
    } else if (arguments[at][0] == '-' || found.file) {
      fail(2, "error: unknown argument %.100s; --help explains", arguments[at]);
    } else {
      found.file = arguments[at];
    }
  }
  if (!found.file) fail(2, "error: give a .tflite file; --help explains");
  return found;
}

/* All of standard input, and its size; a terminal counts as empty. */
static char *read_input(size_t *size) {
  const size_t most = 4ul * LONGEST_PROMPT + 3; /* with a byte order mark */
  size_t room = 4096;
  char *text = allocate(room, 1);
  for (ssize_t count = 1; count > 0 && *size <= most && !isatty(0);) {
    if (*size == room && !(text = realloc(text, room *= 2)))
      fail(1, "there is not enough memory");
    count = read(0, text + *size, room - *size);
    if (count < 0) fail(2, "standard input cannot be read: %s", strerror(errno));
    *size += (size_t)count;
  }
  return text;
}

/* The ids of a prompt's known characters, at least one. */
static int32_t *read_prompt(Model *model, const char *given, size_t *count) {
  size_t size = given ? strlen(given) : 0, characters = 0, unknown = 0;
  const char *text = given ? given : read_input(&size), *end = text + size;
  int32_t *found = allocate(size + 1, sizeof *found), *ids = model->ids;
  if (!given && size >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) text += 3;
  while (text < end) {
    bool dropped = !given && ids['\r'] < 0 && end - text > 1 && !memcmp(text, "\r\n", 2);
    long character = next_character(&text, end);
    if (character < 0)
      fail(2, "standard input is not UTF-8 (byte 0x%02x); convert it, for example with "
           "iconv", (unsigned char)*text);
    if (!given && ++characters - dropped > LONGEST_PROMPT)
      fail(2, "standard input has more than %d characters; give less", LONGEST_PROMPT);
    if (ids[character] >= 0) found[(*count)++] = ids[character];
    else if (!dropped) ids[character] = UNKNOWN_SEEN;
  }
  char line[600] = "";
  for (long each = 0; each < CODE_POINTS; each++)
    if (ids[each] == UNKNOWN_SEEN && ++unknown <= 50)
      sprintf(line + strlen(line), " U+%04lX", each);
  if (unknown > 50) sprintf(line + strlen(line), " and %zu more", unknown - 50);
  if (unknown) say("left out, since the model does not know them:%s", line);
  if (!*count) found[(*count)++] = ids['\n'] >= 0 ? ids['\n'] : 0;
  return found;
}

static void put_tokens(Sink *sink, const Model *model, const int32_t *tokens,
                       int32_t count) {
  for (int32_t index = 0; index < count; index++) {
    if (tokens[index] < 0 || tokens[index] >= model->size)
      fail(2, "LiteRT cannot run the model: tokens has an id that is not one of %d",
           model->size);
    const Json *character = model->characters[tokens[index]];
    hold(sink, character->text, character->size);
  }
  pass_on(sink);
}

/* Prompt and text by calls of `generate`, as `write_tokens` in tokens.py. */
static void write_with_generate(Model *model, const int32_t *ids, size_t count,
                                int32_t length, uint32_t seed, Settings settings,
                                Sink *sink) {
  Signature *generate = &model->generate;
  int32_t *prompt = input(generate, "prompt"), *tokens = output(generate, "tokens");
  float *uniforms = input(generate, "uniforms");
  *(float *)input(generate, "temperature") = settings.temperature;
  *(float *)input(generate, "top_p") = settings.top_p;
  *(float *)input(generate, "min_p") = settings.min_p;
  *(int32_t *)input(generate, "top_k") = settings.top_k;
  for (int32_t written = 0; written < length && !sink->stopped;) {
    /* The last token of a chunk is read at the beginning of the next. */
    bool reads = count > CHUNK;
    int32_t now = reads ? CHUNK : (int32_t)count;
    int32_t left = length - written, writes = left < AT_ONCE ? left : AT_ONCE;
    if (reads) writes = 0;
    memcpy(prompt, ids, (size_t)now * sizeof *ids);
    for (int32_t index = 0; index < writes; index++)
      uniforms[index] = uniform_number(seed, (uint32_t)(written + index));
    *(int32_t *)input(generate, "prompt_length") = now;
    *(int32_t *)input(generate, "length") = writes;
    run(model, generate);
    if (reads) {
      ids += CHUNK - 1;
      count -= CHUNK - 1;
      continue;
    }
    put_tokens(sink, model, tokens, writes);
    ids = tokens + writes - 1;
    count = 1;
    written += writes;
  }
}

/* The same by calls of `step`, with the sampling in sampling.c. */
static void write_with_step(Model *model, const int32_t *ids, size_t count,
                            int32_t length, uint32_t seed, Settings settings,
                            Sink *sink) {
  int32_t *token = input(&model->step, "token");
  float *logits = output(&model->step, "logits");
  for (size_t index = 0; index + 1 < count; index++) {
    *token = ids[index];
    run(model, &model->step);
  }
  *token = ids[count - 1];
  for (int32_t written = 0; written < length && !sink->stopped; written++) {
    run(model, &model->step);
    float uniform = uniform_number(seed, (uint32_t)written);
    *token = choose_token(logits, model->size, uniform, &settings);
    put_tokens(sink, model, token, 1);
  }
}

int main(int count, char **texts) {
  signal(SIGPIPE, SIG_IGN);
  const Arguments arguments = read_arguments(count ? texts : (char *[]){"", NULL});
  Model model = open_model(arguments.file);
  double numbers[NUMBERS];
  for (int which = 0; which < NUMBERS; which++)
    numbers[which] = arguments.numbers[which] >= 0
                         ? arguments.numbers[which]
                         : entry("card.json", model.defaults, OPTIONS[which].entry,
                                 JSON_NUMBER)->number;
  Settings settings = {.temperature = (float)fmin(numbers[TEMPERATURE], 1e6),
                       .top_k = (int32_t)numbers[TOP_K],
                       .top_p = (float)numbers[TOP_P],
                       .min_p = (float)numbers[MIN_P]};
  size_t size = 0;
  const int32_t *ids = read_prompt(&model, arguments.prompt, &size);
  Sink sink = open_sink(arguments.stops, arguments.num_stops, 4 * AT_ONCE);
  (arguments.step ? write_with_step : write_with_generate)(
      &model, ids, size, (int32_t)numbers[LENGTH], (uint32_t)numbers[SEED], settings,
      &sink);
  close_sink(&sink);
  return 0;
}
