/* The part of LiteRT's C API that kerasseq.c calls, as in the headers of LiteRT 2.2 and
 * 2.3 (litert/c/ of github.com/google-ai-edge/LiteRT). The wheel ai-edge-litert has the
 * library libLiteRt.so without them. An app that has the headers includes those instead. */
#ifndef KERASSEQ_LITERT_H
#define KERASSEQ_LITERT_H

#include <stddef.h>
#include <stdint.h>

enum { FLOAT32 = 1, INT32 = 2 }; /* of LiteRtElementType */
enum { MOST_RANK = 8 };
enum { ON_CPU = 1 }; /* of LiteRtHwAccelerators */

typedef int LiteRtStatus; /* 0: all is well */
typedef struct LiteRtEnvironmentT *LiteRtEnvironment;
typedef struct LiteRtModelT *LiteRtModel;
typedef struct LiteRtSignatureT *LiteRtSignature;
typedef struct LiteRtTensorT *LiteRtTensor;
typedef struct LiteRtOptionsT *LiteRtOptions;
typedef struct LiteRtCompiledModelT *LiteRtCompiledModel;
typedef struct LiteRtTensorBufferT *LiteRtTensorBuffer;

typedef struct {
  int element_type;
  struct {
    unsigned int rank : 7;
    unsigned int has_strides : 1;
    int32_t dimensions[MOST_RANK];
    uint32_t strides[MOST_RANK];
  } layout;
} LiteRtRankedTensorType;
_Static_assert(sizeof(LiteRtRankedTensorType) == 72, "as LiteRT has it");

LiteRtStatus LiteRtCreateEnvironment(int, const void *, LiteRtEnvironment *);
LiteRtStatus LiteRtCreateModelFromBuffer(LiteRtEnvironment, const void *, size_t,
                                         LiteRtModel *);
LiteRtStatus LiteRtCreateOptions(LiteRtOptions *);
LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions, int);
LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment, LiteRtModel, LiteRtOptions,
                                       LiteRtCompiledModel *);

LiteRtStatus LiteRtGetNumModelSignatures(LiteRtModel, size_t *);
LiteRtStatus LiteRtGetModelSignature(LiteRtModel, size_t, LiteRtSignature *);
LiteRtStatus LiteRtGetSignatureKey(LiteRtSignature, const char **);
LiteRtStatus LiteRtGetNumSignatureInputs(LiteRtSignature, size_t *);
LiteRtStatus LiteRtGetNumSignatureOutputs(LiteRtSignature, size_t *);
LiteRtStatus LiteRtGetSignatureInputName(LiteRtSignature, size_t, const char **);
LiteRtStatus LiteRtGetSignatureOutputName(LiteRtSignature, size_t, const char **);
LiteRtStatus LiteRtGetSignatureInputTensorByIndex(LiteRtSignature, size_t,
                                                  LiteRtTensor *);
LiteRtStatus LiteRtGetSignatureOutputTensorByIndex(LiteRtSignature, size_t,
                                                   LiteRtTensor *);
LiteRtStatus LiteRtGetRankedTensorType(LiteRtTensor, LiteRtRankedTensorType *);

/* The memory stays the caller's, and must start at a multiple of 64. */
LiteRtStatus LiteRtCreateTensorBufferFromHostMemory(const LiteRtRankedTensorType *,
                                                    void *, size_t, void (*)(void *),
                                                    LiteRtTensorBuffer *);
LiteRtStatus LiteRtRunCompiledModel(LiteRtCompiledModel, size_t, size_t,
                                    LiteRtTensorBuffer *, size_t, LiteRtTensorBuffer *);

#endif
