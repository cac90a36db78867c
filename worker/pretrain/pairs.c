#include "worker/pretrain/pairs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "worker/data/image_set.h"
#include "worker/data/json_items.h"
#include "worker/data/resize.h"

#define MAX_PAIRS ((size_t)1 << 24)

/* ---- memory ---------------------------------------------------------------------------------------------------------
 */

void vocabulary_free(struct vocabulary *v)
{
    for (size_t i = 0; v->spelled && i < v->concepts.n; i++)
        ids_free(&v->spelled[i]);
    free(v->spelled);
    names_free(&v->words);
    names_free(&v->concepts);
    *v = (struct vocabulary){ 0 };
}

static void pair_free(struct pair *p)
{
    image_free(&p->picture);
    ids_free(&p->words);
    ids_free(&p->kept);
    ids_free(&p->concepts);
}

static void pair_free_cleanup(struct pair *p)
{
    pair_free(p);
}

void pairs_free(struct pairs *p)
{
    for (size_t i = 0; i < p->n; i++)
        pair_free(&p->v[i]);
    free(p->v);
    *p = (struct pairs){ 0 };
}

/* Takes what is in *x. */
static int push(struct pairs *p, struct pair *x, struct err *e)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 256;
        struct pair *v = cap <= MAX_PAIRS ? realloc(p->v, cap * sizeof *v) : NULL;
        if (!v)
            return FAIL_NOMEM(e);
        p->v = v;
        p->cap = cap;
    }
    p->v[p->n++] = *x;
    *x = (struct pair){ 0 };
    return 0;
}

/* ---- words ----------------------------------------------------------------------------------------------------------
 */

bool words_within(const struct ids *part, const struct ids *whole)
{
    size_t k = 0;
    for (size_t i = 0; i < part->n; i++) {
        while (k < whole->n && whole->v[k] < part->v[i])
            k++;
        if (k == whole->n || whole->v[k] != part->v[i])
            return false;
    }
    return true;
}

/* Put it in its place, unless it is there. */
static int insert(struct ids *sorted, int32_t id, struct err *e)
{
    size_t at = sorted->n;
    while (at > 0 && sorted->v[at - 1] >= id)
        if (sorted->v[--at] == id)
            return 0;
    TRY(ids_add(sorted, id, e));
    memmove(sorted->v + at + 1, sorted->v + at, (sorted->n - 1 - at) * sizeof *sorted->v);
    sorted->v[at] = id;
    return 0;
}

static bool in_word(unsigned char c)
{
    return isalnum(c) || c == '-' || c == '\'' || c >= 0x80;
}

#define WORD_MOST 64 /* bytes; what comes behind is not told apart */

/* The next word of *text in `word`, its length; 0 at the end. */
static size_t next_word(const char **text, char word[WORD_MOST])
{
    size_t n = 0;
    const char *s = *text;
    while (*s && !in_word((unsigned char)*s))
        s++;
    for (; *s && in_word((unsigned char)*s); s++)
        if (n < WORD_MOST)
            word[n++] = (char)((unsigned char)*s < 0x80 ? tolower((unsigned char)*s) : *s);
    *text = s;
    return n;
}

struct reader {
    const struct pairs_source *from;
    struct vocabulary *v;
    struct json_items *items;
};

static int add_words(const struct reader *r, const char *text, struct ids *sorted, struct err *e)
{
    char word[WORD_MOST];
    for (size_t n; (n = next_word(&text, word));) {
        int64_t id = r->from->known_only ? names_find(&r->v->words, word, n) : names_add(&r->v->words, word, n, e);
        if (id < 0 && !r->from->known_only)
            return -1;
        if (id >= 0)
            TRY(insert(sorted, (int32_t)id, e));
    }
    return 0;
}

/* ---- a line ---------------------------------------------------------------------------------------------------------
 */

static int fail_key(const struct reader *r, const char *key, const char *wanted, struct err *e)
{
    return FAIL(e, ERR_INPUT, "%s: '%s' must be %s", json_items_place(r->items), key, wanted);
}

static int read_concept(const struct reader *r, const char *name, struct pair *p, struct err *e)
{
    int64_t id = r->from->known_only ? names_find(&r->v->concepts, name, strlen(name))
                                     : names_add(&r->v->concepts, name, strlen(name), e);
    if (id < 0)
        return r->from->known_only ? 0 : -1;
    TRY(add_words(r, name, &p->kept, e));
    return insert(&p->concepts, (int32_t)id, e);
}

static int read_concepts(const struct reader *r, const json_t *list, struct pair *p, struct err *e)
{
    const json_t *v;
    size_t i;
    if (list && !json_is_array(list))
        return fail_key(r, "concepts", "a list of names", e);
    json_array_foreach(list, i, v)
    {
        const char *name = json_string_value(v);
        if (!name || !*name)
            return fail_key(r, "concepts", "a list of names", e);
        TRY(read_concept(r, name, p, e));
    }
    for (i = 0; i < p->kept.n; i++)
        TRY(insert(&p->words, p->kept.v[i], e));
    return 0;
}

static bool says_a_side(const char *caption)
{
    char word[WORD_MOST];
    for (size_t n; (n = next_word(&caption, word));)
        if ((n == 4 && memcmp(word, "left", 4) == 0) || (n == 5 && memcmp(word, "right", 5) == 0))
            return true;
    return false;
}

static int read_texts(const struct reader *r, const json_t *item, struct pair *p, struct err *e)
{
    const char *caption = json_string_value(json_object_get(item, "caption"));
    const json_t *flip = json_object_get(item, "flip");
    if (!caption)
        return fail_key(r, "caption", "a text", e);
    if (flip && !json_is_boolean(flip))
        return fail_key(r, "flip", "true or false", e);
    p->may_flip = !json_is_false(flip) && !says_a_side(caption);
    TRY(add_words(r, caption, &p->words, e));
    return read_concepts(r, json_object_get(item, "concepts"), p, e);
}

static int read_picture(const struct reader *r, const json_t *item, struct image *out, struct err *e)
{
    const char *name = json_string_value(json_object_get(item, "image"));
    char clean[1024], path[4096];
    if (!name)
        return fail_key(r, "image", "a path below the directory of pictures", e);
    if (image_set_clean_path(name, clean, sizeof clean, e) < 0)
        return err_wrap(e, "%s", json_items_place(r->items));
    if (!r->from->dir)
        return 0;
    if (snprintf(path, sizeof path, "%s/%s", r->from->dir, clean) >= (int)sizeof path)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", r->from->dir);
    AUTO(image_free) struct image whole = { 0 };
    TRY(image_load(path, NULL, &whole, e));
    uint32_t edge = whole.width > whole.height ? whole.width : whole.height;
    if (edge > r->from->edge)
        edge = r->from->edge;
    if (whole.width != edge || whole.height != edge)
        return resize_image(&whole, edge, edge, RESAMPLE_BICUBIC, out, e);
    *out = whole;
    whole = (struct image){ 0 };
    return 0;
}

/* ---- the file -------------------------------------------------------------------------------------------------------
 */

/* Every concept in words, for texts that name it alone. */
static int spell(struct vocabulary *v, struct err *e)
{
    const struct reader r = { .from = &(struct pairs_source){ .known_only = true }, .v = v };
    if (!(v->spelled = calloc(v->concepts.n + 1, sizeof *v->spelled)))
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < v->concepts.n; i++)
        TRY(add_words(&r, names_text(&v->concepts, i), &v->spelled[i], e));
    return 0;
}

int pairs_read_items(const struct pairs_source *s, struct json_items *items, struct vocabulary *v, struct pairs *out,
                     struct err *e)
{
    struct reader r = { s, v, items };
    for (;;) {
        AUTO(json_decref) json_t *item = NULL;
        AUTO(pair_free) struct pair p = { 0 };
        int got = json_items_next(items, &item, e);
        TRY(got);
        if (got == 0)
            break;
        TRY(read_texts(&r, item, &p, e));
        TRY(read_picture(&r, item, &p.picture, e));
        TRY(push(out, &p, e));
    }
    if (out->n == 0)
        return FAIL(e, ERR_INPUT, "%s: it has no lines; each must be {\"image\", \"caption\", \"concepts\"}", s->path);
    return s->known_only ? 0 : spell(v, e);
}

int pairs_read(const struct pairs_source *s, struct vocabulary *v, struct pairs *out, struct err *e)
{
    AUTO(json_items_close) struct json_items *items = json_items_open(s->path, e);
    return items ? pairs_read_items(s, items, v, out, e) : -1;
}
