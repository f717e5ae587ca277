/* JSON, as strict as the contract: UTF-8, no key twice, no half of a surrogate pair. */
#ifndef KERASSEQ_JSON_H
#define KERASSEQ_JSON_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Json {
  enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_LIST, JSON_OBJECT } kind;
  bool whole;       /* a number without a fraction and an exponent */
  double number;
  char *text;       /* of a string, with a zero after it */
  size_t size;      /* bytes of a string, entries of a list or an object */
  struct Json *first, *next;
  struct Json *key; /* of an entry of an object */
} Json;

/* Read an object; ends the program with one line where it is none. */
Json *read_object(const char *name, const char *content, size_t size);

/* An entry of an object; ends the program where it is missing or of another kind. */
const Json *entry(const char *where, const Json *object, const char *key, int kind);

/* Whether a text is this one. */
bool is_text(const Json *found, const char *wanted);

/* A number of an object within a range, or the end of the program. */
double number_entry(const char *where, const Json *object, const char *key, bool whole,
                    double low, double high);

#endif
