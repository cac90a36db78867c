#include "worker/score/c_position.h"

static struct c_point same_place(const struct c_planned *p, const struct spair_pair *pair, int point)
{
    double x = pair->source.image->x[point] / pair->source.width, y = pair->source.image->y[point] / pair->source.height;
    return c_frame_point(&p->target, x * pair->target.width, y * pair->target.height);
}

static struct c_counts count(const struct c_plan *plan, const struct c_planned *p)
{
    const struct spair_pair *pair = &plan->job->set->pairs[p->pair];
    struct c_counts out = { { 0 }, 0 };
    for (uint32_t left = pair->points; left; left &= left - 1) {
        int k = __builtin_ctz(left);
        struct c_point target = c_frame_point(&p->target, pair->target.image->x[k], pair->target.image->y[k]);
        double error = (double)c_frame_distance(same_place(p, pair, k), target);
        for (size_t a = 0; a < plan->job->setting.n_alphas; a++)
            out.correct[a] = (uint8_t)(out.correct[a] + (error < p->limits[a]));
    }
    return out;
}

struct c_tally *c_position_tally(const struct c_plan *p)
{
    struct c_tally *t = c_tally_create(1, p->job->set->n_categories, p->job->setting.n_alphas);
    for (size_t i = 0; t && i < p->n_pairs; i++) {
        const struct c_planned *pair = &p->pairs[i];
        struct c_counts counts = count(p, pair);
        c_tally_add(t, 0, pair->category, pair->points, 0, &counts);
    }
    return t;
}
