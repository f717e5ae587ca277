/* UTF-8, and messages that are safe on a terminal. */
#ifndef KERASSEQ_TEXT_H
#define KERASSEQ_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* The next code point of a text, which is moved on; -1 where it is not UTF-8. */
long next_character(const char **text, const char *end);

/* A code point as UTF-8: up to 4 bytes, whose number is returned. */
size_t encode_character(long character, char *bytes);

/* Write a text with escapes for what a terminal would obey, but for those in `kept`. */
void write_visible(FILE *stream, const char *text, size_t size, const char *kept);

/* One line on standard error. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* One line on standard error, and the end: 1 the machine fails, 2 the input is wrong. */
__attribute__((format(printf, 2, 3))) _Noreturn void fail(int code, const char *format,
                                                          ...);

/* Memory of zeros at a multiple of 64, or the end. */
void *allocate(size_t count, size_t size);

#endif
