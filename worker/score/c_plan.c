#include "worker/score/c_plan.h"

#include <math.h>
#include <string.h>

#define ROWS_MOST 256 /* more points at once make nothing faster */
#define ROWS_LEAST SPAIR_POINTS

struct c_setting c_setting_default(void)
{
    return (struct c_setting){
        .side = 840, .window = 5, .temperature = 0.02, .alphas = { 0.1, 0.05, 0.01 }, .n_alphas = 3
    };
}

int c_setting_check(const struct c_setting *s, struct err *e)
{
    if (s->grid < 0 || s->grid > C_GRID_MAX)
        return FAIL(e, ERR_INPUT, "the grid %d is not within 1 to %d", s->grid, C_GRID_MAX);
    if (s->side < 1 || s->side > 65536)
        return FAIL(e, ERR_INPUT, "the annotation size %d is not within 1 to 65536", s->side);
    if (s->window < 0)
        return FAIL(e, ERR_INPUT, "the window %d is below 0", s->window);
    if (!(s->temperature >= 1e-6 && s->temperature <= 100))
        return FAIL(e, ERR_INPUT, "the temperature %g is not within 1e-6 to 100", s->temperature);
    if (s->n_alphas < 1 || s->n_alphas > C_ALPHAS_MAX)
        return FAIL(e, ERR_INPUT, "%zu alphas; 1 to %d are wanted", s->n_alphas, C_ALPHAS_MAX);
    for (size_t i = 0; i < s->n_alphas; i++)
        if (!(s->alphas[i] > 0 && s->alphas[i] <= 10))
            return FAIL(e, ERR_INPUT, "the alpha %g is not within 0 to 10", s->alphas[i]);
    return 0;
}

/* ---- pairs ----------------------------------------------------------------------------------------------------------
 */

static int by_path(const void *path, const void *image)
{
    return strcmp(path, (*(const struct spair_image *const *)image)->path);
}

static size_t index_of(const struct spair *s, const struct spair_image *image)
{
    const struct spair_image *const *at =
        bsearch(image->path, s->images, s->n_images, sizeof(struct spair_image *), by_path);
    return (size_t)(at - s->images);
}

static uint32_t geo_points(const struct spair_pair *p)
{
    size_t n;
    const uint32_t *groups = spair_symmetric(p->category, &n);
    uint32_t geo = 0;
    for (size_t i = 0; i < n; i++)
        if (__builtin_popcount(groups[i] & p->target.image->points) >= 2)
            geo |= groups[i] & p->points;
    return geo;
}

/* alpha is float32 in the released code, and is multiplied in double. */
static struct c_planned plan_pair(const struct c_job *job, size_t pair, size_t category)
{
    const struct spair_pair *p = &job->set->pairs[pair];
    const struct c_setting *s = &job->setting;
    struct c_planned out = { .pair = pair, .category = category, .geo = geo_points(p) };
    out.source_image = index_of(job->set, p->source.image);
    out.target_image = index_of(job->set, p->target.image);
    out.points = (size_t)__builtin_popcount(p->points);
    out.source = c_frame_make(s->geometry, s->side, p->source.width, p->source.height);
    out.target = c_frame_make(s->geometry, s->side, p->target.width, p->target.height);
    for (size_t i = 0; i < s->n_alphas; i++)
        out.limits[i] = (double)(float)s->alphas[i] * c_frame_size(&out.target, p->target.box);
    return out;
}

static int by_target(const void *x, const void *y)
{
    const struct c_planned *a = x, *b = y;
    if (a->target_image != b->target_image)
        return a->target_image < b->target_image ? -1 : 1;
    return a->pair < b->pair ? -1 : a->pair > b->pair;
}

static size_t category_of(const struct spair *s, size_t pair)
{
    size_t c = 0;
    while (pair >= s->categories[c].first + s->categories[c].count)
        c++;
    return c;
}

static int plan_pairs(struct c_plan *p, struct err *e)
{
    const struct c_job *job = p->job;
    size_t n = job->pairs ? job->n_pairs : job->set->n_pairs;
    p->pairs = arena_array(&p->memory, n + 1, sizeof *p->pairs);
    if (!p->pairs)
        return FAIL_NOMEM(e);
    if (!n || n > C_PAIRS_MAX)
        return FAIL(e, ERR_INPUT, "%zu pairs; 1 to %zu can be scored", n, C_PAIRS_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t pair = job->pairs ? job->pairs[i] : i;
        if (pair >= job->set->n_pairs || !job->set->pairs[pair].points)
            return FAIL(e, ERR_INPUT, "pair %zu is not there, or has no point in both pictures", pair);
        p->pairs[p->n_pairs++] = plan_pair(job, pair, category_of(job->set, pair));
    }
    qsort(p->pairs, p->n_pairs, sizeof *p->pairs, by_target);
    return 0;
}

static int plan_blocks(struct c_plan *p, struct err *e)
{
    p->blocks = arena_array(&p->memory, p->n_pairs, sizeof *p->blocks);
    if (!p->blocks)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < p->n_pairs; i++) {
        const struct c_planned *pair = &p->pairs[i];
        struct c_block *b = p->n_blocks ? &p->blocks[p->n_blocks - 1] : NULL;
        if (!b || b->target_image != pair->target_image || b->rows + pair->points > p->size.max_rows) {
            b = &p->blocks[p->n_blocks++];
            *b = (struct c_block){ .first = i, .target_image = pair->target_image };
        }
        b->count++;
        b->rows += pair->points;
    }
    return 0;
}

/* ---- memory ---------------------------------------------------------------------------------------------------------
 */

static void measure(const struct c_plan *p, struct c_size *z)
{
    for (size_t g = 0; g < p->order->n_groups; g++) {
        const struct c_group *group = &p->order->groups[g];
        size_t cells = (size_t)group->grid * (size_t)group->grid, row = c_row_size(group->grid);
        size_t sums = row * (size_t)group->depth;
        z->sums = sums > z->sums ? sums : z->sums;
        for (size_t k = 0; k < p->job->n_sources; k++) {
            size_t width = c_padded((size_t)p->job->sources[k].shape.channels);
            if (!(group->encoders >> k & 1))
                continue;
            z->row[k] = row > z->row[k] ? row : z->row[k];
            z->width = width > z->width ? width : z->width;
            z->tokens = cells * width > z->tokens ? cells * width : z->tokens;
        }
    }
}

static size_t bytes_of(const struct c_plan *p, const struct c_size *z, size_t rows)
{
    const struct c_job *job = p->job;
    size_t row = z->width * sizeof(float) + sizeof(int) + sizeof(struct c_row);
    for (size_t k = 0; k < job->n_sources; k++)
        row += z->row[k] * sizeof(float);
    return (z->tokens + z->sums) * sizeof(float) + rows * row +
           job->n_subsets * (sizeof(struct c_point) + sizeof(struct c_counts)) +
           c_tally_bytes(job->n_subsets, job->set->n_categories, job->setting.n_alphas);
}

static int fit(const struct c_plan *p, struct c_size *z, struct err *e)
{
    int threads = p->job->threads > 0 ? p->job->threads : 1;
    size_t memory = p->job->memory ? p->job->memory : SIZE_MAX, least = bytes_of(p, z, ROWS_LEAST);
    if (least > memory)
        return FAIL(e, ERR_INPUT, "the C score of these features needs %zu MiB; its budget is %zu MiB",
                    (least >> 20) + 1, memory >> 20);
    z->threads = threads < C_THREADS_MAX ? threads : C_THREADS_MAX;
    if ((size_t)z->threads > memory / least)
        z->threads = (int)(memory / least);
    size_t share = memory / (size_t)z->threads;
    for (z->max_rows = ROWS_MOST; z->max_rows > ROWS_LEAST && bytes_of(p, z, z->max_rows) > share;)
        z->max_rows--;
    z->bytes = (size_t)z->threads * bytes_of(p, z, z->max_rows);
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------
 */

static int plan_order(struct c_plan *p, struct err *e)
{
    const struct c_job *job = p->job;
    const struct c_setting *s = &job->setting;
    struct c_shape shapes[C_ENCODERS_MAX];
    for (size_t k = 0; k < job->n_sources && k < C_ENCODERS_MAX; k++)
        shapes[k] = job->sources[k].shape;
    p->order = c_order_create(job->subsets, job->n_subsets, shapes, job->n_sources, s->grid, s->arith, e);
    if (!p->order)
        return -1;
    p->matches = arena_array(&p->memory, p->order->n_groups, sizeof *p->matches);
    if (!p->matches)
        return FAIL_NOMEM(e);
    for (size_t g = 0; g < p->order->n_groups; g++)
        p->matches[g] = c_match_make(p->order->groups[g].grid, s->side, s->window, s->temperature);
    return 0;
}

struct c_plan *c_plan_create(const struct c_job *job, struct err *e)
{
    AUTO(c_plan_destroy) struct c_plan *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    p->job = job;
    if (c_setting_check(&job->setting, e) < 0 ||
        c_sources_check(job->sources, job->n_sources, job->setting.arith, e) < 0 || plan_order(p, e) < 0 ||
        plan_pairs(p, e) < 0)
        return NULL;
    measure(p, &p->size);
    return fit(p, &p->size, e) < 0 || plan_blocks(p, e) < 0 ? NULL : TAKE(p);
}

void c_plan_destroy(struct c_plan *p)
{
    if (!p)
        return;
    c_order_destroy(p->order);
    arena_free(&p->memory);
    free(p);
}
