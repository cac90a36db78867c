#include "worker/evaluate/evaluate.h"

#include <limits.h>
#include <string.h>

#include "worker/benchmark/family.h"
#include "worker/model/generate.h"
#include "worker/text/conversation.h"

#define PROMPT_MOST ((size_t)1 << 20)
#define BATCH_DEFAULT 8
#define CACHE_CPU ((int64_t)8 << 30)
_Static_assert(IMAGE_TOKEN == VLM_IMAGE, "conversations and models mark pictures alike");

/* ---- prompts --------------------------------------------------------------------------------------------------------
 */

int evaluate_prompt(const struct tokenizer *t, const struct question *q, const struct benchmark_family *f,
                    struct ids *ids, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(PROMPT_MOST);
    benchmark_prompt(f, q, &text);
    TRY(buf_check(&text, "the prompt", e));
    const struct turn turn = { TURN_HUMAN, buf_text(&text), text.len };
    return conversation_prompt(t, CONVERSATION_VICUNA_V1, &turn, 1, ids, e);
}

struct prompt {
    struct ids ids;
    size_t images;                        /* places for pictures */
    size_t pictures[QUESTION_IMAGES_MAX]; /* which of the question's goes there */
    int64_t length;                       /* tokens, pictures included */
    size_t question;
};

struct prompts {
    struct prompt *v; /* those without an answer, longest first */
    size_t n;
};

static void prompts_free_cleanup(struct prompts *p)
{
    for (size_t i = 0; p->v && i < p->n; i++)
        ids_free(&p->v[i].ids);
    free(p->v);
}

static int find_pictures(const struct evaluate_job *j, const struct question *q, struct prompt *p, struct err *e)
{
    size_t n = benchmark_prompt_pictures(question_set_family(j->questions), q, p->pictures, QUESTION_IMAGES_MAX);
    if (n != p->images || n > QUESTION_IMAGES_MAX)
        return FAIL(e, ERR_INPUT, "its prompt has %zu places for pictures; %d can be asked about", p->images,
                    QUESTION_IMAGES_MAX);
    for (size_t i = 0; i < n; i++)
        if (p->pictures[i] >= q->n_images)
            return FAIL(e, ERR_INPUT, "its text names picture %zu, but 'image' has %zu", p->pictures[i] + 1, q->n_images);
    return n && !j->representation ? FAIL(e, ERR_INPUT, "it has a picture; name the model's encoders") : 0;
}

static int make_prompt(const struct evaluate_job *j, size_t i, int64_t tokens, struct prompt *p, struct err *e)
{
    const struct question *q = question_set_at(j->questions, i);
    p->question = i;
    if (evaluate_prompt(j->tokenizer, q, question_set_family(j->questions), &p->ids, e) < 0)
        return err_wrap(e, "question '%.80s'", q->id);
    for (size_t k = 0; k < p->ids.n; k++)
        p->images += p->ids.v[k] == IMAGE_TOKEN;
    p->length = (int64_t)(p->ids.n - p->images) + (int64_t)p->images * tokens;
    return find_pictures(j, q, p, e) < 0 ? err_wrap(e, "question '%.80s'", q->id) : 0;
}

static int longest_first(const void *a, const void *b)
{
    const struct prompt *x = a, *y = b;
    if (x->length != y->length)
        return x->length < y->length ? 1 : -1;
    return x->question < y->question ? -1 : x->question > y->question;
}

static int make_prompts(const struct evaluate_job *j, const struct answer_log *log, struct prompts *out, struct err *e)
{
    size_t n = question_set_count(j->questions);
    int64_t tokens = j->representation ? representation_shape(j->representation).tokens : 0;
    out->v = calloc(n, sizeof *out->v);
    if (!out->v)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        if (!answer_log_get(log, i))
            TRY(make_prompt(j, i, tokens, &out->v[out->n++], e));
    qsort(out->v, out->n, sizeof *out->v, longest_first);
    return 0;
}

/* ---- a batch --------------------------------------------------------------------------------------------------------
 */

struct pictures {
    struct image *list;
    const char **names;
    size_t n; /* named, and loaded where they must be */
};

static void pictures_free_cleanup(struct pictures *p)
{
    for (size_t i = 0; p->list && i < p->n; i++)
        image_free(&p->list[i]);
    free(p->list);
    free(p->names);
}

static int load(const struct evaluate_job *j, const char *name, struct image *out, struct err *e)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", j->images, name) >= PATH_MAX)
        return FAIL(e, ERR_INPUT, "the path of its picture is too long");
    return image_load(path, &(struct image_options){ 0 }, out, e);
}

static int take_pictures(const struct evaluate_job *j, const struct prompt *p, size_t n, struct pictures *to,
                         struct err *e)
{
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all += p[i].images;
    to->list = calloc(all + 1, sizeof *to->list);
    to->names = calloc(all + 1, sizeof *to->names);
    if (!to->list || !to->names)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        const struct question *q = question_set_at(j->questions, p[i].question);
        for (size_t k = 0; k < p[i].images; k++, to->n++) {
            const char *name = to->names[to->n] = q->images[p[i].pictures[k]];
            if (representation_needs_pictures(j->representation) && load(j, name, &to->list[to->n], e) < 0)
                return err_wrap(e, "question '%.80s'", q->id);
        }
    }
    return 0;
}

/* (I,N,d), or NULL where the batch has no pictures. */
static int look(const struct evaluate_job *j, const struct prompt *p, size_t n, struct tensor **features, struct err *e)
{
    AUTO(pictures_free) struct pictures pictures = { 0 };
    TRY(take_pictures(j, p, n, &pictures, e));
    *features = NULL;
    if (pictures.n == 0)
        return 0;
    *features = representation_see(j->representation, pictures.list, pictures.names, pictures.n, e);
    return *features ? 0 : -1;
}

static int decode(const struct evaluate_job *j, const struct generated *g, struct buf *text, struct err *e)
{
    buf_clear(text);
    TRY(tokenizer_decode(j->tokenizer, g->tokens, g->n, true, text, e));
    return buf_check(text, "an answer", e);
}

static int keep(const struct evaluate_job *j, const struct prompt *p, const struct generated *g, size_t n,
                struct answer_log *log, struct evaluate_counts *c, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(PROMPT_MOST);
    for (size_t i = 0; i < n; i++) {
        TRY(decode(j, &g[i], &text, e));
        TRY(answer_log_put(log, p[i].question, buf_text(&text), e));
        c->answered++;
        c->unended += !g[i].stopped;
        c->prompt_tokens += (uint64_t)p[i].length;
        c->new_tokens += g[i].n;
    }
    return answer_log_sync(log, e);
}

/* Tokens that a row may come to. */
static int64_t room(const struct evaluate_job *j)
{
    return llama_context(llama_config(j->model->llama));
}

static int64_t new_tokens(const struct evaluate_job *j)
{
    int64_t most = question_set_family(j->questions)->max_new_tokens;
    return most ? most : j->max_new_tokens ? j->max_new_tokens : EVALUATE_NEW_TOKENS;
}

/* What keys and values of a batch may take. */
static int cache_budget(const struct evaluate_job *j, int64_t *bytes, struct err *e)
{
    struct th_memory m;
    TRY(th_device_memory(llama_options(j->model->llama).device, &m, e));
    *bytes = m.total ? m.total / 4 : CACHE_CPU;
    return 0;
}

/* How many of p[0 .. n-1], the longest first, go together. */
static size_t batch_of(const struct evaluate_job *j, const struct prompt *p, size_t n, int64_t budget)
{
    int64_t most = p[0].length + new_tokens(j), columns = most < room(j) ? most : room(j);
    int64_t rows = budget / llama_cache_bytes(j->model->llama, 1, columns);
    return rows < 1 ? 1 : (uint64_t)rows < n ? (size_t)rows : n;
}

/* p[0 .. n-1], the longest first. */
static int answer_batch(const struct evaluate_job *j, const struct prompt *p, size_t n, struct answer_log *log,
                        struct evaluate_counts *c, struct err *e)
{
    TH_SCOPE(s);
    struct tensor *features = NULL;
    AUTO(vlm_batch_free) struct vlm_batch batch = { 0 };
    AUTO(free) struct vlm_sample *samples = calloc(n, sizeof *samples);
    AUTO(free) struct generated *answers = calloc(n, sizeof *answers);
    if (!samples || !answers)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        samples[i] = (struct vlm_sample){ .ids = p[i].ids.v, .n = p[i].ids.n };
    TRY(look(j, p, n, &features, e));
    TRY(vlm_embed(j->model, samples, n, features, 0, &batch, e));
    struct generate_options o = { .max_new_tokens = new_tokens(j), .context = room(j) };
    TRY(llama_generate(j->model->llama, batch.x, batch.lengths, &o, answers, e));
    int rc = keep(j, p, answers, n, log, c, e);
    generated_free(answers, n);
    return rc;
}

/* Prompts that leave no place for an answer come first in the order. */
static int skip_too_long(const struct evaluate_job *j, const struct prompts *p, size_t *first, struct answer_log *log,
                         struct evaluate_counts *c, struct err *e)
{
    for (; *first < p->n && p->v[*first].length >= room(j); (*first)++) {
        TRY(answer_log_put(log, p->v[*first].question, "", e));
        c->answered++;
        c->too_long++;
    }
    return 0;
}

int evaluate_run(const struct evaluate_job *j, struct answer_log *log, struct evaluate_counts *counts, struct err *e)
{
    AUTO(prompts_free) struct prompts p = { 0 };
    size_t first = 0, batch = j->batch ? j->batch : BATCH_DEFAULT;
    int64_t budget;
    *counts = (struct evaluate_counts){ 0 };
    TRY(cache_budget(j, &budget, e));
    TRY(make_prompts(j, log, &p, e));
    size_t kept = question_set_count(j->questions) - p.n;
    TRY(skip_too_long(j, &p, &first, log, counts, e));
    while (first < p.n) {
        size_t n = batch_of(j, p.v + first, p.n - first < batch ? p.n - first : batch, budget);
        TRY(answer_batch(j, p.v + first, n, log, counts, e));
        first += n;
        if (j->progress)
            TRY(j->progress(j->arg, kept + first, question_set_count(j->questions), e));
    }
    return 0;
}
