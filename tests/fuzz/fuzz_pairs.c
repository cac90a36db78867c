/* Any bytes as pictures with captions (the pictures themselves are image's target): refused with the file's name, or
 * samples whose words are ascending numbers of the vocabulary, the concepts' among them. */
#include <stdlib.h>
#include <string.h>

#include "worker/data/json_items.h"
#include "worker/pretrain/pairs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ids(const struct ids *ids, size_t most)
{
    for (size_t i = 0; i < ids->n; i++)
        if (ids->v[i] < 0 || (size_t)ids->v[i] >= most || (i && ids->v[i] <= ids->v[i - 1]))
            abort();
}

static void check_pair(const struct pair *p, const struct vocabulary *v)
{
    check_ids(&p->words, v->words.n);
    check_ids(&p->kept, v->words.n);
    check_ids(&p->concepts, v->concepts.n);
    if (!words_within(&p->kept, &p->words) || p->picture.pixels)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(vocabulary_free) struct vocabulary v = { 0 };
    AUTO(pairs_free) struct pairs pairs = { 0 };
    AUTO(json_items_close) struct json_items *items = json_items_from((const char *)data, size, "fuzz.jsonl", &e);
    struct pairs_source s = { .path = "fuzz.jsonl" };
    int rc = items ? pairs_read_items(&s, items, &v, &pairs, &e) : -1;
    if (rc < 0 && (e.kind != ERR_INPUT || !strstr(e.text, "fuzz.jsonl")))
        abort();
    for (size_t i = 0; i < pairs.n; i++)
        check_pair(&pairs.v[i], &v);
    for (size_t c = 0; rc == 0 && c < v.concepts.n; c++)
        check_ids(&v.spelled[c], v.words.n);
    return 0;
}
