/* An exported character model: its card, its vocabulary and its signatures. */
#ifndef KERASSEQ_MODEL_H
#define KERASSEQ_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "litert.h"

enum { CODE_POINTS = 0x110000 };
enum { CHUNK = 256 }; /* tokens that a call of `generate` reads or writes at most */

typedef struct {
  char name[24];
  LiteRtRankedTensorType type;
  size_t bytes;
  void *data;
} Tensor;

/* One direction of a signature; the runtime takes the buffers in this order. */
typedef struct {
  size_t count;
  Tensor *tensors;
  LiteRtTensorBuffer *buffers;
} Tensors;

typedef struct {
  const char *name;
  size_t index; /* among the model's signatures */
  Tensors inputs, outputs;
} Signature;

typedef struct {
  const Json *defaults; /* of sampling */
  int size;             /* of the vocabulary */
  const Json **characters; /* by id, texts */
  int32_t *ids;            /* by code point; -1: unknown */
  const Json *shapes;   /* of the states */
  LiteRtCompiledModel compiled;
  Signature generate, step;
} Model;

/* Open a file; ends the program with one line where it is damaged or another kind. */
Model open_model(const char *path);

/* Where an input or an output lies. */
void *input(const Signature *signature, const char *name);
void *output(const Signature *signature, const char *name);

/* Run a signature, and make the states of its output those of its next input. */
void run(Model *model, Signature *signature);

#endif
