/* The parts of a tokenizer.json. Private to worker/text: fast_parse.c fills them, fast.c runs them. */
#ifndef ACSWEEP_WORKER_TEXT_FAST_H
#define ACSWEEP_WORKER_TEXT_FAST_H

#include "worker/text/bpe.h"
#include "worker/text/normalize.h"
#include "worker/text/pretokenize.h"
#include "worker/text/token_decoder.h"
#include "worker/text/tokenizer_impl.h"

struct fast {
    struct tokenizer base;
    struct normalizer *normalizer;
    struct pretokenizer *pretokenizer;
    struct token_decoder *decoder;
    struct bpe *bpe;
    struct added_matcher raw, normalized; /* looked for before and after normalizing */
    char **normalized_text;               /* what `normalized` looks for, one for each added token or NULL */
    int32_t template_bos;                 /* what the post_processor puts in front, or -1 */
};

MUST_USE int fast_parse(struct fast *t, const json_t *j, struct err *e);

#endif
