/* The task graph of a sweep with its identities.
 *
 *     extract (encoder x shard of a correspondence set's images) -> score_c (representation x correspondence set)
 *     stage1 (representation) -> score_a (representation x benchmark; also the references' stage1)
 *     stage1 -> stage2 (representation) -> evaluate (representation x benchmark)      deferred: the policy chooses
 *     extract (encoder x shard of a training or benchmark set) -> stage1, stage2, evaluate
 *         only where plan_features keeps them; these inputs are waited for, and are no part of an identity
 *
 * Floors have the same tasks, but for stage2 and evaluate without representations.fine_tune_floors.
 *
 * With stage1.screening_samples the connectors behind the scores are other, cheaper ones, and a chosen representation trains
 * its own. With policy.screen = small_first the scores of large combinations are on demand.
 */
#include <math.h>
#include <string.h>

#include "coordinator/plan_draft.h"

#define MAX_TASKS 2000000u  /* about 0.4 kB each for load tasks, 2 kB for real ones */
#define MAX_INPUTS 8000000u
#define MAX_TASK_INPUTS 100000u
#define MAX_SHARDS 1000000
#define FLOOR_PRIORITY (-2000) /* below all that a config may ask for */
#define THUMBNAILS_FROM 4 /* representations: one may fail, or have been scored without */

struct graph_make {
    struct plan_build *b;
    size_t *stage1;   /* task of a representation: the connector that its A score looks at */
};

static int64_t shards_of(const struct plan_build *b, size_t image_set)
{
    int64_t images = b->p->image_sets[image_set].images, per = b->s->features.images_per_shard;
    return images > 0 ? (images - 1) / per + 1 : 1;
}

static json_t *names_of(const struct plan_build *b, size_t representation)
{
    const struct plan_representation *r = &b->p->representations[representation];
    json_t *members = json_array();
    for (size_t i = 0; i < r->n_members; i++) {
        const struct plan_encoder *en = &b->p->encoders[r->members[i]];
        json_array_append_new(members, json_pack("{s:s,s:s,s:i,s:i}", "encoder", en->name, "checkpoint",
                                                 b->p->checkpoints[en->checkpoint].name, "grid", en->grid, "channels",
                                                 en->channels));
    }
    return json_pack("{s:s,s:o}", "representation", r->name, "members", members);
}

/* ---- extract and score_c -------------------------------------------------------------------------------------------- */

/* How pictures are brought to the encoder's square. For the C score, the released code normalises every encoder's
 * pixels alike; else they are normalised as the encoder wants it. */
static void describe_geometry(const struct plan_build *b, struct draft *d, const struct plan_feature *f)
{
    int geometry = b->s->scores.c.geometry;
    draft_put(d->identity, "geometry", json_string(f->for_training ? "own" : geometry == 0 ? "letterbox" : "stretch"));
    draft_put(d->identity, "pixels", json_string(!f->for_training && geometry == 1 ? "half" : "own"));
    draft_put(d->identity, "layer", json_integer(f->for_training ? f->layer : b->s->scores.c.layer));
}

static int add_extract(struct graph_make *g, const struct plan_feature *f, int64_t shard, struct err *e)
{
    struct plan_build *b = g->b;
    const struct plan_encoder *en = &b->p->encoders[f->encoder];
    const struct plan_image_set *set = &b->p->image_sets[f->image_set];
    int64_t per = b->s->features.images_per_shard, left = set->images - shard * per;
    int64_t count = set->images > 0 ? (left < per ? left : per) : 0;
    struct draft d = draft_start(KIND_EXTRACT);
    struct plan_task *t;
    snprintf(d.label, sizeof d.label, "extract %s %s %lld%s", en->name, set->name, (long long)shard,
             f->for_training ? " for training" : "");
    draft_put(d.identity, "encoder", json_incref(b->encoders[f->encoder]));
    draft_put(d.identity, "image_set", plan_image_set_json(set));
    draft_put(d.identity, "images",
              json_pack("{s:I,s:I}", "first", (json_int_t)(shard * per), "count", (json_int_t)count));
    describe_geometry(b, &d, f);
    draft_put(d.identity, "dtype", json_string((const char *const[]){ "bf16", "fp16", "fp32" }[b->s->features.dtype]));
    draft_put(d.execution, "names", json_pack("{s:s,s:s,s:s}", "encoder", en->name, "checkpoint",
                                              b->p->checkpoints[en->checkpoint].name, "image_set", set->name));
    draft_checkpoint(b, &d, en->checkpoint);
    draft_image_set(b, &d, f->image_set);
    int rc = draft_add(b, &d, &t, e);
    draft_free(&d);
    TRY(rc);
    t->encoder = f->encoder;
    t->image_set = f->image_set;
    t->shard = (int)shard;
    t->gpu_seconds = (double)count / plan_feature_rate(b, f->encoder);
    t->on_demand = !f->at_once && f->on_demand;
    t->deferred = !f->at_once && !f->on_demand;
    t->floor = !f->in_space;
    return 0;
}

static int add_extracts(struct graph_make *g, struct err *e)
{
    struct plan *p = g->b->p;
    for (size_t i = 0; i < p->n_features; i++) {
        if (!p->features[i].cached)
            continue;
        p->features[i].first_task = p->n_tasks;
        for (int64_t shard = 0; shard < p->features[i].shards; shard++)
            TRY(add_extract(g, &p->features[i], shard, e));
    }
    return 0;
}

/* Tell a native task which of its members' features are in files, and make it wait for these. */
static int add_caches(struct graph_make *g, struct draft *d, size_t r, size_t set, const struct train_conf *train,
                      int64_t samples, struct err *e)
{
    struct plan_build *b = g->b;
    const struct plan_representation *rep = &b->p->representations[r];
    if (set == PLAN_NONE || plan_executor(b->s, d->kind)->use != USE_NATIVE)
        return 0;
    int64_t images = b->p->image_sets[set].images, per = b->s->features.images_per_shard;
    int64_t shards = ((images < samples ? images : samples) - 1) / per + 1;
    json_t *members = json_array();
    draft_put(d->execution, "features", json_pack("{s:I,s:o}", "images_per_shard", (json_int_t)per, "members", members));
    for (size_t m = 0; m < rep->n_members; m++) {
        const struct plan_feature *f = plan_feature_find(b, rep->members[m], set, true, train->image_aspect == 1,
                                                         (int)train->select_layer);
        bool cached = f && f->first_task != PLAN_NONE;
        json_array_append_new(members, json_pack("{s:b,s:I}", "cached", (int)cached, "shards",
                                                 cached ? (json_int_t)shards : (json_int_t)0));
        for (int64_t shard = 0; cached && shard < shards; shard++) {
            char name[64];
            snprintf(name, sizeof name, PLAN_CACHE_INPUT "%zu:%lld", m, (long long)shard);
            TRY(draft_cache_input(b, d, f->first_task + (size_t)shard, name, e));
        }
    }
    return 0;
}

size_t plan_replay_column(const struct plan_build *b, size_t correspondence_set)
{
    size_t column;
    for (size_t i = 0; i < b->p->n_benchmarks; i++)
        if (b->p->benchmarks[i].correspondence_set == correspondence_set &&
            policy_table_find_benchmark(b->replay, b->p->benchmarks[i].name, &column, NULL) == 0)
            return column;
    return 0;
}

/* `subject` is a benchmark, or the correspondence set of a score_c. */
static int replay_value(const struct plan_build *b, struct draft *d, size_t r, size_t subject, struct err *e)
{
    if (plan_executor(b->s, d->kind)->use != USE_REPLAY)
        return 0;
    size_t row, column;
    TRY(policy_table_find_representation(b->replay, b->p->representations[r].name, &row, e));
    double value;
    if (d->kind == KIND_SCORE_C) {
        value = policy_table_c(b->replay, row, plan_replay_column(b, subject));
    } else {
        TRY(policy_table_find_benchmark(b->replay, b->p->benchmarks[subject].name, &column, e));
        value = d->kind == KIND_SCORE_A ? policy_table_a(b->replay, row, column) : policy_table_perf(b->replay, row, column);
    }
    draft_put(d->identity, "replay", isnan(value) ? json_object() : json_pack("{s:f}", "value", value));
    return 0;
}

/* Every representation leaves its points and maps. The pictures themselves are the same for all: single encoders bring them,
 * and the first few of a space without any. */
static json_t *pictures_wanted(const struct plan_build *b, size_t r)
{
    bool thumbnails = b->p->representations[r].n_members == 1 || r < THUMBNAILS_FROM;
    return json_pack("{s:I,s:b}", "pairs", (json_int_t)b->s->scores.c.pictures, "thumbnails", thumbnails);
}

static int fill_score_c(struct graph_make *g, struct draft *d, size_t r, size_t k, struct err *e)
{
    struct plan_build *b = g->b;
    const struct plan_representation *rep = &b->p->representations[r];
    const struct plan_correspondence_set *cs = &b->p->correspondence_sets[k];
    snprintf(d->label, sizeof d->label, "score_c %s %s", rep->name, cs->name);
    draft_put(d->identity, "representation", json_incref(b->representations[r]));
    draft_put(d->identity, "correspondence_set",
        json_pack("{s:s,s:s,s:o}", "name", cs->name, "split", cs->split, "image_set",
                  plan_image_set_json(&b->p->image_sets[cs->image_set])));
    draft_put(d->identity, "setting", plan_setting_c(b));
    json_t *names = names_of(b, r);
    draft_put(names, "image_set", json_string(b->p->image_sets[cs->image_set].name));
    draft_put(d->execution, "names", names);
    draft_image_set(b, d, cs->image_set);
    if (b->s->scores.c.pictures)
        draft_put(d->execution, "pictures", pictures_wanted(b, r));
    TRY(replay_value(b, d, r, k, e));
    for (size_t m = 0; m < rep->n_members; m++)
        for (int64_t shard = 0; shard < shards_of(b, cs->image_set); shard++) {
            char name[64];
            snprintf(name, sizeof name, "features:%zu:%lld", m, (long long)shard);
            const struct plan_feature *f = plan_feature_find(b, rep->members[m], cs->image_set, false, false, 0);
            TRY(draft_input(b, d, f->first_task + (size_t)shard, name, e));
        }
    return 0;
}

static int add_score_c(struct graph_make *g, size_t r, size_t k, struct err *e)
{
    struct draft d = draft_start(KIND_SCORE_C);
    struct plan_task *t = NULL;
    int rc = fill_score_c(g, &d, r, k, e);
    rc = rc < 0 ? rc : draft_add(g->b, &d, &t, e);
    draft_free(&d);
    TRY(rc);
    t->representation = r;
    t->correspondence_set = k;
    t->score_setting = g->b->setting_c;
    t->gpu_seconds = (double)g->b->p->correspondence_sets[k].pairs / 500; /* similarity maps of a 24 x 24 grid */
    return 0;
}

/* ---- stage1, score_a, stage2, evaluate ------------------------------------------------------------------------------ */

static void describe_training(struct plan_build *b, struct draft *d, const struct conf_table *table,
                              const struct train_conf *train, int64_t samples)
{
    json_t *how = conf_json(table, train, CONF_IDENTITY);
    draft_put(how, "samples", json_integer(samples));
    if (train->tune != 2) { /* not lora: its settings are no part of what is computed */
        json_object_del(how, "lora_rank");
        json_object_del(how, "lora_alpha");
    }
    draft_put(d->identity, "training", how);
    size_t set = plan_image_set_named(b, train->image_set);
    if (set != PLAN_NONE) {
        draft_put(d->identity, "image_set", plan_image_set_json(&b->p->image_sets[set]));
        draft_image_set(b, d, set);
    }
    if (b->llm != PLAN_NONE)
        draft_put(d->identity, "llm", plan_checkpoint_json(&b->p->checkpoints[b->llm]));
}

/* Shared by the two stages and the benchmarks: the representation, and the names that people and programs need. */
static json_t *describe_representation(struct plan_build *b, struct draft *d, size_t r)
{
    draft_put(d->identity, "representation", json_incref(b->representations[r]));
    const struct plan_representation *rep = &b->p->representations[r];
    json_t *names = names_of(b, r);
    if (b->llm != PLAN_NONE) {
        draft_put(names, "llm", json_string(b->p->checkpoints[b->llm].name));
        draft_checkpoint(b, d, b->llm);
    }
    for (size_t i = 0; i < rep->n_members; i++)
        draft_checkpoint(b, d, b->p->encoders[rep->members[i]].checkpoint);
    draft_put(d->execution, "names", names);
    return names;
}

static bool screens(const struct plan_build *b)
{
    return b->p->screening_samples != b->p->stage1_samples;
}

/* How native tasks that look at pictures through a connector must look at them: as it was trained. Its identity says so
 * too, but they read their parameters only. */
static void describe_encoding(struct plan_build *b, struct draft *d, const struct train_conf *train)
{
    static const char *const dtypes[] = { "bf16", "fp16", "fp32" };
    char aspect[32];
    if (plan_executor(b->s, d->kind)->use != USE_NATIVE)
        return;
    conf_choice("square|pad", train->image_aspect, aspect, sizeof aspect);
    draft_put(d->identity, "encoding",
              json_pack("{s:I,s:s,s:s}", "select_layer", (json_int_t)train->select_layer, "image_aspect", aspect,
                        "dtype", dtypes[b->s->features.dtype]));
}

/* `after`: the connector that a stage2 begins with, PLAN_NONE for a stage1. */
static int add_training(struct graph_make *g, size_t r, size_t after, int64_t samples, size_t *index, struct err *e)
{
    struct plan_build *b = g->b;
    bool first = after == PLAN_NONE;
    enum plan_kind kind = first ? KIND_STAGE1 : KIND_STAGE2;
    const struct train_conf *train = first ? &b->s->stage1 : &b->s->stage2;
    const struct conf_table *table = first ? &stage1_conf_table : &stage2_conf_table;
    struct draft d = draft_start(kind);
    struct plan_task *t = NULL;
    snprintf(d.label, sizeof d.label, "%s %s%s", plan_kinds[kind].name, b->p->representations[r].name,
             samples != train->samples ? " for screening" : "");
    json_t *names = describe_representation(b, &d, r);
    if (train->image_set.s)
        draft_put(names, "image_set", json_string(train->image_set.s));
    describe_training(b, &d, table, train, samples);
    draft_put(d.identity, "dtype", json_string((const char *const[]){ "bf16", "fp16", "fp32" }[b->s->features.dtype]));
    draft_put(d.execution, "training",
        json_pack("{s:I,s:b,s:f}", "device_batch", (json_int_t)train->device_batch, "gradient_checkpointing",
                  (int)train->gradient_checkpointing, "checkpoint_seconds", (double)train->checkpoint_every / 1e9));
    *index = b->p->n_tasks;
    int rc = first ? 0 : draft_input(b, &d, after, "connector", e);
    rc = rc < 0 ? rc : add_caches(g, &d, r, plan_image_set_named(b, train->image_set), train, samples, e);
    rc = rc < 0 ? rc : draft_add(g->b, &d, &t, e);
    draft_free(&d);
    TRY(rc);
    double full = first ? 558128.0 : 665298.0; /* samples of the LLaVA-1.5 recipe, which gpu_hours is about */
    t->representation = r;
    t->gpu_seconds = train->gpu_hours * 3600 * (double)samples * train->epochs / full;
    return 0;
}

static void describe_benchmark(struct plan_build *b, struct draft *d, size_t benchmark)
{
    const struct plan_benchmark *bench = &b->p->benchmarks[benchmark];
    const struct benchmark_conf *from = (const struct benchmark_conf *)b->s->benchmarks.items + benchmark;
    json_t *o = json_pack("{s:s,s:s}", "name", bench->name, "metric", bench->metric);
    size_t set = plan_image_set_named(b, from->image_set);
    if (set != PLAN_NONE) {
        draft_put(o, "image_set", plan_image_set_json(&b->p->image_sets[set]));
        draft_put(json_object_get(d->execution, "names"), "image_set", json_string(b->p->image_sets[set].name));
        draft_image_set(b, d, set);
    }
    draft_put(d->identity, "benchmark", o);
}

/* References in the order of their identities, as in the score setting. */
static int by_identity_index(const void *x, const void *y, void *arg)
{
    const struct plan *p = arg;
    return strcmp(p->representations[*(const size_t *)x].identity, p->representations[*(const size_t *)y].identity);
}

static int fill_score_a(struct graph_make *g, struct draft *d, size_t r, size_t benchmark, struct err *e)
{
    struct plan_build *b = g->b;
    json_t *names = describe_representation(b, d, r), *order = json_array(), *references = json_array();
    snprintf(d->label, sizeof d->label, "score_a %s %s", b->p->representations[r].name, b->p->benchmarks[benchmark].name);
    describe_benchmark(b, d, benchmark);
    draft_put(d->identity, "setting", plan_setting_a(b));
    draft_put(names, "benchmark", json_string(b->p->benchmarks[benchmark].name));
    draft_put(names, "references", order);
    draft_put(d->execution, "references", references);
    describe_encoding(b, d, &b->s->stage1);
    TRY(replay_value(b, d, r, benchmark, e));
    TRY(draft_input(g->b, d, g->stage1[r], "connector", e));
    for (size_t i = 0, n = 0; i < b->n_references; i++) {
        size_t reference = b->references[i];
        char name[64];
        if (b->s->scores.a.exclude_self && reference == r)
            continue;
        snprintf(name, sizeof name, "reference:%zu", n++);
        TRY(draft_input(g->b, d, g->stage1[reference], name, e));
        json_array_append_new(order, json_string(b->p->representations[reference].name));
        json_array_append_new(references, json_pack("{s:O,s:o}", "representation", b->representations[reference],
                                                    "names", names_of(b, reference)));
        for (size_t k = 0; k < b->p->representations[reference].n_members; k++)
            draft_checkpoint(b, d, b->p->encoders[b->p->representations[reference].members[k]].checkpoint);
    }
    return 0;
}

static int add_score_a(struct graph_make *g, size_t r, size_t benchmark, struct err *e)
{
    struct draft d = draft_start(KIND_SCORE_A);
    struct plan_task *t = NULL;
    int rc = fill_score_a(g, &d, r, benchmark, e);
    rc = rc < 0 ? rc : draft_add(g->b, &d, &t, e);
    draft_free(&d);
    TRY(rc);
    t->representation = r;
    t->benchmark = benchmark;
    t->score_setting = g->b->setting_a;
    t->gpu_seconds = (double)(g->b->s->scores.a.sample_size * (int64_t)(1 + g->b->n_references)) /
                     g->b->s->features.images_per_gpu_second;
    return 0;
}

static int add_evaluate(struct graph_make *g, size_t r, size_t benchmark, size_t model, struct err *e)
{
    struct plan_build *b = g->b;
    struct draft d = draft_start(KIND_EVALUATE);
    struct plan_task *t = NULL;
    snprintf(d.label, sizeof d.label, "evaluate %s %s", b->p->representations[r].name, b->p->benchmarks[benchmark].name);
    json_t *names = describe_representation(b, &d, r);
    draft_put(names, "benchmark", json_string(b->p->benchmarks[benchmark].name));
    describe_benchmark(b, &d, benchmark);
    draft_put(d.identity, "setting", conf_json(&evaluate_conf_table, &b->s->evaluate, CONF_IDENTITY));
    describe_encoding(b, &d, &b->s->stage2);
    int rc = replay_value(b, &d, r, benchmark, e);
    const struct benchmark_conf *from = (const struct benchmark_conf *)b->s->benchmarks.items + benchmark;
    rc = rc < 0 ? rc : draft_input(b, &d, model, "model", e);
    rc = rc < 0 ? rc : add_caches(g, &d, r, plan_image_set_named(b, from->image_set), &b->s->stage2, INT64_MAX, e);
    rc = rc < 0 ? rc : draft_add(g->b, &d, &t, e);
    draft_free(&d);
    TRY(rc);
    t->representation = r;
    t->benchmark = benchmark;
    t->gpu_seconds = (double)b->p->benchmarks[benchmark].questions / b->s->evaluate.questions_per_gpu_second;
    return 0;
}

/* ---- load ----------------------------------------------------------------------------------------------------------- */

/* Chains of made-up tasks, written without a JSON library: a million of them take about a second. */
static int add_load(struct graph_make *g, struct err *e)
{
    const struct load_conf *l = &g->b->s->load;
    struct plan *p = g->b->p;
    bool fakes = l->executor == 1;
    AUTO(json_decref) json_t *how = fakes ? fake_conf_json(&l->fake) : json_object();
    AUTO(free) char *fake = how ? json_canonical(how, e) : NULL;
    if (!fake)
        return -1;
    if (strlen(fake) > 2048)
        return conf_fail(g->b->conf, l->line, e, "load.fake is too large");
    for (int64_t i = 0; i < l->tasks; i++) {
        long long chain = (long long)(i / l->depth), step = (long long)(i % l->depth);
        struct plan_task *t = &p->tasks[p->n_tasks], *before = step ? t - 1 : NULL;
        char identity[2400], text[2600], hex[DIGEST_HEX_SIZE];
        snprintf(identity, sizeof identity, "{\"fake\":%s,\"load\":{\"chain\":%lld,\"seed\":%lld,\"step\":%lld}}", fake,
                 chain, (long long)g->b->s->seed, step);
        int n = snprintf(text, sizeof text, "{\"identity\":%s,\"inputs\":{%s%s%s},\"kind\":\"fake\",\"version\":%d}", identity,
                         before ? "\"before\":\"" : "", before ? before->identity : "", before ? "\"" : "",
                         plan_kinds[KIND_FAKE].version);
        digest_bytes(text, (size_t)n, hex);
        *t = (struct plan_task){
            .kind = plan_kinds[KIND_FAKE].name, .executor = g->b->use[fakes ? USE_FAKE : USE_NOOP],
            .resources = { .cpus = 1 }, .encoder = PLAN_NONE, .representation = PLAN_NONE, .benchmark = PLAN_NONE,
            .correspondence_set = PLAN_NONE, .image_set = PLAN_NONE, .score_setting = PLAN_NONE, .shard = -1,
        };
        t->identity = plan_text(g->b, hex, e);
        snprintf(text, sizeof text, "{\"execution\":{},\"identity\":%s}", identity);
        t->params = plan_text(g->b, text, e);
        snprintf(text, sizeof text, "fake %lld.%lld", chain, step);
        t->label = plan_text(g->b, text, e);
        if (!t->identity || !t->params || !t->label)
            return -1;
        if (before) {
            static char before_name[] = "before"; /* shared by all; read-only like the rest of the plan */
            t->inputs = arena_array(g->b->arena, 1, sizeof *t->inputs);
            if (!t->inputs)
                return FAIL_NOMEM(e);
            t->inputs[t->n_inputs++] = (struct plan_input){ p->n_tasks - 1, before_name };
        }
        p->n_tasks++;
    }
    return 0;
}

/* ---- the graph ------------------------------------------------------------------------------------------------------ */

/* Each score_c names every shard of every member: bounded, because a few lines of config can ask for billions. */
static int count_features(const struct graph_make *g, struct err *e)
{
    const struct plan *p = g->b->p;
    uint64_t total = 0;
    for (size_t r = 0; r < plan_scored(p); r++)
        for (size_t k = 0; k < p->n_correspondence_sets; k++) {
            uint64_t n = p->representations[r].n_members * (uint64_t)shards_of(g->b, p->correspondence_sets[k].image_set);
            if (n > MAX_TASK_INPUTS)
                return conf_fail(g->b->conf, 0, e, "the correspondence score of '%.80s' would read %llu shards of features, "
                                 "more than %u; raise features.images_per_shard", p->representations[r].name,
                                 (unsigned long long)n, MAX_TASK_INPUTS);
            total += n;
        }
    uint64_t of_scores = total;
    for (size_t i = 0; i < p->n_features; i++) /* both stages, and a benchmark, at most */
        for (size_t r = 0; p->features[i].cached && p->features[i].for_training && r < plan_scored(p); r++)
            for (size_t m = 0; m < p->representations[r].n_members; m++)
                if (p->representations[r].members[m] == p->features[i].encoder)
                    total += 3 * (uint64_t)p->features[i].shards;
    if (total > MAX_INPUTS && of_scores <= MAX_INPUTS)
        return conf_fail(g->b->conf, 0, e, "trainings would read %llu files of features, more than %u; raise "
                         "features.images_per_shard, or lower features.cache_bytes", (unsigned long long)total, MAX_INPUTS);
    if (total > MAX_INPUTS)
        return conf_fail(g->b->conf, 0, e, "correspondence scores would read %llu shards of features, more than %u; raise "
                         "features.images_per_shard", (unsigned long long)total, MAX_INPUTS);
    return 0;
}

static int make_room(struct graph_make *g, struct err *e)
{
    const struct plan *p = g->b->p;
    uint64_t total = (uint64_t)g->b->s->load.tasks;
    for (size_t i = 0; i < p->n_features; i++) {
        const struct plan_feature *f = &p->features[i];
        if (f->needed && f->shards > MAX_SHARDS)
            return conf_fail(g->b->conf, 0, e, "image set '%.80s' needs more than %d shards; raise features.images_per_shard",
                             p->image_sets[f->image_set].name, MAX_SHARDS);
        total += f->cached ? (uint64_t)f->shards : 0;
    }
    total += (uint64_t)plan_scored(p) *
             (2 + screens(g->b) + 2 * p->n_benchmarks + p->n_correspondence_sets);
    if (total > MAX_TASKS)
        return conf_fail(g->b->conf, 0, e, "%llu tasks are more than %u; use fewer representations, or larger shards",
                         (unsigned long long)total, MAX_TASKS);
    TRY(count_features(g, e));
    return draft_room(g->b, (size_t)total, e);
}

static bool is_reference(const struct plan_build *b, size_t r)
{
    for (size_t i = 0; i < b->n_references; i++)
        if (b->references[i] == r)
            return true;
    return false;
}

/* References are always wanted: every A score looks at their connectors. */
static void choose_at_once(struct graph_make *g)
{
    const struct plan *p = g->b->p;
    for (size_t r = 0; r < plan_scored(p); r++)
        g->b->at_once[r] = !p->policy.small_first || plan_is_floor(p, r) || is_reference(g->b, r) ||
                        p->representations[r].n_members <= (size_t)p->policy.screen_members;
}

static int make_connector(struct graph_make *g, size_t r, struct err *e)
{
    TRY(add_training(g, r, PLAN_NONE, g->b->p->screening_samples, &g->stage1[r], e));
    g->b->p->tasks[g->stage1[r]].on_demand = !g->b->at_once[r];
    return 0;
}

static int make_representation(struct graph_make *g, size_t r, struct err *e)
{
    struct plan *p = g->b->p;
    size_t first = p->n_tasks;
    for (size_t k = 0; k < p->n_correspondence_sets; k++)
        TRY(add_score_c(g, r, k, e));
    for (size_t i = 0; i < p->n_benchmarks; i++)
        TRY(add_score_a(g, r, i, e));
    for (size_t i = first; i < p->n_tasks; i++)
        p->tasks[i].on_demand = !g->b->at_once[r];
    return 0;
}

static int make_deferred(struct graph_make *g, size_t r, struct err *e)
{
    size_t connector = g->stage1[r], model;
    if (screens(g->b)) {
        TRY(add_training(g, r, PLAN_NONE, g->b->p->stage1_samples, &connector, e));
        g->b->p->tasks[connector].deferred = true;
    }
    TRY(add_training(g, r, connector, g->b->s->stage2.samples, &model, e));
    for (size_t i = 0; i < g->b->p->n_benchmarks; i++)
        TRY(add_evaluate(g, r, i, model, e));
    return 0;
}

/* A floor's features and C scores come in one pass with those of the others; its training waits until nothing else does. */
static void put_behind(struct plan *p, size_t first)
{
    for (size_t i = first; i < p->n_tasks; i++) {
        p->tasks[i].floor = true;
        if (strcmp(p->tasks[i].kind, plan_kinds[KIND_SCORE_C].name) != 0)
            p->tasks[i].priority += FLOOR_PRIORITY;
    }
}

static int make_floors(struct graph_make *g, struct err *e)
{
    struct plan *p = g->b->p;
    size_t first = p->n_tasks;
    for (size_t r = p->n_representations; r < plan_scored(p); r++) {
        TRY(make_connector(g, r, e));
        TRY(make_representation(g, r, e));
    }
    for (size_t r = p->n_representations; g->b->s->representations.fine_tune_floors && r < plan_scored(p); r++)
        TRY(make_deferred(g, r, e));
    put_behind(p, first);
    return 0;
}

static int make_all(struct graph_make *g, struct err *e)
{
    const struct plan *p = g->b->p;
    TRY(add_extracts(g, e));
    for (size_t r = 0; r < p->n_representations; r++)
        TRY(make_connector(g, r, e));
    for (size_t r = 0; r < p->n_representations; r++)
        TRY(make_representation(g, r, e));
    for (size_t r = 0; r < p->n_representations; r++)
        TRY(make_deferred(g, r, e));
    TRY(make_floors(g, e));
    return add_load(g, e);
}

int plan_tasks(struct plan_build *b, struct err *e)
{
    struct graph_make g = { .b = b };
    struct plan *p = b->p;
    AUTO(free) bool *encoder_used = calloc(p->n_encoders + 1, sizeof *encoder_used);
    AUTO(free) size_t *stage1 = g.stage1 = calloc(plan_scored(p) + 1, sizeof *stage1);
    b->at_once = arena_array(b->arena, plan_scored(p) + 1, sizeof *b->at_once);
    if (!encoder_used || !b->at_once || !stage1)
        return FAIL_NOMEM(e);
    for (size_t r = 0; r < plan_scored(p); r++)
        for (size_t i = 0; i < p->representations[r].n_members; i++)
            encoder_used[p->representations[r].members[i]] = true;
    qsort_r(b->references, b->n_references, sizeof *b->references, by_identity_index, p);
    choose_at_once(&g);
    TRY(plan_features(b, encoder_used, e));
    TRY(make_room(&g, e));
    return make_all(&g, e);
}
