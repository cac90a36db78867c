/* For sentencepiece_model.c and sentencepiece_bpe.c only: a SentencePiece model as it is read here. */
#ifndef ACSWEEP_WORKER_TEXT_SENTENCEPIECE_IMPL_H
#define ACSWEEP_WORKER_TEXT_SENTENCEPIECE_IMPL_H

#include "common/arena.h"
#include "common/map.h"
#include "worker/text/sentencepiece_shim.h"

enum sp_kind { SP_NORMAL = 1, SP_UNKNOWN, SP_CONTROL, SP_USER, SP_UNUSED, SP_BYTE };

struct sp_entry {
    struct sp_text piece;
    float score;
    enum sp_kind kind;
};

struct sp_model {
    struct sp_entry *entries; /* by id */
    size_t n;
    struct map mergeable;    /* normal and user-defined pieces; struct sp_entry */
    struct map reserved;     /* the others */
    int32_t unk, bytes[256]; /* bytes: ids, where byte_fallback */
    size_t longest_user;     /* bytes of the longest user-defined piece; 0: there is none */
    bool byte_fallback, suffix, dummy_prefix, strip, escape;
    struct sp_text unk_surface;
    struct arena arena;
};

/* The id of a piece in `map`; -1: none. */
int32_t sp_find(const struct sp_model *m, const struct map *map, struct sp_text piece);

#endif
