#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "text.h"

enum { END = 22, LISTED = 46, LOCAL = 30, MOST_LISTED = 1 << 20 }; /* bytes */

static uint32_t number(const uint8_t *at, int bytes) {
  uint32_t found = 0;
  while (bytes--) found = found << 8 | at[bytes];
  return found;
}

static _Noreturn void refuse(const Archive *archive, const char *why) {
  fail(2, "%.300s is not a whole .tflite of this project (%s); copy or export it again",
       archive->path, why);
}

static void read_file(Archive *archive) {
  struct stat about;
  /* A pipe would wait for its writer. */
  int file = open(archive->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0 || fstat(file, &about) < 0)
    fail(2, "%.300s cannot be read: %s", archive->path, strerror(errno));
  if (!S_ISREG(about.st_mode) || about.st_size >= INT32_MAX)
    fail(2, "%.300s cannot be read: it is not an ordinary file below 2 GiB",
         archive->path);
  archive->content = allocate((size_t)about.st_size, 1);
  while (archive->size < (size_t)about.st_size) {
    ssize_t count = read(file, archive->content + archive->size,
                         (size_t)about.st_size - archive->size);
    if (count < 0) fail(2, "%.300s cannot be read: %s", archive->path, strerror(errno));
    if (count == 0) break;
    archive->size += (size_t)count;
  }
  close(file);
}

/* The size of the list's entry at a position, which is checked. */
static size_t listed_size(const Archive *archive, size_t at) {
  const uint8_t *entry = archive->content + at;
  if (archive->list_end - at < LISTED || memcmp(entry, "PK\1\2", 4))
    refuse(archive, "the list of its ZIP is damaged");
  size_t size = LISTED + number(entry + 28, 2) + number(entry + 30, 2) +
                number(entry + 32, 2);
  if (size > archive->list_end - at) refuse(archive, "the list of its ZIP is cut");
  if (number(entry + 10, 2) != 0 && number(entry + 10, 2) != 8)
    refuse(archive, "it is compressed in another way than DEFLATE");
  return size;
}

Archive open_archive(const char *path) {
  Archive archive = {.path = path};
  read_file(&archive);
  const uint8_t *end = archive.content + (archive.size < END ? 0 : archive.size - END);
  if (archive.size < END || memcmp(end, "PK\5\6", 4) || number(end + 20, 2))
    refuse(&archive, "it does not end like a ZIP without a comment");
  size_t listed = number(end + 12, 4), offset = number(end + 16, 4);
  if (listed > MOST_LISTED || listed + offset > archive.size - END)
    refuse(&archive, "the list of its ZIP is too long");
  archive.list_end = archive.size - END;
  archive.list = archive.list_end - listed;
  archive.shift = archive.list - offset;
  archive.flatbuffer = archive.list;
  for (size_t at = archive.list; at < archive.list_end;) {
    size_t size = listed_size(&archive, at);
    size_t start = archive.shift + number(archive.content + at + 42, 4);
    at += size;
    if (start < archive.flatbuffer) archive.flatbuffer = start;
  }
  return archive;
}

/* Where an entry's content starts, after its local header. */
static size_t content_start(const Archive *archive, const uint8_t *entry) {
  size_t at = archive->shift + number(entry + 42, 4);
  size_t name = number(entry + 28, 2), packed = number(entry + 20, 4);
  if (at > archive->list || archive->list - at < LOCAL)
    refuse(archive, "its ZIP is damaged");
  const uint8_t *local = archive->content + at;
  if (memcmp(local, "PK\3\4", 4) ||
      number(local + 26, 2) != name || number(entry + 8, 2) & 1)
    refuse(archive, "its ZIP is damaged");
  size_t start = at + LOCAL + name + number(local + 28, 2);
  if (start > archive->list || packed > archive->list - start ||
      memcmp(local + LOCAL, entry + LISTED, name))
    refuse(archive, "its ZIP is damaged");
  return start;
}

static void unpack(const Archive *archive, const uint8_t *entry, uint8_t *found,
                   size_t size) {
  uint8_t *packed = archive->content + content_start(archive, entry);
  size_t packed_size = number(entry + 20, 4);
  if (number(entry + 10, 2) == 0) {
    if (packed_size != size) refuse(archive, "its ZIP is damaged");
    memcpy(found, packed, size);
  } else {
    z_stream stream = {.next_in = packed, .avail_in = (uInt)packed_size,
                       .next_out = found, .avail_out = (uInt)size};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
      fail(1, "there is not enough memory");
    int status = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    if (status != Z_STREAM_END || stream.avail_out)
      refuse(archive, "its ZIP cannot be unpacked");
  }
  if (crc32(0, found, (uInt)size) != number(entry + 16, 4))
    refuse(archive, "its ZIP is damaged");
}

char *read_attached(const Archive *archive, const char *name, size_t most,
                    size_t *size) {
  const uint8_t *found = NULL;
  size_t length = strlen(name);
  for (size_t at = archive->list; at < archive->list_end;) {
    const uint8_t *entry = archive->content + at;
    at += listed_size(archive, at);
    if (number(entry + 28, 2) != length || memcmp(entry + LISTED, name, length))
      continue;
    if (found) refuse(archive, "a file of its ZIP is there twice");
    found = entry;
  }
  if (!found) refuse(archive, "a file of its ZIP is missing");
  *size = number(found + 24, 4);
  if (*size > most) refuse(archive, "a file of its ZIP is out of proportion");
  char *content = allocate(*size + 1, 1);
  unpack(archive, found, (uint8_t *)content, *size);
  return content;
}

/* FIPS 180-4, section 6.2. */
static void digest_block(uint32_t state[8], const uint8_t *block) {
  /* The fractions of the cube roots of the first 64 primes. */
  static const uint32_t K[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
      0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
      0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
      0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
      0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
      0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
      0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
      0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
      0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
#define TURNED(x, n) ((x) >> (n) | (x) << (32 - (n)))
  uint32_t w[64];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
           (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++)
    w[i] = w[i - 16] + w[i - 7] +
           (TURNED(w[i - 15], 7) ^ TURNED(w[i - 15], 18) ^ w[i - 15] >> 3) +
           (TURNED(w[i - 2], 17) ^ TURNED(w[i - 2], 19) ^ w[i - 2] >> 10);
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    uint32_t first = h + K[i] + w[i] + ((e & f) ^ (~e & g)) +
                     (TURNED(e, 6) ^ TURNED(e, 11) ^ TURNED(e, 25));
    uint32_t second = (TURNED(a, 2) ^ TURNED(a, 13) ^ TURNED(a, 22)) +
                      ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + first;
    d = c, c = b, b = a, a = first + second;
  }
  const uint32_t added[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; i++) state[i] += added[i];
}

void sha256(const void *content, size_t size, char digits[65]) {
  /* The fractions of the square roots of the first 8 primes. */
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const uint8_t *bytes = content;
  size_t whole = size / 64 * 64;
  for (size_t at = 0; at < whole; at += 64) digest_block(state, bytes + at);
  uint8_t last[128] = {0};
  memcpy(last, bytes + whole, size - whole);
  last[size - whole] = 0x80;
  size_t end = size - whole < 56 ? 64 : 128;
  for (int i = 0; i < 8; i++) last[end - 1 - i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
  for (size_t at = 0; at < end; at += 64) digest_block(state, last + at);
  for (int i = 0; i < 32; i++) {
    unsigned byte = state[i / 4] >> (24 - 8 * (i % 4)) & 0xFF;
    digits[2 * i] = "0123456789abcdef"[byte >> 4];
    digits[2 * i + 1] = "0123456789abcdef"[byte & 15];
  }
  digits[64] = 0;
}
