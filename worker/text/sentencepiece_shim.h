/* A SentencePiece model, BPE as LLaMA's: sentencepiece_model.c and sentencepiece_bpe.c; or libsentencepiece behind the
 * same functions (sentencepiece_shim.cpp), to compare with. Private to worker/text. */
#ifndef ACSWEEP_WORKER_TEXT_SENTENCEPIECE_SHIM_H
#define ACSWEEP_WORKER_TEXT_SENTENCEPIECE_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sp_model;
struct sp_text {
    const char *text;
    size_t len;
};

/* A serialized ModelProto; NULL with the reason in `why`. */
struct sp_model *sp_open(const void *bytes, size_t len, char *why, size_t why_size);
void sp_close(struct sp_model *m);

size_t sp_size(const struct sp_model *m);
/* The piece of an id in 0..size-1; valid as long as the model. */
struct sp_text sp_piece(const struct sp_model *m, int32_t id);
/* The id of a piece; that of the unknown piece when there is none. */
int32_t sp_id(const struct sp_model *m, const char *piece, size_t len);
int32_t sp_unk(const struct sp_model *m);
bool sp_is_byte(const struct sp_model *m, int32_t id);

/* `take` is called for each id in turn; -1 from it ends the call. 0, or -1 with `why` (empty when `take` failed). */
int sp_encode(const struct sp_model *m, const char *text, size_t len, int (*take)(void *ctx, int32_t id), void *ctx,
              char *why, size_t why_size);
/* The text of pieces, given once to `take`. */
int sp_decode(const struct sp_model *m, const struct sp_text *pieces, size_t n,
              int (*take)(void *ctx, const char *text, size_t len), void *ctx, char *why, size_t why_size);

#ifdef __cplusplus
}
#endif

#endif
