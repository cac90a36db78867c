/* What every kind of tokenizer has. Private to worker/text. */
#ifndef ACSWEEP_WORKER_TEXT_TOKENIZER_IMPL_H
#define ACSWEEP_WORKER_TEXT_TOKENIZER_IMPL_H

#include "worker/text/added_tokens.h"
#include "worker/text/hf_tokens.h"
#include "worker/text/tokenizer.h"

#define TOKENIZER_TEXT_MOST ((size_t)1 << 30) /* bytes of one text */

struct tokenizer_kind {
    void (*close)(struct tokenizer *t);
    /* The text is valid UTF-8 and not empty; ids without BOS. */
    int (*encode)(const struct tokenizer *t, struct slice text, struct ids *out, struct err *e);
    /* The ids are in range. */
    int (*decode)(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct buf *out,
                  struct err *e);
    int32_t (*id)(const struct tokenizer *t, const char *token, size_t len);
    /* May the text up to this id still change with what follows? So with bytes, and with what skip_special leaves out
     * between them. */
    bool (*is_open)(const struct tokenizer *t, int32_t id);
};

struct tokenizer {
    const struct tokenizer_kind *kind;
    char *name; /* the file, for messages */
    struct added_tokens added;
    int32_t bos, eos, unk, pad;
    size_t size;
    bool legacy, clean_up, add_bos;
};

void tokenizer_base_free(struct tokenizer *t);

/* `name` stands for the file; the small files are looked for in `dir`. */
MUST_USE struct tokenizer *slow_llama_open(const char *bytes, size_t len, const char *name, const char *dir,
                                           struct err *e);
MUST_USE struct tokenizer *fast_open(const char *text, size_t len, const char *name, const char *dir, struct err *e);

#endif
