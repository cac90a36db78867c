/* Ids and pictures of a batch become one block of embeddings: all of them in a table, and each place of the block names
 * its row in it. */
#include <stdlib.h>

#include "worker/model/vlm.h"
#include "worker/torch/th_train.h"

/* What is counted before anything is computed. */
struct plan {
    const struct vlm_sample *samples;
    size_t n;
    int64_t vocab;
    int64_t text, pictures; /* ids that are no picture; pictures */
    int64_t each;           /* tokens of a picture */
    int64_t columns;        /* N */
    int64_t max_length;     /* INT64_MAX: none */
    int64_t *texts;         /* the ids, in a row */
    int64_t *places;        /* (B,N) rows of the table: texts, then pictures, then one of zeros */
    int64_t *labels;        /* (B,N) */
    int64_t *lengths;       /* (B) */
};

static void plan_free(struct plan *p)
{
    free(p->texts);
    free(p->places);
    free(p->labels);
    free(p->lengths);
}

static int check_id(const struct plan *p, size_t row, int32_t id, const char *what, struct err *e)
{
    if (id >= 0 && id < p->vocab)
        return 0;
    return FAIL(e, ERR_INPUT, "sample %zu of the batch: %s %d is outside of the decoder's %lld; is this its tokenizer?",
                row, what, id, (long long)p->vocab);
}

static int count_row(struct plan *p, size_t row, struct err *e)
{
    const struct vlm_sample *s = &p->samples[row];
    int64_t length = 0;
    for (size_t i = 0; i < s->n; i++) {
        bool picture = s->ids[i] == VLM_IMAGE;
        p->pictures += picture;
        p->text += !picture;
        length += picture ? p->each : 1;
        if (!picture)
            TRY(check_id(p, row, s->ids[i], "id", e));
        if (!picture && s->labels && s->labels[i] != LLAMA_IGNORE)
            TRY(check_id(p, row, s->labels[i], "label", e));
    }
    p->lengths[row] = length < p->max_length ? length : p->max_length;
    if (p->lengths[row] > p->columns)
        p->columns = p->lengths[row];
    return length == 0 ? FAIL(e, ERR_INPUT, "sample %zu of the batch is empty", row) : length > p->max_length;
}

static int count_all(struct plan *p, size_t *cut, struct err *e)
{
    if (!(p->lengths = calloc(p->n + 1, sizeof *p->lengths)))
        return FAIL_NOMEM(e);
    for (size_t row = 0; row < p->n; row++) {
        int rc = count_row(p, row, e);
        TRY(rc);
        *cut += rc > 0;
    }
    size_t cells = p->n * (size_t)p->columns;
    p->texts = calloc((size_t)p->text + 1, sizeof *p->texts);
    p->places = calloc(cells + 1, sizeof *p->places);
    p->labels = calloc(cells + 1, sizeof *p->labels);
    return p->texts && p->places && p->labels ? 0 : FAIL_NOMEM(e);
}

static int check_pictures(const struct plan *p, struct tensor *features, struct err *e)
{
    int64_t have = features ? th_size(features, 0) : 0;
    if (have == p->pictures)
        return 0;
    return FAIL(e, ERR_INPUT, "the batch names %lld pictures, but there are features of %lld", (long long)p->pictures,
                (long long)have);
}

/* A cell of a row, as long as there is room. */
static void put(const struct plan *p, size_t row, int64_t *at, int64_t place, int64_t label)
{
    if (*at < p->lengths[row]) {
        p->places[(int64_t)row * p->columns + *at] = place;
        p->labels[(int64_t)row * p->columns + *at] = label;
    }
    ++*at;
}

/* *text and *picture: how many came before, in this row and those above. */
static void place_row(struct plan *p, size_t row, int64_t *text, int64_t *picture)
{
    const struct vlm_sample *s = &p->samples[row];
    int64_t at = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->ids[i] != VLM_IMAGE) {
            p->texts[*text] = s->ids[i];
            put(p, row, &at, (*text)++, s->labels ? s->labels[i] : LLAMA_IGNORE);
            continue;
        }
        for (int64_t k = 0; k < p->each; k++)
            put(p, row, &at, p->text + *picture * p->each + k, LLAMA_IGNORE);
        ++*picture;
    }
}

static void place_all(struct plan *p)
{
    int64_t cells = (int64_t)p->n * p->columns, text = 0, picture = 0;
    for (int64_t i = 0; i < cells; i++) {
        p->places[i] = p->text + p->pictures * p->each;
        p->labels[i] = LLAMA_IGNORE;
    }
    for (size_t row = 0; row < p->n; row++)
        place_row(p, row, &text, &picture);
}

/* The first token of a row is nobody's successor. */
static size_t count_targets(const struct plan *p)
{
    size_t n = 0;
    for (int64_t i = 0; i < (int64_t)p->n * p->columns; i++)
        n += i % p->columns != 0 && p->labels[i] != LLAMA_IGNORE;
    return n;
}

/* (I*each,D). Without pictures no row, but still the connector's, for its parameters' sake. */
static struct tensor *picture_rows(const struct vlm *v, const struct plan *p, struct tensor *features)
{
    TH_SCOPE(s);
    struct llama_options o = llama_options(v->llama);
    if (p->pictures == 0)
        features = th_zeros(TH_DIMS(1, 1, connector_in(v->connector)), o.dtype, o.device);
    struct tensor *rows = th_flatten(th_to(connector_forward(v->connector, features), o.dtype), 0, 1);
    return th_return(&s, p->pictures ? rows : th_slice(rows, 0, 0, 0));
}

static struct tensor *assemble(const struct vlm *v, const struct plan *p, struct tensor *features)
{
    TH_SCOPE(s);
    struct llama_options o = llama_options(v->llama);
    int64_t d = llama_config(v->llama)->width, cells = (int64_t)p->n * p->columns;
    struct tensor *text = llama_embed(v->llama, th_from(p->texts, TH_DIMS(p->text), TH_I64, o.device)); /* (T,D) */
    struct tensor *table =
        th_cat(TH_LIST(text, picture_rows(v, p, features), th_zeros(TH_DIMS(1, d), o.dtype, o.device)), 0);
    struct tensor *x = th_index_select(table, 0, th_from(p->places, TH_DIMS(cells), TH_I64, o.device));
    return th_return(&s, th_reshape(x, TH_DIMS((int64_t)p->n, p->columns, d)));
}

static int embed(const struct vlm *v, struct plan *p, struct tensor *features, struct vlm_batch *out, struct err *e)
{
    TRY(count_all(p, &out->cut, e));
    TRY(check_pictures(p, features, e));
    place_all(p);
    out->x = assemble(v, p, features);
    out->labels = th_from(p->labels, TH_DIMS((int64_t)p->n, p->columns), TH_I64, llama_options(v->llama).device);
    out->targets = count_targets(p);
    out->rows = (int64_t)p->n;
    out->lengths = TAKE(p->lengths);
    return th_check(e);
}

int vlm_embed(const struct vlm *v, const struct vlm_sample *samples, size_t n, struct tensor *features,
              int64_t max_length, struct vlm_batch *out, struct err *e)
{
    int64_t d = connector_in(v->connector);
    char text[100];
    *out = (struct vlm_batch){ 0 };
    TRY(th_check(e));
    if (features && !th_is_shape(features, TH_DIMS(-1, -1, d)))
        return FAIL(e, ERR_INPUT, "the connector takes features (pictures,tokens,%lld), not %s: name the encoders that it was "
                    "trained with", (long long)d, th_describe(features, text, sizeof text));
    struct plan p = { .samples = samples,
                      .n = n,
                      .vocab = llama_config(v->llama)->vocab,
                      .each = features ? th_size(features, 1) : 0,
                      .max_length = max_length > 0 ? max_length : INT64_MAX };
    if (n < 1)
        return FAIL(e, ERR_BUG, "a batch without samples");
    int rc = embed(v, &p, features, out, e);
    plan_free(&p);
    if (rc < 0)
        vlm_batch_free(out);
    return rc;
}

void vlm_batch_free(struct vlm_batch *b)
{
    free(b->lengths);
    *b = (struct vlm_batch){ 0 };
}
