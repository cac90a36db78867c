/* Tasks from drafts: identity, parameters, resources.
 *
 * An identity is SHA-256 over {"identity":...,"inputs":{name: identity},"kind":...,"version":...} as canonical JSON.
 * What only tells how to get there (GPUs, batch on a device, names, command lines) is in "execution" and not hashed. */
#include "coordinator/plan_draft.h"

#include <string.h>

const struct plan_kind_facts plan_kinds[PLAN_KINDS] = {
    [KIND_EXTRACT] = { "extract", 1, 60, 1, 8, false, false },
    [KIND_STAGE1] = { "stage1", 1, 50, 1, 40, false, false },
    [KIND_SCORE_A] = { "score_a", 1, 70, 1, 16, false, true },
    [KIND_SCORE_C] = { "score_c", 1, 55, 0, 0, false, true }, /* after all features: one pass for many, in plain C */
    [KIND_STAGE2] = { "stage2", 1, 80, 1, 64, true, false },
    [KIND_EVALUATE] = { "evaluate", 1, 90, 1, 20, true, true },
    [KIND_FAKE] = { "fake", 1, 0, 0, 0, false, false },
    [KIND_IDENTIFY] = { "identify", 1, 100, 0, 0, false, false },
};

const struct executor_conf *plan_executor(const struct sweep_conf *s, enum plan_kind kind)
{
    static char nowhere[] = "";
    static const struct executor_conf identifies = {
        /* no key of the config: it is always ours, and needs no GPU */
        .use = USE_NATIVE, .directory = { .s = nowhere }, .log_cap = CONF_UNSET_INT,  .version = 1, .gpus = 0,
        .cpus = 1,         .gpu_memory = CONF_UNSET_INT,  .priority = CONF_UNSET_INT,
    };
    const struct executors_conf *x = &s->executors;
    const struct executor_conf *const of[] = {
        [KIND_EXTRACT] = &x->extract,  [KIND_STAGE1] = &x->stage1, [KIND_SCORE_A] = &x->score_a,
        [KIND_SCORE_C] = &x->score_c,  [KIND_STAGE2] = &x->stage2, [KIND_EVALUATE] = &x->evaluate,
        [KIND_IDENTIFY] = &identifies,
    };
    return of[kind];
}

static const char *const uses[] = { "native", "command", "replay", "fake", "noop" };

const char *plan_executor_name(const struct executor_conf *x)
{
    return uses[x->use];
}

int draft_cache_input(struct plan_build *b, struct draft *d, size_t task, const char *name, struct err *e)
{
    if (d->n_inputs == d->cap_inputs) {
        size_t cap = d->cap_inputs ? 2 * d->cap_inputs : 8;
        struct plan_input *more = realloc(d->inputs_of, cap * sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        d->inputs_of = more;
        d->cap_inputs = cap;
    }
    char *copy = plan_text(b, name, e);
    if (!copy)
        return -1;
    d->inputs_of[d->n_inputs++] = (struct plan_input){ task, copy };
    return 0;
}

int draft_input(struct plan_build *b, struct draft *d, size_t task, const char *name, struct err *e)
{
    TRY(draft_cache_input(b, d, task, name, e));
    return json_object_set_new(d->inputs, name, json_string(b->p->tasks[task].identity)) < 0 ? FAIL_NOMEM(e) : 0;
}

void draft_put(json_t *object, const char *key, json_t *value)
{
    if (value)
        json_object_set_new(object, key, value);
}

/* Who computes it belongs to the identity: a replayed, faked or foreign result is never taken for a native one. */
static void describe_executor(const struct plan_build *b, struct draft *d)
{
    const struct executor_conf *x = plan_executor(b->s, d->kind);
    json_t *who = json_pack("{s:s}", "use", plan_executor_name(x));
    if (x->use == USE_COMMAND)
        draft_put(who, "version", json_integer(x->version));
    if (x->parameters)
        json_object_set(who, "parameters", x->parameters);
    draft_put(d->identity, "executor", who);
    if (x->use == USE_FAKE)
        draft_put(d->identity, "fake", fake_conf_json(&x->fake));
    if (x->use == USE_REPLAY)
        draft_put(d->execution, "replay", json_pack("{s:f}", "seconds", b->s->replay.seconds));
    if (x->use != USE_COMMAND)
        return;
    json_t *command = json_object(), *argv = json_array();
    const struct conf_text *words = x->command.items;
    for (size_t i = 0; i < x->command.n; i++)
        json_array_append_new(argv, json_string(words[i].s));
    draft_put(command, "argv", argv);
    draft_put(command, "directory", json_string(x->directory.s));
    draft_put(command, "environment", x->environment ? json_incref(x->environment) : json_object());
    if (x->log_cap != CONF_UNSET_INT)
        draft_put(command, "log_cap", json_integer(x->log_cap));
    draft_put(d->execution, "command", command);
}

static void add_content(struct draft *d, const char *name, const char *digest, bool images)
{
    json_t *content = json_object_get(d->execution, "content");
    if (!content)
        draft_put(d->execution, "content", content = json_object());
    draft_put(content, name, json_pack("{s:s,s:b}", "digest", digest, "images", (int)images));
}

void draft_checkpoint(struct plan_build *b, struct draft *d, size_t checkpoint)
{
    const struct plan_checkpoint *c = &b->p->checkpoints[checkpoint];
    if (c->digest && plan_executor(b->s, d->kind)->use == USE_NATIVE)
        add_content(d, c->name, c->digest, false);
}

void draft_image_set(struct plan_build *b, struct draft *d, size_t image_set)
{
    const struct plan_image_set *s = &b->p->image_sets[image_set];
    if (s->digest && plan_executor(b->s, d->kind)->use == USE_NATIVE)
        add_content(d, s->name, s->digest, true);
}

static struct plan_resources resources_of(const struct executor_conf *x, const struct plan_kind_facts *f)
{
    bool computes = x->use == USE_NATIVE || x->use == USE_COMMAND;
    struct plan_resources r = {
        .gpus = x->gpus != CONF_UNSET_INT ? (uint32_t)x->gpus
                : computes                ? f->gpus
                                          : 0,
        .compute_capability = (uint32_t)x->compute_capability,
        .cpus = (uint32_t)x->cpus,
        .host_memory_bytes = (uint64_t)x->host_memory,
    };
    if (r.gpus)
        r.gpu_memory_bytes = x->gpu_memory != CONF_UNSET_INT ? (uint64_t)x->gpu_memory : f->gpu_memory_gib << 30;
    return r;
}

/* Text of the identity's pieces, so that the big object is written once and used for both the hash and the params. */
static int finish_texts(struct plan_build *b, struct draft *d, struct plan_task *t, struct err *e)
{
    AUTO(free) char *identity = json_canonical(d->identity, e);
    AUTO(free) char *execution = identity ? json_canonical(d->execution, e) : NULL;
    AUTO(free) char *inputs = execution ? json_canonical(d->inputs, e) : NULL;
    if (!inputs)
        return -1;
    AUTO(buf_free) struct buf text = BUF_INIT((size_t)64 << 20);
    buf_printf(&text, "{\"identity\":%s,\"inputs\":%s,\"kind\":\"%s\",\"version\":%d}", identity, inputs,
               plan_kinds[d->kind].name, plan_kinds[d->kind].version);
    TRY(buf_check(&text, "a task's identity", e));
    char hex[DIGEST_HEX_SIZE];
    digest_bytes(text.data, text.len, hex);
    buf_clear(&text);
    buf_printf(&text, "{\"execution\":%s,\"identity\":%s}", execution, identity);
    TRY(buf_check(&text, "a task's parameters", e));
    t->identity = plan_text(b, hex, e);
    t->params = t->identity ? plan_text(b, text.data, e) : NULL;
    t->label = t->params ? plan_text(b, d->label, e) : NULL;
    return t->label ? 0 : -1;
}

struct draft draft_start(enum plan_kind kind)
{
    return (
        struct draft){ .kind = kind, .identity = json_object(), .execution = json_object(), .inputs = json_object() };
}

void draft_free(struct draft *d)
{
    json_decref(d->identity);
    json_decref(d->execution);
    json_decref(d->inputs);
    free(d->inputs_of);
}

int draft_room(struct plan_build *b, size_t tasks, struct err *e)
{
    b->p->tasks = arena_array(b->arena, tasks, sizeof *b->p->tasks);
    b->cap_tasks = tasks;
    if (!b->p->tasks)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < ARRAY_LEN(uses); i++)
        if (!(b->use[i] = plan_text(b, uses[i], e)))
            return -1;
    return 0;
}

int draft_add(struct plan_build *b, struct draft *d, struct plan_task **out, struct err *e)
{
    struct plan *p = b->p;
    const struct plan_kind_facts *f = &plan_kinds[d->kind];
    const struct executor_conf *x = plan_executor(b->s, d->kind);
    if (p->n_tasks == b->cap_tasks)
        return FAIL(e, ERR_BUG, "the planner counted %zu tasks and makes more", b->cap_tasks);
    struct plan_task *t = &p->tasks[p->n_tasks];
    *t = (struct plan_task){
        .kind = f->name,
        .executor = b->use[x->use],
        .resources = resources_of(x, f),
        .time_limit_ms = (uint64_t)x->time_limit / 1000000u,
        .priority = x->priority == CONF_UNSET_INT ? f->priority : (int)x->priority,
        .deferred = f->deferred,
        .encoder = PLAN_NONE,
        .representation = PLAN_NONE,
        .benchmark = PLAN_NONE,
        .correspondence_set = PLAN_NONE,
        .image_set = PLAN_NONE,
        .score_setting = PLAN_NONE,
        .shard = -1,
    };
    describe_executor(b, d);
    TRY(finish_texts(b, d, t, e));
    t->inputs = arena_array(b->arena, d->n_inputs, sizeof *t->inputs);
    if (!t->inputs)
        return FAIL_NOMEM(e);
    if (d->n_inputs)
        memcpy(t->inputs, d->inputs_of, d->n_inputs * sizeof *t->inputs);
    t->n_inputs = d->n_inputs;
    p->n_tasks++;
    *out = t;
    return 0;
}
