/* Any bytes as texts for a language model: refused with the file's name, or texts with turns, of which a vocabulary is
 * learned that is no larger than asked for and whose merges are of tokens that were there before. */
#include <stdlib.h>
#include <string.h>

#include "worker/data/json_items.h"
#include "worker/pretrain/bpe_learn.h"
#include "worker/pretrain/texts.h"

#define VOCAB 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_vocabulary(const struct bpe_vocabulary *v)
{
    if (v->tokens.n > VOCAB || v->tokens.n < BPE_ALPHABET)
        abort();
    for (size_t i = 0; i < v->n_merges; i++)
        if (v->merges[i].left < BPE_ALPHABET || v->merges[i].right < BPE_ALPHABET ||
            (size_t)v->merges[i].left >= v->tokens.n || (size_t)v->merges[i].right >= v->tokens.n)
            abort();
}

static void learn(const struct texts *texts)
{
    struct err e = { 0 };
    AUTO(bpe_learner_destroy) struct bpe_learner *l = bpe_learner_create(&e);
    AUTO(bpe_vocabulary_free) struct bpe_vocabulary v = { 0 };
    for (size_t i = 0; i < texts->n; i++)
        for (size_t k = 0; k < texts->v[i].n; k++)
            if (bpe_learner_add(l, texts->v[i].turns[k].text, texts->v[i].turns[k].len, 1, &e) < 0)
                abort();
    if (bpe_learn(l, VOCAB, &v, &e) == 0)
        check_vocabulary(&v);
    else if (e.kind != ERR_INPUT)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int answers_only = 0; answers_only < 2; answers_only++) {
        struct err e = { 0 };
        AUTO(texts_free) struct texts texts = { 0 };
        AUTO(json_items_close) struct json_items *items = json_items_from((const char *)data, size, "fuzz.json", &e);
        int rc = items ? texts_read_items(items, "fuzz.json", answers_only, &texts, &e) : -1;
        if (rc < 0 && (e.kind != ERR_INPUT || !strstr(e.text, "fuzz.json")))
            abort();
        for (size_t i = 0; i < texts.n; i++)
            if (texts.v[i].n == 0 || (answers_only && texts.v[i].n != 1))
                abort();
        if (rc == 0)
            learn(&texts);
    }
    return 0;
}
