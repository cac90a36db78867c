#include "worker/score/c_run.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "worker/score/c_plan.h"
#include "worker/score/c_position.h"

struct c_scores {
    struct c_tally *tally, *position;
    struct arena memory;
    size_t n_categories, *pairs; /* of each category */
    size_t all_pairs, geo_pairs, n_subsets;
    int *grids;
    struct c_plan_size plan;
};

struct shared {
    const struct c_plan *plan;
    atomic_size_t next; /* block */
    atomic_bool stop;
    pthread_mutex_t lock; /* over what follows, and over the job's callbacks */
    size_t pairs_done;
    struct err *e;
};

/* What one thread works in. */
struct work {
    struct shared *shared;
    const struct c_plan *plan;
    float *tokens, *rows, *sums;
    float *maps[C_ENCODERS_MAX]; /* [row][c_row_size] for each encoder of the group */
    int *cells;
    struct c_row *points;
    struct c_point *found;   /* [subset] */
    struct c_counts *counts; /* [subset], of one pair */
    struct c_tally *tally;
    struct err e;
};

/* ---- similarities of one block --------------------------------------------------------------------------------------
 */

static int tokens_of(const struct work *w, size_t encoder, size_t image, int grid, const int *cells, size_t n,
                     float *out, struct err *e)
{
    const struct c_job *job = w->plan->job;
    const struct c_source *s = &job->sources[encoder];
    struct c_map map = { 0 };
    TRY(s->open(s->arg, image, &map, e));
    int rc = c_tokens(map.raw, &s->shape, grid, job->setting.arith, cells, n, out, e);
    s->close(s->arg, &map);
    return rc < 0 ? err_wrap(e, "%s: features of %s", s->name, job->set->images[image]->path) : 0;
}

/* The tokens under the points of each pair's source. */
static int source_tokens(struct work *w, const struct c_block *b, size_t encoder, int grid)
{
    size_t width = c_padded((size_t)w->plan->job->sources[encoder].shape.channels), at = 0;
    for (size_t i = b->first; i < b->first + b->count; i++) {
        const struct c_planned *p = &w->plan->pairs[i];
        for (size_t k = 0; k < p->points; k++)
            w->cells[at + k] = c_frame_cell(&p->source, w->points[at + k].source, grid);
        TRY(tokens_of(w, encoder, p->source_image, grid, w->cells + at, p->points, w->rows + at * width, &w->e));
        at += p->points;
    }
    return 0;
}

static int multiply(struct work *w, const struct c_block *b, size_t encoder, int grid)
{
    const struct c_job *job = w->plan->job;
    size_t width = c_padded((size_t)job->sources[encoder].shape.channels), cells = (size_t)grid * (size_t)grid;
    float *out = w->maps[encoder];
    if (job->dot)
        return job->dot(job->dot_arg, w->rows, b->rows, w->tokens, cells, width, out, c_row_size(grid), &w->e);
    c_dot(w->rows, b->rows, w->tokens, cells, width, out, c_row_size(grid));
    return 0;
}

static int similarities(struct work *w, const struct c_block *b, size_t encoder, int grid)
{
    const struct c_job *job = w->plan->job;
    size_t cells = (size_t)grid * (size_t)grid, size = c_row_size(grid);
    TRY(tokens_of(w, encoder, b->target_image, grid, NULL, cells, w->tokens, &w->e));
    TRY(source_tokens(w, b, encoder, grid));
    TRY(multiply(w, b, encoder, grid));
    bool rounded = job->setting.arith == C_STORED && job->sources[encoder].shape.type == C_BF16;
    for (size_t r = 0; r < b->rows; r++) {
        float *row = w->maps[encoder] + r * size;
        for (size_t i = 0; rounded && i < cells; i++)
            row[i] = c_bf16(row[i]);
        c_row_finish(row, grid);
    }
    return 0;
}

/* ---- points ---------------------------------------------------------------------------------------------------------
 */

static void place_points(const struct c_plan *plan, const struct c_block *b, struct c_row *out)
{
    for (size_t i = b->first; i < b->first + b->count; i++) {
        const struct c_planned *p = &plan->pairs[i];
        const struct spair_pair *pair = &plan->job->set->pairs[p->pair];
        for (uint32_t left = pair->points; left; left &= left - 1, out++) {
            int k = __builtin_ctz(left);
            out->point = k;
            out->geo = p->geo >> k & 1;
            out->source = c_frame_point(&p->source, pair->source.image->x[k], pair->source.image->y[k]);
            out->target = c_frame_point(&p->target, pair->target.image->x[k], pair->target.image->y[k]);
        }
    }
}

static void judge(struct work *w, const struct c_group *g, const struct c_planned *p, const struct c_row *row)
{
    size_t alphas = w->plan->job->setting.n_alphas;
    for (size_t i = 0; i < g->n_steps; i++) {
        if (g->steps[i].subset == C_NO_SUBSET)
            continue;
        struct c_counts *c = &w->counts[g->steps[i].subset];
        double error = (double)c_frame_distance(w->found[g->steps[i].subset], row->target);
        for (size_t a = 0; a < alphas; a++)
            c->correct[a] = (uint8_t)(c->correct[a] + (error < p->limits[a]));
        c->geo = (uint8_t)(c->geo + (row->geo && error < p->limits[0]));
    }
}

static void mean_map(const float *const *rows, uint32_t members, size_t cells, float *out)
{
    memset(out, 0, cells * sizeof *out);
    for (uint32_t left = members; left; left &= left - 1)
        for (size_t i = 0; i < cells; i++)
            out[i] += rows[__builtin_ctz(left)][i];
    for (size_t i = 0; i < cells; i++)
        out[i] /= (float)__builtin_popcount(members);
}

/* The map goes where the sums were, which are done with. */
static void show(struct work *w, const struct c_group *g, const struct c_planned *p, const struct c_row *row,
                 const float *const *rows)
{
    const struct c_job *job = w->plan->job;
    struct c_seen s = { .pair = p->pair,
                        .point = row->point,
                        .geo = row->geo,
                        .grid = g->grid,
                        .map = w->sums,
                        .source = row->source,
                        .target = row->target,
                        .limits = p->limits };
    pthread_mutex_lock(&w->shared->lock);
    for (size_t i = 0; i < g->n_steps; i++) {
        if (g->steps[i].subset == C_NO_SUBSET)
            continue;
        s.subset = (size_t)g->steps[i].subset;
        s.predicted = w->found[s.subset];
        s.error = c_frame_distance(s.predicted, s.target);
        mean_map(rows, job->subsets[s.subset], (size_t)g->grid * (size_t)g->grid, w->sums);
        job->seen(job->seen_arg, &s);
    }
    pthread_mutex_unlock(&w->shared->lock);
}

static void match_point(struct work *w, size_t group, const struct c_planned *p, size_t row)
{
    const struct c_group *g = &w->plan->order->groups[group];
    const float *rows[C_ENCODERS_MAX] = { NULL };
    for (size_t k = 0; k < w->plan->job->n_sources; k++)
        if (g->encoders >> k & 1)
            rows[k] = w->maps[k] + row * c_row_size(g->grid);
    c_subsets_match(g, &w->plan->matches[group], rows, w->sums, w->found);
    judge(w, g, p, &w->points[row]);
    if (w->plan->job->seen)
        show(w, g, p, &w->points[row], rows);
}

static void match_pairs(struct work *w, const struct c_block *b, size_t group)
{
    const struct c_group *g = &w->plan->order->groups[group];
    size_t row = 0;
    for (size_t i = b->first; i < b->first + b->count; i++) {
        const struct c_planned *p = &w->plan->pairs[i];
        memset(w->counts, 0, w->plan->job->n_subsets * sizeof *w->counts);
        for (size_t k = 0; k < p->points; k++)
            match_point(w, group, p, row++);
        for (size_t k = 0; k < g->n_steps; k++)
            if (g->steps[k].subset != C_NO_SUBSET) {
                size_t subset = (size_t)g->steps[k].subset;
                c_tally_add(w->tally, subset, p->category, p->points, (size_t)__builtin_popcount(p->geo),
                            &w->counts[subset]);
            }
    }
}

static int run_block(struct work *w, const struct c_block *b)
{
    const struct c_order *o = w->plan->order;
    place_points(w->plan, b, w->points);
    for (size_t g = 0; g < o->n_groups; g++) {
        for (size_t k = 0; k < w->plan->job->n_sources; k++)
            if (o->groups[g].encoders >> k & 1)
                TRY(similarities(w, b, k, o->groups[g].grid));
        match_pairs(w, b, g);
    }
    return 0;
}

/* ---- threads --------------------------------------------------------------------------------------------------------
 */

static int report(struct shared *s, size_t pairs, struct err *e)
{
    const struct c_job *job = s->plan->job;
    pthread_mutex_lock(&s->lock);
    s->pairs_done += pairs;
    int rc = job->progress && !s->stop ? job->progress(job->progress_arg, s->pairs_done, s->plan->n_pairs, e) : 0;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* The first error of all threads ends the run. */
static void fail(struct shared *s, const struct err *why)
{
    pthread_mutex_lock(&s->lock);
    if (!s->stop && s->e)
        *s->e = *why;
    s->stop = true;
    pthread_mutex_unlock(&s->lock);
}

static void *work_blocks(void *arg)
{
    struct work *w = arg;
    struct shared *s = w->shared;
    for (size_t b; !s->stop && (b = s->next++) < s->plan->n_blocks;)
        if (run_block(w, &s->plan->blocks[b]) < 0 || report(s, s->plan->blocks[b].count, &w->e) < 0)
            fail(s, &w->e);
    return NULL;
}

static void work_destroy(struct work *w)
{
    if (!w)
        return;
    free(w->tokens);
    free(w->rows);
    free(w->sums);
    for (size_t k = 0; k < C_ENCODERS_MAX; k++)
        free(w->maps[k]);
    free(w->cells);
    free(w->points);
    free(w->found);
    free(w->counts);
    c_tally_destroy(w->tally);
    free(w);
}

static struct work *work_create(struct shared *s)
{
    const struct c_plan *p = s->plan;
    const struct c_size *z = &p->size;
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->shared = s;
    w->plan = p;
    bool full = !(w->tokens = malloc(z->tokens * sizeof *w->tokens)) ||
                !(w->rows = malloc(z->max_rows * z->width * sizeof *w->rows)) ||
                !(w->sums = malloc(z->sums * sizeof *w->sums)) ||
                !(w->cells = malloc(z->max_rows * sizeof *w->cells)) ||
                !(w->points = malloc(z->max_rows * sizeof *w->points)) ||
                !(w->found = malloc(p->job->n_subsets * sizeof *w->found)) ||
                !(w->counts = malloc(p->job->n_subsets * sizeof *w->counts)) ||
                !(w->tally = c_tally_create(p->job->n_subsets, p->job->set->n_categories, p->job->setting.n_alphas));
    for (size_t k = 0; k < p->job->n_sources && !full; k++)
        full = z->row[k] && !(w->maps[k] = malloc(z->max_rows * z->row[k] * sizeof(float)));
    if (!full)
        return w;
    work_destroy(w);
    return NULL;
}

static int run_threads(struct shared *s, struct work **works, int n, struct err *e)
{
    pthread_t threads[C_THREADS_MAX];
    int started = 1;
    for (int i = 0; i < n; i++)
        if (!(works[i] = work_create(s)))
            return FAIL_NOMEM(e);
    /* A machine that has no more threads computes with those it has. */
    while (started < n && pthread_create(&threads[started], NULL, work_blocks, works[started]) == 0)
        started++;
    work_blocks(works[0]);
    for (int i = 1; i < started; i++)
        pthread_join(threads[i], NULL);
    return s->stop ? -1 : 0;
}

/* ---- scores ---------------------------------------------------------------------------------------------------------
 */

static int describe(struct c_scores *s, const struct c_plan *p, struct err *e)
{
    size_t n = p->job->set->n_categories;
    s->n_categories = n;
    s->n_subsets = p->job->n_subsets;
    s->pairs = arena_array(&s->memory, n + 1, sizeof *s->pairs);
    s->grids = arena_array(&s->memory, s->n_subsets, sizeof *s->grids);
    if (!s->pairs || !s->grids)
        return FAIL_NOMEM(e);
    memcpy(s->grids, p->order->grids, s->n_subsets * sizeof *s->grids);
    for (size_t i = 0; i < p->n_pairs; i++) {
        s->pairs[p->pairs[i].category]++;
        s->geo_pairs += p->pairs[i].geo != 0;
    }
    if (!(s->position = c_position_tally(p)))
        return FAIL_NOMEM(e);
    s->all_pairs = p->n_pairs;
    s->plan = (struct c_plan_size){ p->size.bytes, p->size.max_rows, p->size.threads };
    return 0;
}

static int compute(const struct c_plan *p, struct c_scores *scores, struct err *e)
{
    struct shared s = { .plan = p, .e = e };
    struct work *works[C_THREADS_MAX] = { NULL };
    pthread_mutex_init(&s.lock, NULL);
    int rc = run_threads(&s, works, p->size.threads, e);
    for (int i = 1; i < p->size.threads && rc == 0; i++)
        c_tally_merge(works[0]->tally, works[i]->tally);
    if (rc == 0)
        scores->tally = TAKE(works[0]->tally);
    for (int i = 0; i < p->size.threads; i++)
        work_destroy(works[i]);
    pthread_mutex_destroy(&s.lock);
    return rc;
}

struct c_scores *c_run(const struct c_job *job, struct err *e)
{
    AUTO(c_plan_destroy) struct c_plan *p = c_plan_create(job, e);
    AUTO(c_scores_destroy) struct c_scores *s = p ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return describe(s, p, e) < 0 || compute(p, s, e) < 0 ? NULL : TAKE(s);
}

void c_scores_destroy(struct c_scores *s)
{
    if (!s)
        return;
    c_tally_destroy(s->tally);
    c_tally_destroy(s->position);
    arena_free(&s->memory);
    free(s);
}

size_t c_scores_pairs(const struct c_scores *s, size_t category)
{
    return category == C_ALL ? s->all_pairs : s->pairs[category];
}

double c_scores_pck(const struct c_scores *s, size_t subset, size_t category, size_t alpha)
{
    return c_tally_mean(s->tally, subset, category, alpha, c_scores_pairs(s, category));
}

double c_scores_geo(const struct c_scores *s, size_t subset)
{
    return c_tally_geo(s->tally, subset, s->geo_pairs);
}

double c_scores_position(const struct c_scores *s, size_t category, size_t alpha)
{
    return c_tally_mean(s->position, 0, category, alpha, c_scores_pairs(s, category));
}

int c_scores_grid(const struct c_scores *s, size_t subset)
{
    return s->grids[subset];
}

struct c_plan_size c_scores_plan(const struct c_scores *s)
{
    return s->plan;
}
