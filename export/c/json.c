#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { MOST_DEPTH = 8 };

typedef struct {
  const char *name, *at, *end;
} Reader;

static Json *read_value(Reader *reader, int depth);

static _Noreturn void refuse(const Reader *reader, const char *why) {
  fail(2, "%s: %s; copy or export the file again", reader->name, why);
}

static void skip_space(Reader *reader) {
  while (reader->at < reader->end && memchr(" \t\n\r", *reader->at, 4)) reader->at++;
}

static bool take(Reader *reader, const char *wanted) {
  size_t size = strlen(wanted);
  if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, wanted, size))
    return false;
  reader->at += size;
  return true;
}

static long read_hex(Reader *reader) {
  long found = 0;
  for (int index = 0; index < 4; index++, reader->at++) {
    const char *digits = "0123456789abcdef0123456789ABCDEF", *digit = NULL;
    if (reader->at < reader->end) digit = memchr(digits, *reader->at, 32);
    if (!digit) refuse(reader, "an escape is not four hexadecimal digits");
    found = found << 4 | ((digit - digits) & 15);
  }
  return found;
}

static long read_escape(Reader *reader) {
  const char *names = "\"\\/bfnrt", *meanings = "\"\\/\b\f\n\r\t", *name = NULL;
  if (reader->at < reader->end) name = memchr(names, *reader->at, 8);
  if (name) {
    reader->at++;
    return (unsigned char)meanings[name - names];
  }
  if (!take(reader, "u")) refuse(reader, "an escape is unknown");
  long found = read_hex(reader);
  if (found < 0xD800 || found > 0xDFFF) return found;
  long second = found < 0xDC00 && take(reader, "\\u") ? read_hex(reader) : 0;
  if (second < 0xDC00 || second > 0xDFFF)
    refuse(reader, "it has half of a surrogate pair");
  return 0x10000 + ((found - 0xD800) << 10) + (second - 0xDC00);
}

static Json *read_string(Reader *reader) {
  if (!take(reader, "\"")) refuse(reader, "a string is missing");
  const char *end = reader->at;
  while (end < reader->end && *end != '"') end += *end == '\\' ? 2 : 1;
  if (end >= reader->end) refuse(reader, "a string has no end");
  Json *found = allocate(1, sizeof *found);
  found->kind = JSON_STRING;
  found->text = allocate((size_t)(end - reader->at) + 1, 1); /* escapes only shrink */
  while (reader->at < end) {
    long character = next_character(&reader->at, end);
    if (character == '\\') character = read_escape(reader);
    else if (character < 0x20)
      refuse(reader, "it is not UTF-8, or a string has a control character");
    found->size += encode_character(character, found->text + found->size);
  }
  reader->at = end + 1;
  return found;
}

static int skip_digits(Reader *reader) {
  const char *start = reader->at;
  while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
    reader->at++;
  if (reader->at == start) refuse(reader, "a value is missing or unknown");
  return *start == '0' && reader->at - start > 1;
}

static void read_number(Reader *reader, Json *found) {
  const char *start = reader->at;
  found->kind = JSON_NUMBER;
  found->whole = true;
  take(reader, "-");
  if (skip_digits(reader)) refuse(reader, "a number starts with 0");
  if (take(reader, ".")) {
    found->whole = false;
    skip_digits(reader);
  }
  if (take(reader, "e") || take(reader, "E")) {
    found->whole = false;
    if (!take(reader, "+")) take(reader, "-");
    skip_digits(reader);
  }
  size_t size = (size_t)(reader->at - start);
  char digits[400];
  if (size >= sizeof digits) refuse(reader, "a number is too long");
  memcpy(digits, start, size);
  digits[size] = 0;
  found->number = strtod(digits, NULL);
  if (!isfinite(found->number)) refuse(reader, "a number is not finite");
}

static int compare_keys(const void *one, const void *two) {
  const Json *a = *(Json *const *)one, *b = *(Json *const *)two;
  int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
  return order ? order : (a->size > b->size) - (a->size < b->size);
}

static void check_keys(const Reader *reader, const Json *object) {
  Json **keys = allocate(object->size, sizeof *keys);
  size_t count = 0;
  for (Json *each = object->first; each; each = each->next) keys[count++] = each->key;
  qsort(keys, count, sizeof *keys, compare_keys);
  for (size_t index = 1; index < count; index++)
    if (!compare_keys(&keys[index - 1], &keys[index]))
      refuse(reader, "an object has a key twice");
  free(keys);
}

static void read_entries(Reader *reader, Json *found, int depth) {
  const char *closing = found->kind == JSON_OBJECT ? "}" : "]";
  if (depth > MOST_DEPTH) refuse(reader, "it is nested more than 8 deep");
  skip_space(reader);
  if (take(reader, closing)) return;
  for (Json **last = &found->first;; last = &(*last)->next) {
    Json *key = NULL;
    skip_space(reader);
    if (found->kind == JSON_OBJECT) {
      key = read_string(reader);
      skip_space(reader);
      if (!take(reader, ":")) refuse(reader, "a colon is missing");
    }
    *last = read_value(reader, depth);
    (*last)->key = key;
    found->size++;
    if (take(reader, closing)) break;
    if (!take(reader, ",")) refuse(reader, "a comma is missing");
  }
  if (found->kind == JSON_OBJECT) check_keys(reader, found);
}

/* A value with the white space around it. */
static Json *read_value(Reader *reader, int depth) {
  skip_space(reader);
  Json *found = NULL;
  if (reader->at < reader->end && *reader->at == '"') {
    found = read_string(reader);
  } else {
    found = allocate(1, sizeof *found);
    if (take(reader, "{") || take(reader, "[")) {
      found->kind = reader->at[-1] == '{' ? JSON_OBJECT : JSON_LIST;
      read_entries(reader, found, depth + 1);
    } else if (take(reader, "true") || take(reader, "false")) {
      found->kind = JSON_BOOL;
    } else if (!take(reader, "null")) {
      read_number(reader, found);
    }
  }
  skip_space(reader);
  return found;
}

Json *read_object(const char *name, const char *content, size_t size) {
  Reader reader = {name, content, content + size};
  Json *found = read_value(&reader, 0);
  if (reader.at < reader.end) refuse(&reader, "something follows the object");
  if (found->kind != JSON_OBJECT) refuse(&reader, "it is no object");
  return found;
}

bool is_text(const Json *found, const char *wanted) {
  return found->size == strlen(wanted) && !memcmp(found->text, wanted, found->size);
}

const Json *entry(const char *where, const Json *object, const char *key, int kind) {
  static const char *const KINDS[] = {"null",   "true or false", "a number",
                                      "a text", "a list",        "an object"};
  for (const Json *each = object->first; each; each = each->next)
    if (is_text(each->key, key)) {
      if ((int)each->kind == kind) return each;
      fail(2, "%s: %s is %s, not %s; export the file again", where, key,
           KINDS[each->kind], KINDS[kind]);
    }
  fail(2, "%s has no %s; export the file again", where, key);
}

double number_entry(const char *where, const Json *object, const char *key, bool whole,
                    double low, double high) {
  const Json *found = entry(where, object, key, JSON_NUMBER);
  if ((found->whole || !whole) && found->number >= low && found->number <= high)
    return found->number;
  fail(2, "%s: %s is %g, not a %snumber from %g to %g; export the file again", where,
       key, found->number, whole ? "whole " : "", low, high);
}
