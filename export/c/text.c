#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

long next_character(const char **text, const char *end) {
  const unsigned char *bytes = (const unsigned char *)*text;
  size_t left = (size_t)(end - *text);
  if (left == 0) return -1;
  int more = bytes[0] < 0x80 ? 0 : bytes[0] < 0xC2 ? -1 : bytes[0] < 0xE0 ? 1
             : bytes[0] < 0xF0 ? 2 : bytes[0] < 0xF5 ? 3 : -1;
  if (more < 0 || left <= (size_t)more) return -1;
  static const int KEPT[] = {0x7F, 0x1F, 0x0F, 0x07};
  static const long LEAST[] = {0, 0x80, 0x800, 0x10000};
  long found = bytes[0] & KEPT[more];
  for (int index = 1; index <= more; index++) {
    if ((bytes[index] & 0xC0) != 0x80) return -1;
    found = found << 6 | (bytes[index] & 0x3F);
  }
  if (found < LEAST[more] || found > 0x10FFFF || (found >= 0xD800 && found <= 0xDFFF))
    return -1;
  *text += more + 1;
  return found;
}

size_t encode_character(long character, char *bytes) {
  if (character < 0x80) {
    bytes[0] = (char)character;
    return 1;
  }
  size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  for (size_t index = size - 1; index > 0; index--, character >>= 6)
    bytes[index] = (char)(0x80 | (character & 0x3F));
  bytes[0] = (char)(0xF00 >> size | character);
  return size;
}

/* HIDDEN of command.py. */
static int is_hidden(long character) {
  static const long RANGES[][2] = {
      {0, 0x1F},          {0x7F, 0x9F},       {0x61C, 0x61C},   {0x200E, 0x200F},
      {0x2028, 0x202E},   {0x2066, 0x206F},   {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB},
      {0xE0000, 0xE007F}};
  for (size_t index = 0; index < sizeof RANGES / sizeof *RANGES; index++)
    if (character >= RANGES[index][0] && character <= RANGES[index][1]) return 1;
  return 0;
}

void write_visible(FILE *stream, const char *text, size_t size, const char *kept) {
  for (const char *end = text + size; text < end;) {
    const char *start = text;
    long character = next_character(&text, end);
    if (character < 0) {
      fprintf(stream, "\\x%02x", (unsigned char)*text++);
    } else if (!is_hidden(character) || (character && character < 0x80 &&
                                         strchr(kept, (int)character))) {
      fwrite(start, 1, (size_t)(text - start), stream);
    } else {
      const char *form = character < 0x100     ? "\\x%02lx"
                         : character < 0x10000 ? "\\u%04lx"
                                               : "\\U%08lx";
      fprintf(stream, form, (unsigned long)character);
    }
  }
}

static void print_line(const char *format, va_list values) {
  char line[1000];
  vsnprintf(line, sizeof line, format, values);
  fputs("kerasseq: ", stderr);
  write_visible(stderr, line, strlen(line), "");
  fputc('\n', stderr);
}

void say(const char *format, ...) {
  va_list values;
  va_start(values, format);
  print_line(format, values);
  va_end(values);
}

void fail(int code, const char *format, ...) {
  va_list values;
  va_start(values, format);
  print_line(format, values);
  va_end(values);
  exit(code);
}

void *allocate(size_t count, size_t size) {
  size_t bytes = 0;
  if (!__builtin_mul_overflow(count, size, &bytes) && bytes < SIZE_MAX / 2) {
    bytes = (bytes / 64 + 1) * 64;
    void *memory = aligned_alloc(64, bytes);
    if (memory) return memset(memory, 0, bytes);
  }
  fail(1, "there is not enough memory");
}
