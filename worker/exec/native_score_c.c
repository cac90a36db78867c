/* score_c, native: the correspondence score of a representation on a set of key-point pairs; of many in one pass when
 * they come as a bundle (native_passes.h).
 *
 *     identity   {"representation": {"target_grid"}, "correspondence_set": {"split"}, "setting": {"alpha", "geometry",
 *                 "arith", "annotation_size", "window", "temperature", and "grid" where it is "finest"}}
 *     execution  {"names": {"members": [{"encoder"}...], "image_set"}, "pictures": {"pairs", "thumbnails"}}
 *     inputs     features:MEMBER:SHARD
 *     metrics    c (PCK at alpha), pck_0.10, pck_0.05, pck_0.01, geo, pairs, category:NAME (PCK at alpha); position_c,
 *                position_pck_0.10, ...: the same of the position alone, equal for all representations
 *     artifacts  pictures, thumbnails: see native_pictures.h */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/exec/native_features.h"
#include "worker/exec/native_passes.h"
#include "worker/exec/native_pictures.h"
#include "worker/score/c_score.h"

struct call {
    struct c_setting setting;
    const char *split;
};

static int read_setting(const struct exec_task *t, struct call *c, struct err *e)
{
    struct c_setting *s = &c->setting;
    const char *geometry, *arith, *tokens;
    int64_t side, window, grid;
    double alpha;
    *s = c_setting_default();
    TRY(native_text(t->identity, "setting.geometry", NULL, &geometry, e));
    TRY(native_text(t->identity, "setting.arith", NULL, &arith, e));
    TRY(native_int(t->identity, "setting.annotation_size", NULL, &side, e));
    TRY(native_int(t->identity, "setting.window", NULL, &window, e));
    TRY(native_text(t->identity, "setting.grid", "representation", &tokens, e));
    TRY(native_int(t->identity, "representation.target_grid", NULL, &grid, e));
    TRY(native_real(t->identity, "setting.temperature", &s->temperature, e));
    TRY(native_real(t->identity, "setting.alpha", &alpha, e));
    TRY(c_geometry_parse(geometry, &s->geometry, e));
    TRY(c_arith_parse(arith, &s->arith, e));
    bool finest = strcmp(tokens, "finest") == 0;
    if (!finest && strcmp(tokens, "representation") != 0)
        return FAIL(e, ERR_INPUT, "setting.grid '%.40s' is neither representation nor finest", tokens);
    s->side = (int)side;
    s->window = (int)window;
    s->grid = finest ? 0 : (int)grid;
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
    return native_text(t->identity, "correspondence_set.split", NULL, &c->split, e);
}

static int check(const struct exec_task *t, struct err *e)
{
    struct call c;
    struct native_item item;
    TRY(native_item_read(&item, t, e));
    return read_call(t, &c, e);
}

static int report(void *arg, size_t done, size_t pairs, struct err *e)
{
    return native_progress(arg, "pairs", done, pairs, e);
}

/* ---- metrics
 * --------------------------------------------------------------------------------------------------------- */

static int add_categories(const struct spair *set, const struct c_scores *scores, size_t subset, struct exec_result *r,
                          struct err *e)
{
    for (size_t i = 0; i < set->n_categories; i++) {
        char name[128];
        if (!c_scores_pairs(scores, i))
            continue;
        snprintf(name, sizeof name, "category:%.100s", set->categories[i].name);
        TRY(exec_result_metric(r, name, c_scores_pck(scores, subset, i, 0), e));
    }
    return 0;
}

static int add_metrics(const struct call *c, const struct spair *set, const struct c_scores *scores, size_t subset,
                       struct exec_result *r, struct err *e)
{
    double geo = c_scores_geo(scores, subset);
    TRY(exec_result_metric(r, "c", c_scores_pck(scores, subset, C_ALL, 0), e));
    TRY(exec_result_metric(r, "position_c", c_scores_position(scores, C_ALL, 0), e));
    for (size_t i = 0; i < c->setting.n_alphas; i++) {
        char alpha[16], name[32];
        c_alpha_name(c->setting.alphas[i], alpha);
        snprintf(name, sizeof name, "pck_%s", alpha);
        TRY(exec_result_metric(r, name, c_scores_pck(scores, subset, C_ALL, i), e));
        snprintf(name, sizeof name, "position_pck_%s", alpha);
        TRY(exec_result_metric(r, name, c_scores_position(scores, C_ALL, i), e));
    }
    if (!isnan(geo))
        TRY(exec_result_metric(r, "geo", geo, e));
    TRY(exec_result_metric(r, "pairs", (double)c_scores_pairs(scores, C_ALL), e));
    return add_categories(set, scores, subset, r, e);
}

/* ---- one pass ------------------------------------------------------------------------------------------------------
 */

struct sources {
    struct native_features *features[C_ENCODERS_MAX];
    struct c_source list[C_ENCODERS_MAX];
};

static void sources_close_cleanup(struct sources *s)
{
    for (size_t i = 0; i < C_ENCODERS_MAX; i++)
        native_features_close(s->features[i]);
}

static int open_source(struct sources *s, const struct native_pass *p, size_t k, const struct call *c,
                       const struct spair *set, struct err *e)
{
    const size_t at = p->place[k];
    size_t member;
    const struct exec_task *t = native_pass_member(p, k, &member)->t;
    json_t *names = json_object_get(json_object_get(t->execution, "names"), "members");
    const char *name = json_string_value(json_object_get(json_array_get(names, member), "encoder"));
    s->features[at] = native_features_open(t, member, name ? name : "?", set, &s->list[at], e);
    return s->features[at] ? c_sources_check(&s->list[at], 1, c->setting.arith, e) : -1;
}

static int open_sources(struct sources *s, struct native_pass *p, const struct call *c, const struct spair *set,
                        struct err *e)
{
    for (size_t k = 0; k < p->all.n; k++)
        if (open_source(s, p, k, c, set, e) < 0) {
            p->bad = k;
            return -1;
        }
    return 0;
}

/* Everything about the pass but its representations is the same for all, so the first one speaks for them. */
static int score(struct native_pass *p, struct err *e)
{
    const struct exec_task *t = p->items[0]->t;
    struct call c;
    AUTO(sources_close) struct sources s = { 0 };
    p->bad = C_ENCODERS_MAX;
    TRY(read_call(t, &c, e));
    const char *root = native_path(t, "image_set", e);
    AUTO(spair_destroy) struct spair *set = root ? spair_load(root, c.split, e) : NULL;
    if (!set || open_sources(&s, p, &c, set, e) < 0)
        return -1;
    log_info("score_c.pass", KV_I64("representations", p->n), KV_I64("encoders", p->all.n),
             KV_I64("pairs", set->n_pairs));
    struct c_job job = { .set = set,
                         .sources = s.list,
                         .n_sources = p->all.n,
                         .subsets = p->subsets,
                         .n_subsets = p->n_subsets,
                         .setting = c.setting,
                         .threads = t->spec->resources && t->spec->resources->cpus ? (int)t->spec->resources->cpus : 1,
                         .memory = C_MEMORY_DEFAULT,
                         .progress = report,
                         .progress_arg = (void *)t };
    AUTO(c_scores_destroy) struct c_scores *scores = c_run(&job, e);
    if (!scores)
        return -1;
    AUTO(native_pictures_destroy) struct native_pictures *pictures = native_pictures_make(t, &job, root);
    for (size_t i = 0; i < p->n; i++) {
        const struct native_item *x = p->items[i];
        TRY(add_metrics(&c, set, scores, x->subset, x->r, e));
        native_pictures_add(pictures, x->t, x->subset, x->r);
        x->r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    }
    return 0;
}

static int run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    return native_pass_alone(t, r, score, e);
}

static int run_bundle(struct exec_bundle *b, struct err *e)
{
    return native_passes_run(b, score, e);
}

const struct native_kind native_score_c = { "score_c", check, run, run_bundle };
