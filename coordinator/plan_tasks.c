/* The task graph of a sweep with its identities.
 *
 *     extract (encoder x shard of a correspondence set's images) -> score_c (representation x correspondence set)
 *     stage1 (representation) -> score_a (representation x benchmark; also the references' stage1)
 *     stage1 -> stage2 (representation) -> evaluate (representation x benchmark)      deferred: the policy chooses
 *
 * With stage1.screening_samples the connectors behind the scores are other, cheaper ones, and a chosen representation trains
 * its own. With policy.screen = small_first the scores of large combinations are on demand.
 *
 * An identity is SHA-256 over {"identity":...,"inputs":{name: identity},"kind":...,"version":...} as canonical JSON. What
 * only tells how to get there (GPUs, batch on a device, names, command lines) is in "execution" and not hashed. */
#include <math.h>
#include <string.h>

#include "coordinator/plan_build.h"

#define MAX_TASKS 2000000u  /* about 0.4 kB each for load tasks, 2 kB for real ones */
#define MAX_INPUTS 8000000u
#define MAX_TASK_INPUTS 100000u
#define MAX_SHARDS 1000000

const struct plan_kind_facts plan_kinds[PLAN_KINDS] = {
    [KIND_EXTRACT] = { "extract", 1, 60, 1, 8, false, false },
    [KIND_STAGE1] = { "stage1", 1, 50, 1, 40, false, false },
    [KIND_SCORE_A] = { "score_a", 1, 70, 1, 16, false, true },
    [KIND_SCORE_C] = { "score_c", 1, 55, 1, 8, false, true }, /* after all features: one pass for many */
    [KIND_STAGE2] = { "stage2", 1, 80, 1, 64, true, false },
    [KIND_EVALUATE] = { "evaluate", 1, 90, 1, 20, true, true },
    [KIND_FAKE] = { "fake", 1, 0, 0, 0, false, false },
};

const struct executor_conf *plan_executor(const struct sweep_conf *s, enum plan_kind kind)
{
    const struct executors_conf *x = &s->executors;
    const struct executor_conf *const of[] = {
        [KIND_EXTRACT] = &x->extract, [KIND_STAGE1] = &x->stage1, [KIND_SCORE_A] = &x->score_a,
        [KIND_SCORE_C] = &x->score_c, [KIND_STAGE2] = &x->stage2, [KIND_EVALUATE] = &x->evaluate,
    };
    return of[kind];
}

static const char *const uses[] = { "native", "command", "replay", "fake", "noop" };

const char *plan_executor_name(const struct executor_conf *x)
{
    return uses[x->use];
}

/* One task being made: parts that the kinds fill in. */
struct draft {
    enum plan_kind kind;
    json_t *identity, *execution; /* taken by add_task() */
    json_t *inputs;               /* name -> identity; taken */
    size_t first_input;           /* room reserved in `inputs_of` */
    struct plan_input *inputs_of;
    size_t n_inputs, cap_inputs;
    char label[600];
};

struct graph_make {
    struct plan_build *b;
    char *use[ARRAY_LEN(uses)]; /* one shared string each */
    size_t cap;
    size_t *stage1;   /* task of a representation: the connector that its A score looks at */
    bool *at_once;    /* representation is scored before the policy is asked */
    size_t *extracts; /* first extract of encoder x image set; shards follow */
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

/* ---- one task ------------------------------------------------------------------------------------------------------- */

static int add_input(struct graph_make *g, struct draft *d, size_t task, const char *name, struct err *e)
{
    if (d->n_inputs == d->cap_inputs) {
        size_t cap = d->cap_inputs ? 2 * d->cap_inputs : 8;
        struct plan_input *more = realloc(d->inputs_of, cap * sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        d->inputs_of = more;
        d->cap_inputs = cap;
    }
    char *copy = plan_text(g->b, name, e);
    if (!copy || json_object_set_new(d->inputs, name, json_string(g->b->p->tasks[task].identity)) < 0)
        return FAIL_NOMEM(e);
    d->inputs_of[d->n_inputs++] = (struct plan_input){ task, copy };
    return 0;
}

static void put(json_t *o, const char *key, json_t *value)
{
    if (value)
        json_object_set_new(o, key, value);
}

/* Who computes it belongs to the identity: a replayed, faked or foreign result is never taken for a native one. */
static void describe_executor(const struct plan_build *b, struct draft *d)
{
    const struct executor_conf *x = plan_executor(b->s, d->kind);
    json_t *who = json_pack("{s:s}", "use", plan_executor_name(x));
    if (x->use == USE_COMMAND)
        put(who, "version", json_integer(x->version));
    if (x->parameters)
        json_object_set(who, "parameters", x->parameters);
    put(d->identity, "executor", who);
    if (x->use == USE_FAKE)
        put(d->identity, "fake", fake_conf_json(&x->fake));
    if (x->use == USE_REPLAY)
        put(d->execution, "replay", json_pack("{s:f}", "seconds", b->s->replay.seconds));
    if (x->use != USE_COMMAND)
        return;
    json_t *command = json_object(), *argv = json_array();
    const struct conf_text *words = x->command.items;
    for (size_t i = 0; i < x->command.n; i++)
        json_array_append_new(argv, json_string(words[i].s));
    put(command, "argv", argv);
    put(command, "directory", json_string(x->directory.s));
    put(command, "environment", x->environment ? json_incref(x->environment) : json_object());
    if (x->log_cap != CONF_UNSET_INT)
        put(command, "log_cap", json_integer(x->log_cap));
    put(d->execution, "command", command);
}

static struct plan_resources resources_of(const struct executor_conf *x, const struct plan_kind_facts *f)
{
    bool computes = x->use == USE_NATIVE || x->use == USE_COMMAND;
    struct plan_resources r = {
        .gpus = x->gpus != CONF_UNSET_INT ? (uint32_t)x->gpus : computes ? f->gpus : 0,
        .compute_capability = (uint32_t)x->compute_capability,
        .cpus = (uint32_t)x->cpus,
        .host_memory_bytes = (uint64_t)x->host_memory,
    };
    if (r.gpus)
        r.gpu_memory_bytes = x->gpu_memory != CONF_UNSET_INT ? (uint64_t)x->gpu_memory : f->gpu_memory_gib << 30;
    return r;
}

/* Text of the identity's pieces, so that the big object is written once and used for both the hash and the params. */
static int finish_texts(struct graph_make *g, struct draft *d, struct plan_task *t, struct err *e)
{
    AUTO(free) char *identity = json_canonical(d->identity, e);
    AUTO(free) char *execution = identity ? json_canonical(d->execution, e) : NULL;
    AUTO(free) char *inputs = execution ? json_canonical(d->inputs, e) : NULL;
    if (!inputs)
        return -1;
    AUTO(buf_free) struct buf b = BUF_INIT((size_t)64 << 20);
    buf_printf(&b, "{\"identity\":%s,\"inputs\":%s,\"kind\":\"%s\",\"version\":%d}", identity, inputs,
               plan_kinds[d->kind].name, plan_kinds[d->kind].version);
    TRY(buf_check(&b, "a task's identity", e));
    char hex[DIGEST_HEX_SIZE];
    digest_bytes(b.data, b.len, hex);
    buf_clear(&b);
    buf_printf(&b, "{\"execution\":%s,\"identity\":%s}", execution, identity);
    TRY(buf_check(&b, "a task's parameters", e));
    t->identity = plan_text(g->b, hex, e);
    t->params = t->identity ? plan_text(g->b, b.data, e) : NULL;
    t->label = t->params ? plan_text(g->b, d->label, e) : NULL;
    return t->label ? 0 : -1;
}

static struct draft draft_start(enum plan_kind kind)
{
    return (struct draft){ .kind = kind, .identity = json_object(), .execution = json_object(), .inputs = json_object() };
}

static void draft_free(struct draft *d)
{
    json_decref(d->identity);
    json_decref(d->execution);
    json_decref(d->inputs);
    free(d->inputs_of);
}

/* Complete the draft into the next task. *t points into the plan; the caller sets the subject indices and the cost. */
static int add_task(struct graph_make *g, struct draft *d, struct plan_task **out, struct err *e)
{
    struct plan *p = g->b->p;
    const struct plan_kind_facts *f = &plan_kinds[d->kind];
    const struct executor_conf *x = plan_executor(g->b->s, d->kind);
    if (p->n_tasks == g->cap)
        return FAIL(e, ERR_BUG, "the planner counted %zu tasks and makes more", g->cap);
    struct plan_task *t = &p->tasks[p->n_tasks];
    *t = (struct plan_task){
        .kind = f->name, .executor = g->use[x->use], .resources = resources_of(x, f),
        .time_limit_ms = (uint64_t)x->time_limit / 1000000u,
        .priority = x->priority == CONF_UNSET_INT ? f->priority : (int)x->priority, .deferred = f->deferred,
        .encoder = PLAN_NONE, .representation = PLAN_NONE, .benchmark = PLAN_NONE, .correspondence_set = PLAN_NONE,
        .image_set = PLAN_NONE, .score_setting = PLAN_NONE, .shard = -1,
    };
    describe_executor(g->b, d);
    TRY(finish_texts(g, d, t, e));
    t->inputs = arena_array(g->b->arena, d->n_inputs, sizeof *t->inputs);
    if (!t->inputs)
        return FAIL_NOMEM(e);
    if (d->n_inputs)
        memcpy(t->inputs, d->inputs_of, d->n_inputs * sizeof *t->inputs);
    t->n_inputs = d->n_inputs;
    p->n_tasks++;
    *out = t;
    return 0;
}

/* ---- extract and score_c -------------------------------------------------------------------------------------------- */

static int add_extract(struct graph_make *g, size_t encoder, size_t images_of, int64_t shard, struct err *e)
{
    struct plan_build *b = g->b;
    const struct plan_encoder *en = &b->p->encoders[encoder];
    int64_t images = b->p->image_sets[images_of].images, per = b->s->features.images_per_shard;
    int64_t count = images > 0 ? (images - shard * per < per ? images - shard * per : per) : 0;
    struct draft d = draft_start(KIND_EXTRACT);
    struct plan_task *t;
    snprintf(d.label, sizeof d.label, "extract %s %s %lld", en->name, b->p->image_sets[images_of].name, (long long)shard);
    put(d.identity, "encoder", json_incref(b->encoders[encoder]));
    put(d.identity, "image_set", plan_image_set_json(&b->p->image_sets[images_of]));
    put(d.identity, "images", json_pack("{s:I,s:I}", "first", (json_int_t)(shard * per), "count", (json_int_t)count));
    put(d.identity, "geometry", json_string(b->s->scores.c.geometry == 0 ? "letterbox" : "stretch"));
    if (b->s->scores.c.geometry == 1) /* the released code normalises every encoder's pixels alike */
        put(d.identity, "pixels", json_string("half"));
    /* the released code normalises every encoder's pixels alike; else they are normalised as the encoder wants it */
    put(d.identity, "pixels", json_string(b->s->scores.c.geometry == 1 ? "half" : "own"));
    put(d.identity, "layer", json_integer(b->s->scores.c.layer));
    put(d.identity, "dtype", json_string((const char *const[]){ "bf16", "fp16", "fp32" }[b->s->features.dtype]));
    put(d.execution, "names", json_pack("{s:s,s:s,s:s}", "encoder", en->name, "checkpoint",
                                        b->p->checkpoints[en->checkpoint].name, "image_set", b->p->image_sets[images_of].name));
    int rc = add_task(g, &d, &t, e);
    draft_free(&d);
    TRY(rc);
    t->encoder = encoder;
    t->image_set = images_of;
    t->shard = (int)shard;
    t->gpu_seconds = (double)count / b->s->features.images_per_gpu_second;
    return 0;
}

static int add_extracts(struct graph_make *g, const bool *encoder_used, struct err *e)
{
    const struct plan *p = g->b->p;
    for (size_t k = 0; k < p->n_correspondence_sets; k++) {
        size_t set = p->correspondence_sets[k].image_set;
        for (size_t i = 0; i < p->n_encoders; i++) {
            size_t *first = &g->extracts[i * p->n_image_sets + set];
            if (!encoder_used[i] || *first != PLAN_NONE)
                continue;
            *first = p->n_tasks;
            for (int64_t shard = 0; shard < shards_of(g->b, set); shard++)
                TRY(add_extract(g, i, set, shard, e));
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
    put(d->identity, "replay", isnan(value) ? json_object() : json_pack("{s:f}", "value", value));
    return 0;
}

static int fill_score_c(struct graph_make *g, struct draft *d, size_t r, size_t k, struct err *e)
{
    struct plan_build *b = g->b;
    const struct plan_representation *rep = &b->p->representations[r];
    const struct plan_correspondence_set *cs = &b->p->correspondence_sets[k];
    snprintf(d->label, sizeof d->label, "score_c %s %s", rep->name, cs->name);
    put(d->identity, "representation", json_incref(b->representations[r]));
    put(d->identity, "correspondence_set",
        json_pack("{s:s,s:s,s:o}", "name", cs->name, "split", cs->split, "image_set",
                  plan_image_set_json(&b->p->image_sets[cs->image_set])));
    put(d->identity, "setting", conf_json(&score_c_conf_table, &b->s->scores.c, CONF_IDENTITY));
    json_t *names = names_of(b, r);
    put(names, "image_set", json_string(b->p->image_sets[cs->image_set].name));
    put(d->execution, "names", names);
    TRY(replay_value(b, d, r, k, e));
    for (size_t m = 0; m < rep->n_members; m++)
        for (int64_t shard = 0; shard < shards_of(b, cs->image_set); shard++) {
            char name[64];
            snprintf(name, sizeof name, "features:%zu:%lld", m, (long long)shard);
            TRY(add_input(g, d, g->extracts[rep->members[m] * b->p->n_image_sets + cs->image_set] + (size_t)shard, name, e));
        }
    return 0;
}

static int add_score_c(struct graph_make *g, size_t r, size_t k, struct err *e)
{
    struct draft d = draft_start(KIND_SCORE_C);
    struct plan_task *t = NULL;
    int rc = fill_score_c(g, &d, r, k, e);
    rc = rc < 0 ? rc : add_task(g, &d, &t, e);
    draft_free(&d);
    TRY(rc);
    t->representation = r;
    t->correspondence_set = k;
    t->score_setting = g->b->setting_c;
    t->gpu_seconds = (double)g->b->p->correspondence_sets[k].pairs / 500; /* similarity maps of a 24 x 24 grid */
    return 0;
}

/* ---- stage1, score_a, stage2, evaluate ------------------------------------------------------------------------------ */

static void describe_training(const struct plan_build *b, struct draft *d, const struct conf_table *table,
                              const struct train_conf *train, int64_t samples)
{
    json_t *how = conf_json(table, train, CONF_IDENTITY);
    put(how, "samples", json_integer(samples));
    if (train->tune != 2) { /* not lora: its settings are no part of what is computed */
        json_object_del(how, "lora_rank");
        json_object_del(how, "lora_alpha");
    }
    put(d->identity, "training", how);
    if (train->image_set.s)
        for (size_t i = 0; i < b->p->n_image_sets; i++)
            if (strcmp(b->p->image_sets[i].name, train->image_set.s) == 0)
                put(d->identity, "image_set", plan_image_set_json(&b->p->image_sets[i]));
    if (b->llm != PLAN_NONE)
        put(d->identity, "llm", plan_checkpoint_json(&b->p->checkpoints[b->llm]));
}

/* Shared by the two stages and the benchmarks: the representation, and the names that people and programs need. */
static json_t *describe_representation(const struct plan_build *b, struct draft *d, size_t r)
{
    put(d->identity, "representation", json_incref(b->representations[r]));
    json_t *names = names_of(b, r);
    if (b->llm != PLAN_NONE)
        put(names, "llm", json_string(b->p->checkpoints[b->llm].name));
    put(d->execution, "names", names);
    return names;
}

static bool screens(const struct plan_build *b)
{
    return b->p->screening_samples != b->p->stage1_samples;
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
        put(names, "image_set", json_string(train->image_set.s));
    describe_training(b, &d, table, train, samples);
    put(d.identity, "dtype", json_string((const char *const[]){ "bf16", "fp16", "fp32" }[b->s->features.dtype]));
    put(d.execution, "training",
        json_pack("{s:I,s:b}", "device_batch", (json_int_t)train->device_batch, "gradient_checkpointing",
                  (int)train->gradient_checkpointing));
    put(d.execution, "features", json_pack("{s:I}", "cache_bytes", (json_int_t)b->s->features.cache_bytes));
    *index = b->p->n_tasks;
    int rc = first ? 0 : add_input(g, &d, after, "connector", e);
    rc = rc < 0 ? rc : add_task(g, &d, &t, e);
    draft_free(&d);
    TRY(rc);
    double full = first ? 558128.0 : 665298.0; /* samples of the LLaVA-1.5 recipe, which gpu_hours is about */
    t->representation = r;
    t->gpu_seconds = train->gpu_hours * 3600 * (double)samples * train->epochs / full;
    return 0;
}

static json_t *benchmark_json(const struct plan_build *b, size_t benchmark)
{
    const struct plan_benchmark *bench = &b->p->benchmarks[benchmark];
    const struct benchmark_conf *from = (const struct benchmark_conf *)b->s->benchmarks.items + benchmark;
    json_t *o = json_pack("{s:s,s:s}", "name", bench->name, "metric", bench->metric);
    for (size_t i = 0; o && from->image_set.s && i < b->p->n_image_sets; i++)
        if (strcmp(b->p->image_sets[i].name, from->image_set.s) == 0)
            put(o, "image_set", plan_image_set_json(&b->p->image_sets[i]));
    return o;
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
    json_t *names = describe_representation(b, d, r), *order = json_array();
    snprintf(d->label, sizeof d->label, "score_a %s %s", b->p->representations[r].name, b->p->benchmarks[benchmark].name);
    put(d->identity, "benchmark", benchmark_json(b, benchmark));
    put(d->identity, "setting", conf_json(&score_a_conf_table, &b->s->scores.a, CONF_IDENTITY));
    put(names, "benchmark", json_string(b->p->benchmarks[benchmark].name));
    put(names, "references", order);
    TRY(replay_value(b, d, r, benchmark, e));
    TRY(add_input(g, d, g->stage1[r], "connector", e));
    for (size_t i = 0, n = 0; i < b->n_references; i++) {
        size_t reference = b->references[i];
        char name[64];
        if (b->s->scores.a.exclude_self && reference == r)
            continue;
        snprintf(name, sizeof name, "reference:%zu", n++);
        TRY(add_input(g, d, g->stage1[reference], name, e));
        json_array_append_new(order, json_string(b->p->representations[reference].name));
    }
    return 0;
}

static int add_score_a(struct graph_make *g, size_t r, size_t benchmark, struct err *e)
{
    struct draft d = draft_start(KIND_SCORE_A);
    struct plan_task *t = NULL;
    int rc = fill_score_a(g, &d, r, benchmark, e);
    rc = rc < 0 ? rc : add_task(g, &d, &t, e);
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
    put(names, "benchmark", json_string(b->p->benchmarks[benchmark].name));
    put(d.identity, "benchmark", benchmark_json(b, benchmark));
    put(d.identity, "setting", conf_json(&evaluate_conf_table, &b->s->evaluate, CONF_IDENTITY));
    int rc = replay_value(b, &d, r, benchmark, e);
    rc = rc < 0 ? rc : add_input(g, &d, model, "model", e);
    rc = rc < 0 ? rc : add_task(g, &d, &t, e);
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
            .kind = plan_kinds[KIND_FAKE].name, .executor = g->use[fakes ? USE_FAKE : USE_NOOP],
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
    for (size_t r = 0; r < p->n_representations; r++)
        for (size_t k = 0; k < p->n_correspondence_sets; k++) {
            uint64_t n = p->representations[r].n_members * (uint64_t)shards_of(g->b, p->correspondence_sets[k].image_set);
            if (n > MAX_TASK_INPUTS)
                return conf_fail(g->b->conf, 0, e, "the correspondence score of '%.80s' would read %llu shards of features, "
                                 "more than %u; raise features.images_per_shard", p->representations[r].name,
                                 (unsigned long long)n, MAX_TASK_INPUTS);
            total += n;
        }
    if (total > MAX_INPUTS)
        return conf_fail(g->b->conf, 0, e, "correspondence scores would read %llu shards of features, more than %u; raise "
                         "features.images_per_shard", (unsigned long long)total, MAX_INPUTS);
    return 0;
}

static int count_tasks(struct graph_make *g, struct err *e)
{
    const struct plan *p = g->b->p;
    uint64_t total = (uint64_t)g->b->s->load.tasks;
    for (size_t i = 0; i < p->n_image_sets; i++) {
        if (shards_of(g->b, i) > MAX_SHARDS)
            return conf_fail(g->b->conf, 0, e, "image set '%.80s' needs more than %d shards; raise features.images_per_shard",
                             p->image_sets[i].name, MAX_SHARDS);
        for (size_t k = 0; k < p->n_correspondence_sets; k++)
            if (p->correspondence_sets[k].image_set == i) {
                total += p->n_encoders * (uint64_t)shards_of(g->b, i);
                break;
            }
    }
    total += (uint64_t)p->n_representations *
             (2 + screens(g->b) + 2 * p->n_benchmarks + p->n_correspondence_sets);
    if (total > MAX_TASKS)
        return conf_fail(g->b->conf, 0, e, "%llu tasks are more than %u; use fewer representations, or larger shards",
                         (unsigned long long)total, MAX_TASKS);
    TRY(count_features(g, e));
    g->cap = (size_t)total;
    return 0;
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
    for (size_t r = 0; r < p->n_representations; r++)
        g->at_once[r] = !p->policy.small_first || is_reference(g->b, r) ||
                        p->representations[r].n_members <= (size_t)p->policy.screen_members;
}

static int make_connector(struct graph_make *g, size_t r, struct err *e)
{
    TRY(add_training(g, r, PLAN_NONE, g->b->p->screening_samples, &g->stage1[r], e));
    g->b->p->tasks[g->stage1[r]].on_demand = !g->at_once[r];
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
        p->tasks[i].on_demand = !g->at_once[r];
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

static int make_all(struct graph_make *g, const bool *encoder_used, struct err *e)
{
    const struct plan *p = g->b->p;
    TRY(add_extracts(g, encoder_used, e));
    for (size_t r = 0; r < p->n_representations; r++)
        TRY(make_connector(g, r, e));
    for (size_t r = 0; r < p->n_representations; r++)
        TRY(make_representation(g, r, e));
    for (size_t r = 0; r < p->n_representations; r++)
        TRY(make_deferred(g, r, e));
    return add_load(g, e);
}

int plan_tasks(struct plan_build *b, struct err *e)
{
    struct graph_make g = { .b = b };
    struct plan *p = b->p;
    TRY(count_tasks(&g, e));
    for (size_t i = 0; i < ARRAY_LEN(uses); i++)
        if (!(g.use[i] = plan_text(b, uses[i], e)))
            return -1;
    AUTO(free) bool *encoder_used = calloc(p->n_encoders + 1, sizeof *encoder_used);
    AUTO(free) bool *at_once = g.at_once = calloc(p->n_representations + 1, sizeof *at_once);
    AUTO(free) size_t *stage1 = g.stage1 = calloc(p->n_representations + 1, sizeof *stage1);
    AUTO(free) size_t *extracts = g.extracts = calloc(p->n_encoders * p->n_image_sets + 1, sizeof *extracts);
    p->tasks = arena_array(b->arena, g.cap, sizeof *p->tasks);
    if (!encoder_used || !at_once || !stage1 || !extracts || !p->tasks)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < p->n_encoders * p->n_image_sets; i++)
        extracts[i] = PLAN_NONE;
    for (size_t r = 0; r < p->n_representations; r++)
        for (size_t i = 0; i < p->representations[r].n_members; i++)
            encoder_used[p->representations[r].members[i]] = true;
    qsort_r(b->references, b->n_references, sizeof *b->references, by_identity_index, p);
    choose_at_once(&g);
    return make_all(&g, encoder_used, e);
}
