#include "model.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "text.h"

enum { CONTRACT = 3 };
/* A tensor of one row that a signature must have; 0 stands for the vocabulary. */
typedef struct {
  const char *name;
  int type, rank, size;
} Promise;

static const Promise GENERATE_INPUTS[] = {
    {"prompt", INT32, 1, CHUNK},    {"prompt_length", INT32, 1, 1},
    {"length", INT32, 1, 1},        {"uniforms", FLOAT32, 1, CHUNK},
    {"temperature", FLOAT32, 1, 1}, {"top_k", INT32, 1, 1},
    {"top_p", FLOAT32, 1, 1},       {"min_p", FLOAT32, 1, 1},
    {NULL, 0, 0, 0}};
static const Promise GENERATE_OUTPUTS[] = {{"tokens", INT32, 1, CHUNK},
                                           {NULL, 0, 0, 0}};
static const Promise STEP_INPUTS[] = {{"token", INT32, 1, 1}, {NULL, 0, 0, 0}};
static const Promise STEP_OUTPUTS[] = {{"logits", FLOAT32, 2, 0}, {NULL, 0, 0, 0}};

static void check(LiteRtStatus status, const char *what) {
  if (status) fail(2, "LiteRT cannot %s: status %d", what, status);
}

static void check_hash(const char *what, const void *content, size_t size,
                       const Json *wanted) {
  char found[65];
  sha256(content, size, found);
  if (!is_text(wanted, found))
    fail(2, "%s is damaged: SHA-256 %.12s... where the file says %.12s...; copy or "
         "export it again", what, found, wanted->text);
}

/* The card, checked as far as this program uses it. */
static const Json *read_card(const Archive *archive) {
  size_t size = 0, hash_size = 0;
  char *text = read_attached(archive, "card.json", 1 << 20, &size);
  Json hash = {.kind = JSON_STRING,
               .text = read_attached(archive, "card.sha256", 100, &hash_size)};
  hash.size = hash_size < 64 ? hash_size : 64; /* the name of the file follows */
  const Json *card = read_object("card.json", text, size);
  double contract = number_entry("card.json", card, "contract", true, 0, 1e9);
  if (contract != CONTRACT)
    fail(2, "%.300s speaks contract %.0f, this program %d; take the program that came "
         "with the file", archive->path, contract, CONTRACT);
  check_hash("card.json", text, size, &hash);
  const Json *kind = entry("card.json", card, "kind", JSON_STRING);
  if (!is_text(kind, "character model"))
    fail(2, "%.300s holds a model of the kind '%.40s', not 'character model'",
         archive->path, kind->text);
  check_hash("the model", archive->content, archive->flatbuffer,
             entry("card.json", card, "sha256", JSON_STRING));
  return card;
}

static void read_vocabulary(Model *model, const Archive *archive, const Json *card) {
  size_t size = 0;
  char *text = read_attached(archive, "vocabulary.json", 1 << 23, &size);
  const Json *hashes = entry("card.json", card, "attachments", JSON_OBJECT);
  check_hash("vocabulary.json", text, size,
             entry("card.json", hashes, "vocabulary.json", JSON_STRING));
  const char *where = "vocabulary.json";
  const Json *list =
      entry(where, read_object(where, text, size), "characters", JSON_LIST);
  model->size = (int)number_entry("card.json", card, "vocabulary_size", true, 1,
                                  CODE_POINTS);
  if (list->size != (size_t)model->size)
    fail(2, "%s has %zu characters, the model %d", where, list->size, model->size);
  model->characters = allocate(list->size, sizeof *model->characters);
  model->ids = allocate(CODE_POINTS, sizeof *model->ids);
  memset(model->ids, -1, CODE_POINTS * sizeof *model->ids);
  int id = 0;
  for (const Json *each = list->first; each; each = each->next, id++) {
    const char *at = each->text;
    bool is_string = each->kind == JSON_STRING;
    long character = is_string ? next_character(&at, at + each->size) : -1;
    if (character < 0 || at != each->text + each->size || model->ids[character] >= 0)
      fail(2, "%s: entry %d is not one character, or is there twice", where, id);
    model->ids[character] = id;
    model->characters[id] = each;
  }
}

static void check_defaults(const Json *defaults) {
  const char *where = "card.json: sampling_defaults";
  number_entry(where, defaults, "length", true, 0, INT32_MAX);
  number_entry(where, defaults, "temperature", false, 0, 1.7976931348623157e308);
  number_entry(where, defaults, "top_k", true, 0, INT32_MAX);
  number_entry(where, defaults, "top_p", false, 0, 1);
  number_entry(where, defaults, "min_p", false, 0, 1);
}

static Tensor *find(const Tensors *tensors, const char *signature, const char *name) {
  for (size_t index = 0; index < tensors->count; index++)
    if (!strcmp(tensors->tensors[index].name, name)) return &tensors->tensors[index];
  fail(2, "%s of the model has no %s; export the file again", signature, name);
}

static void check_shape(const Tensor *tensor, int type, int rank, const double *shape) {
  int same = tensor->type.element_type == type &&
             (int)tensor->type.layout.rank == rank;
  for (int axis = 0; same && axis < rank; axis++)
    same = tensor->type.layout.dimensions[axis] == shape[axis];
  if (!same)
    fail(2, "%s of the model is not as its card promises; export the file again",
         tensor->name);
}

/* Check one direction of a signature, and give each tensor its memory. */
static void bind(const Model *model, const char *signature, Tensors *tensors,
                 const Promise *promised) {
  size_t expected = model->shapes->size;
  for (; promised->name; promised++, expected++) {
    double shape[] = {1, promised->size ? promised->size : model->size};
    check_shape(find(tensors, signature, promised->name), promised->type,
                promised->rank, shape + 2 - promised->rank);
  }
  if (tensors->count != expected)
    fail(2, "%s of the model has %zu tensors, the card promises %zu", signature,
         tensors->count, expected);
  size_t state = 0;
  for (const Json *each = model->shapes->first; each; each = each->next, state++) {
    char name[24];
    double shape[MOST_RANK];
    int rank = 0;
    snprintf(name, sizeof name, "state_%zu", state);
    if (each->kind != JSON_LIST || each->size < 1 || each->size > MOST_RANK)
      fail(2, "card.json: state_shapes: %s has no shape; export the file again", name);
    for (const Json *size = each->first; size; size = size->next)
      shape[rank++] = size->kind == JSON_NUMBER && size->whole ? size->number : -1;
    check_shape(find(tensors, signature, name), FLOAT32, rank, shape);
  }
  for (size_t index = 0; index < tensors->count; index++) {
    Tensor *tensor = &tensors->tensors[index];
    tensor->bytes = 4;
    for (unsigned axis = 0; axis < tensor->type.layout.rank; axis++)
      if (tensor->type.layout.dimensions[axis] < 1 ||
          __builtin_mul_overflow(tensor->bytes,
                                 (size_t)tensor->type.layout.dimensions[axis],
                                 &tensor->bytes))
        fail(2, "%s of the model has no size; export the file again", tensor->name);
    tensor->data = allocate(tensor->bytes, 1);
    check(LiteRtCreateTensorBufferFromHostMemory(&tensor->type, tensor->data,
                                                 tensor->bytes, NULL,
                                                 &tensors->buffers[index]),
          "take memory for a tensor");
  }
}

static void list_tensors(LiteRtSignature signature, Tensors *tensors, bool inputs) {
  check((inputs ? LiteRtGetNumSignatureInputs : LiteRtGetNumSignatureOutputs)(
            signature, &tensors->count), "read a signature");
  tensors->tensors = allocate(tensors->count, sizeof *tensors->tensors);
  tensors->buffers = allocate(tensors->count, sizeof *tensors->buffers);
  for (size_t index = 0; index < tensors->count; index++) {
    const char *name = NULL;
    LiteRtTensor tensor = NULL;
    check((inputs ? LiteRtGetSignatureInputName : LiteRtGetSignatureOutputName)(
              signature, index, &name), "read a name");
    check((inputs ? LiteRtGetSignatureInputTensorByIndex
                  : LiteRtGetSignatureOutputTensorByIndex)(signature, index, &tensor),
          "read a tensor");
    check(LiteRtGetRankedTensorType(tensor, &tensors->tensors[index].type),
          "read a shape");
    snprintf(tensors->tensors[index].name, sizeof tensors->tensors[index].name, "%s",
             name);
  }
}

static Signature open_signature(const Model *model, LiteRtModel flatbuffer,
                                const char *name, const Promise *inputs,
                                const Promise *outputs) {
  Signature found = {.name = name};
  size_t count = 0;
  check(LiteRtGetNumModelSignatures(flatbuffer, &count), "read the signatures");
  for (; found.index < count; found.index++) {
    LiteRtSignature signature = NULL;
    const char *key = NULL;
    check(LiteRtGetModelSignature(flatbuffer, found.index, &signature),
          "read a signature");
    check(LiteRtGetSignatureKey(signature, &key), "read a signature");
    if (strcmp(key, name)) continue;
    list_tensors(signature, &found.inputs, true);
    list_tensors(signature, &found.outputs, false);
    bind(model, name, &found.inputs, inputs);
    bind(model, name, &found.outputs, outputs);
    return found;
  }
  fail(2, "the model has no signature %s; export the file again", name);
}

Model open_model(const char *path) {
  Model model = {0};
  Archive archive = open_archive(path);
  const Json *card = read_card(&archive);
  read_vocabulary(&model, &archive, card);
  model.defaults = entry("card.json", card, "sampling_defaults", JSON_OBJECT);
  check_defaults(model.defaults);
  model.shapes = entry("card.json", card, "state_shapes", JSON_LIST);
  LiteRtEnvironment environment = NULL;
  LiteRtModel flatbuffer = NULL;
  LiteRtOptions options = NULL;
  /* LiteRT says on standard error what it does. */
  int kept = dup(2), nowhere = open("/dev/null", O_WRONLY);
  if (kept >= 0) dup2(nowhere, 2);
  LiteRtStatus status = LiteRtCreateEnvironment(0, NULL, &environment);
  if (!status)
    status = LiteRtCreateModelFromBuffer(environment, archive.content,
                                         archive.flatbuffer, &flatbuffer);
  if (!status) status = LiteRtCreateOptions(&options);
  if (!status) status = LiteRtSetOptionsHardwareAccelerators(options, ON_CPU);
  if (!status)
    status = LiteRtCreateCompiledModel(environment, flatbuffer, options,
                                       &model.compiled);
  if (kept >= 0) dup2(kept, 2), close(kept);
  close(nowhere);
  check(status, "open the model");
  model.generate = open_signature(&model, flatbuffer, "generate", GENERATE_INPUTS,
                                  GENERATE_OUTPUTS);
  model.step = open_signature(&model, flatbuffer, "step", STEP_INPUTS, STEP_OUTPUTS);
  return model;
}

void *input(const Signature *signature, const char *name) {
  return find(&signature->inputs, signature->name, name)->data;
}

void *output(const Signature *signature, const char *name) {
  return find(&signature->outputs, signature->name, name)->data;
}

void run(Model *model, Signature *signature) {
  Tensors *in = &signature->inputs, *out = &signature->outputs;
  check(LiteRtRunCompiledModel(model->compiled, signature->index, in->count, in->buffers,
                               out->count, out->buffers), "run the model");
  for (size_t index = 0; index < out->count; index++)
    if (!strncmp(out->tensors[index].name, "state_", 6)) {
      Tensor *from = &out->tensors[index];
      memcpy(find(in, signature->name, from->name)->data, from->data, from->bytes);
    }
}
