/* score_c, native: the correspondence score of one representation on one set of key-point pairs.
 *
 *     identity   {"representation": {"target_grid"}, "correspondence_set": {"split"}, "setting": {"alpha", "geometry",
 *                 "arith", "annotation_size", "window", "temperature"}}
 *     execution  {"names": {"members": [{"encoder"}...], "image_set"}, "pictures": {"pairs", "thumbnails"}}
 *     inputs     features:MEMBER:SHARD
 *     metrics    c (PCK at alpha), pck_0.10, pck_0.05, pck_0.01, geo, pairs, category:NAME (PCK at alpha)
 *     artifacts  pictures, thumbnails: see native_pictures.h */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/exec/native_features.h"
#include "worker/exec/native_pictures.h"
#include "worker/score/c_score.h"

#define MEMBERS_MAX 32

struct call {
    struct c_setting setting;
    const char *split;
    size_t n_members;
};

static int read_setting(const struct exec_task *t, struct call *c, struct err *e)
{
    struct c_setting *s = &c->setting;
    const char *geometry, *arith;
    int64_t side, window, grid;
    double alpha;
    *s = c_setting_default();
    TRY(native_text(t->identity, "setting.geometry", NULL, &geometry, e));
    TRY(native_text(t->identity, "setting.arith", NULL, &arith, e));
    TRY(native_int(t->identity, "setting.annotation_size", NULL, &side, e));
    TRY(native_int(t->identity, "setting.window", NULL, &window, e));
    TRY(native_int(t->identity, "representation.target_grid", NULL, &grid, e));
    TRY(native_real(t->identity, "setting.temperature", &s->temperature, e));
    TRY(native_real(t->identity, "setting.alpha", &alpha, e));
    TRY(c_geometry_parse(geometry, &s->geometry, e));
    TRY(c_arith_parse(arith, &s->arith, e));
    s->side = (int)side;
    s->window = (int)window;
    s->grid = (int)grid;
    for (size_t i = 0; i < s->n_alphas; i++) /* the one that counts comes first */
        if (s->alphas[i] == alpha) {
            s->alphas[i] = s->alphas[0];
            s->alphas[0] = alpha;
        }
    if (s->alphas[0] != alpha) {
        memmove(&s->alphas[1], &s->alphas[0], s->n_alphas * sizeof *s->alphas);
        s->alphas[0] = alpha;
        s->n_alphas++;
    }
    return c_setting_check(s, e);
}

static int read_call(const struct exec_task *t, struct call *c, struct err *e)
{
    TRY(read_setting(t, c, e));
    TRY(native_text(t->identity, "correspondence_set.split", NULL, &c->split, e));
    c->n_members = json_array_size(json_object_get(json_object_get(t->execution, "names"), "members"));
    if (c->n_members < 1 || c->n_members > MEMBERS_MAX)
        return FAIL(e, ERR_INPUT, "a representation of %zu encoders; 1 to %d can be scored", c->n_members, MEMBERS_MAX);
    return 0;
}

static int check(const struct exec_task *t, struct err *e)
{
    struct call c;
    return read_call(t, &c, e);
}

static int report(void *arg, size_t done, size_t pairs, struct err *e)
{
    return native_progress(arg, "pairs", done, pairs, e);
}

/* ---- metrics
 * --------------------------------------------------------------------------------------------------------- */

static int add_categories(const struct spair *set, const struct c_scores *scores, struct exec_result *r, struct err *e)
{
    for (size_t i = 0; i < set->n_categories; i++) {
        char name[128];
        if (!c_scores_pairs(scores, i))
            continue;
        snprintf(name, sizeof name, "category:%.100s", set->categories[i].name);
        TRY(exec_result_metric(r, name, c_scores_pck(scores, 0, i, 0), e));
    }
    return 0;
}

static int add_metrics(const struct call *c, const struct spair *set, const struct c_scores *scores,
                       struct exec_result *r, struct err *e)
{
    double geo = c_scores_geo(scores, 0);
    TRY(exec_result_metric(r, "c", c_scores_pck(scores, 0, C_ALL, 0), e));
    for (size_t i = 0; i < c->setting.n_alphas; i++) {
        char alpha[16], name[32];
        snprintf(name, sizeof name, "pck_%s", c_alpha_name(c->setting.alphas[i], alpha));
        TRY(exec_result_metric(r, name, c_scores_pck(scores, 0, C_ALL, i), e));
    }
    if (!isnan(geo))
        TRY(exec_result_metric(r, "geo", geo, e));
    TRY(exec_result_metric(r, "pairs", (double)c_scores_pairs(scores, C_ALL), e));
    return add_categories(set, scores, r, e);
}

/* ---- the run
 * --------------------------------------------------------------------------------------------------------- */

struct members {
    struct native_features *features[MEMBERS_MAX];
    struct c_source sources[MEMBERS_MAX];
};

static void members_close_cleanup(struct members *m)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        native_features_close(m->features[i]);
}

static int open_members(struct members *m, const struct exec_task *t, size_t n, const struct spair *set, struct err *e)
{
    json_t *names = json_object_get(json_object_get(t->execution, "names"), "members");
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(names, i), "encoder"));
        m->features[i] = native_features_open(t, i, name ? name : "?", set, &m->sources[i], e);
        if (!m->features[i])
            return -1;
    }
    return 0;
}

static int run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    struct call c;
    AUTO(members_close) struct members m = { 0 };
    TRY(read_call(t, &c, e));
    const char *root = native_path(t, "image_set", e);
    AUTO(spair_destroy) struct spair *set = root ? spair_load(root, c.split, e) : NULL;
    if (!set || open_members(&m, t, c.n_members, set, e) < 0)
        return -1;
    const uint32_t all = c.n_members == 32 ? UINT32_MAX : (UINT32_C(1) << c.n_members) - 1;
    struct c_job job = { .set = set,
                         .sources = m.sources,
                         .n_sources = c.n_members,
                         .subsets = &all,
                         .n_subsets = 1,
                         .setting = c.setting,
                         .threads = t->spec->resources && t->spec->resources->cpus ? (int)t->spec->resources->cpus : 1,
                         .memory = C_MEMORY_DEFAULT,
                         .progress = report,
                         .progress_arg = (void *)t };
    AUTO(c_scores_destroy) struct c_scores *scores = c_run(&job, e);
    if (!scores)
        return -1;
    TRY(add_metrics(&c, set, scores, r, e));
    AUTO(native_pictures_destroy) struct native_pictures *pictures = native_pictures_make(t, &job, root);
    native_pictures_add(pictures, t, 0, r);
    r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    return 0;
}

const struct native_kind native_score_c = { "score_c", check, run };
