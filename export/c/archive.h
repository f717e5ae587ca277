/* The ZIP at the end of a file, and SHA-256. */
#ifndef KERASSEQ_ARCHIVE_H
#define KERASSEQ_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char *path;
  uint8_t *content;
  size_t size;
  size_t flatbuffer; /* bytes before the first entry of the ZIP */
  size_t list, list_end, shift; /* of the entries; what lies before the ZIP's offset 0 */
} Archive;

/* Read a file and find the ZIP at its end; ends the program where there is none. */
Archive open_archive(const char *path);

/* A file of the ZIP with a zero after it; ends the program if it is not there once. */
char *read_attached(const Archive *archive, const char *name, size_t most, size_t *size);

/* 64 hexadecimal digits and a zero. */
void sha256(const void *content, size_t size, char digits[65]);

#endif
