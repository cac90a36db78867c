/* A build without libsentencepiece. */
#include <stdio.h>
#include <stdlib.h>

#include "worker/text/sentencepiece_shim.h"

bool sp_is_built(void)
{
    return false;
}

struct sp_model *sp_open(const void *bytes, size_t len, char *why, size_t why_size)
{
    (void)bytes;
    (void)len;
    snprintf(why, why_size, "this build of acsweep lacks libsentencepiece");
    return NULL;
}

void sp_close(struct sp_model *m)
{
    (void)m;
}

/* No model, so nobody calls these. */
size_t sp_size(const struct sp_model *m)
{
    (void)m;
    abort();
}

struct sp_text sp_piece(const struct sp_model *m, int32_t id)
{
    (void)m;
    (void)id;
    abort();
}

int32_t sp_id(const struct sp_model *m, const char *piece, size_t len)
{
    (void)m;
    (void)piece;
    (void)len;
    abort();
}

int32_t sp_unk(const struct sp_model *m)
{
    (void)m;
    abort();
}

bool sp_is_byte(const struct sp_model *m, int32_t id)
{
    (void)m;
    (void)id;
    abort();
}

int sp_encode(const struct sp_model *m, const char *text, size_t len, int (*take)(void *ctx, int32_t id), void *ctx,
              char *why, size_t why_size)
{
    (void)m;
    (void)text;
    (void)len;
    (void)take;
    (void)ctx;
    (void)why;
    (void)why_size;
    abort();
}

int sp_decode(const struct sp_model *m, const struct sp_text *pieces, size_t n,
              int (*take)(void *ctx, const char *text, size_t len), void *ctx, char *why, size_t why_size)
{
    (void)m;
    (void)pieces;
    (void)n;
    (void)take;
    (void)ctx;
    (void)why;
    (void)why_size;
    abort();
}
