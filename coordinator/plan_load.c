/* sweep.cfg -> plan: names become indices, settings get their identities; the graph itself is made in plan_tasks.c. */
#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <string.h>

#include "common/parse.h"
#include "coordinator/plan_build.h"

#define MAX_FILE_BYTES ((size_t)16 << 20)

/* The plan and its memory. `plan` comes first: plan_destroy() gets a pointer to it. */
struct plan_own {
    struct plan plan;
    struct arena arena;
};

void plan_destroy(struct plan *p)
{
    if (!p)
        return;
    struct plan_own *own = (struct plan_own *)p;
    struct arena arena = own->arena;
    free(own);
    arena_free(&arena);
}

/* ---- small helpers -------------------------------------------------------------------------------------------------- */

char *plan_text(struct plan_build *b, const char *s, struct err *e)
{
    char *copy = arena_text(b->arena, s ? s : "");
    return copy ? copy : FAIL_NULL(e, ERR_ENV, "out of memory");
}

char *plan_canonical(struct plan_build *b, json_t *o, struct err *e)
{
    AUTO(json_decref) json_t *owned = o;
    if (!owned)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    AUTO(free) char *text = json_canonical(owned, e);
    return text ? plan_text(b, text, e) : NULL;
}

char *plan_digest(struct plan_build *b, json_t *o, struct err *e)
{
    AUTO(json_decref) json_t *owned = o;
    char hex[DIGEST_HEX_SIZE];
    if (!owned)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    return digest_json(owned, hex, e) < 0 ? NULL : plan_text(b, hex, e);
}

#define KEEP(to, expr)                                                                                                 \
    do {                                                                                                               \
        if (!((to) = (expr)))                                                                                          \
            return FAIL_NOMEM(e);                                                                                      \
    } while (0)

/* "no encoder is called 'CLIP@226'; did you mean 'CLIP@224'?" `name_at` is the offset of the char *name. */
static int find(struct plan_build *b, const char *what, struct conf_text name, const void *items, size_t n, size_t size,
                size_t *i, struct err *e)
{
    AUTO(free) const char **names = malloc((n ? n : 1) * sizeof *names);
    if (!names)
        return FAIL_NOMEM(e);
    for (*i = 0; *i < n; ++*i) {
        names[*i] = *(char *const *)((const char *)items + *i * size); /* `name` is the first field of all of them */
        if (strcmp(names[*i], name.s) == 0)
            return 0;
    }
    const char *near = parse_nearest(name.s, names, n);
    return conf_fail(b->conf, name.line, e, "no %s is called '%.80s'%s%s%s", what, name.s, near ? "; did you mean '" : "",
                     near ? near : "", near ? "'?" : "");
}

int plan_find_checkpoint(struct plan_build *b, struct conf_text name, const char *role, size_t *i, struct err *e)
{
    TRY(find(b, "checkpoint", name, b->p->checkpoints, b->p->n_checkpoints, sizeof *b->p->checkpoints, i, e));
    const char *has = b->p->checkpoints[*i].role;
    if (strcmp(has, role) != 0)
        return conf_fail(b->conf, name.line, e, "checkpoint '%.80s' has role %s, but here one with role %s is needed",
                         name.s, has, role);
    return 0;
}
int plan_find_encoder(struct plan_build *b, struct conf_text name, size_t *i, struct err *e)
{
    return find(b, "encoder", name, b->p->encoders, b->p->n_encoders, sizeof *b->p->encoders, i, e);
}
int plan_find_representation(struct plan_build *b, struct conf_text name, size_t *i, struct err *e)
{
    return find(b, "representation", name, b->p->representations, b->p->n_representations,
                sizeof *b->p->representations, i, e);
}
int plan_find_image_set(struct plan_build *b, struct conf_text name, size_t *i, struct err *e)
{
    return find(b, "image set", name, b->p->image_sets, b->p->n_image_sets, sizeof *b->p->image_sets, i, e);
}
size_t plan_image_set_named(const struct plan_build *b, struct conf_text name)
{
    for (size_t i = 0; name.s && i < b->p->n_image_sets; i++)
        if (strcmp(b->p->image_sets[i].name, name.s) == 0)
            return i;
    return PLAN_NONE;
}
int plan_find_correspondence_set(struct plan_build *b, struct conf_text name, size_t *i, struct err *e)
{
    return find(b, "correspondence set", name, b->p->correspondence_sets, b->p->n_correspondence_sets,
                sizeof *b->p->correspondence_sets, i, e);
}
int plan_find_benchmark(struct plan_build *b, struct conf_text name, size_t *i, struct err *e)
{
    return find(b, "benchmark", name, b->p->benchmarks, b->p->n_benchmarks, sizeof *b->p->benchmarks, i, e);
}

json_t *plan_checkpoint_json(const struct plan_checkpoint *c)
{
    return c->digest ? json_pack("{s:s}", "digest", c->digest)
                     : json_pack("{s:s,s:s}", "name", c->name, "source", c->source);
}

json_t *plan_image_set_json(const struct plan_image_set *s)
{
    return s->digest ? json_pack("{s:s}", "digest", s->digest) : json_pack("{s:s}", "name", s->name);
}

/* A digest that the user states must be one. */
static int take_digest(struct plan_build *b, struct conf_text t, char **out, struct err *e)
{
    unsigned char bytes[32];
    struct err why = { 0 };
    *out = NULL;
    if (!t.s)
        return 0;
    const char *hex = strncmp(t.s, "sha256:", 7) == 0 ? t.s + 7 : t.s;
    if (strlen(hex) != 64 || hex_decode(hex, bytes, sizeof bytes, &why) < 0)
        return conf_fail(b->conf, t.line, e, "digest must be 64 lower-case hex digits (SHA-256), not '%.80s'", t.s);
    KEEP(*out, plan_text(b, hex, e));
    return 0;
}

static int take_choice(struct plan_build *b, const char *choices, int index, char **out, struct err *e)
{
    char name[64];
    KEEP(*out, plan_text(b, conf_choice(choices, index, name, sizeof name), e));
    return 0;
}

/* ---- the named things ----------------------------------------------------------------------------------------------- */

#define ROOM_FOR(field, list) KEEP(b->p->field, arena_array(b->arena, (list).n, sizeof *b->p->field))

static int load_checkpoints(struct plan_build *b, struct err *e)
{
    const struct checkpoint_conf *from = b->s->checkpoints.items;
    ROOM_FOR(checkpoints, b->s->checkpoints);
    for (size_t i = 0; i < b->s->checkpoints.n; i++, b->p->n_checkpoints++) {
        struct plan_checkpoint *to = &b->p->checkpoints[i];
        KEEP(to->name, plan_text(b, from[i].name.s, e));
        KEEP(to->source, plan_text(b, from[i].source.s, e));
        TRY(take_choice(b, "encoder|llm|connector", from[i].role, &to->role, e));
        TRY(take_digest(b, from[i].digest, &to->digest, e));
    }
    return 0;
}

static int load_image_sets(struct plan_build *b, struct err *e)
{
    const struct image_set_conf *from = b->s->image_sets.items;
    ROOM_FOR(image_sets, b->s->image_sets);
    for (size_t i = 0; i < b->s->image_sets.n; i++, b->p->n_image_sets++) {
        struct plan_image_set *to = &b->p->image_sets[i];
        KEEP(to->name, plan_text(b, from[i].name.s, e));
        TRY(take_choice(b, "stage1|stage2|benchmark|correspondence|other", from[i].role, &to->role, e));
        TRY(take_digest(b, from[i].digest, &to->digest, e));
        to->images = from[i].images;
    }
    return 0;
}

static int load_encoders(struct plan_build *b, struct err *e)
{
    const struct encoder_conf *from = b->s->encoders.items;
    ROOM_FOR(encoders, b->s->encoders);
    KEEP(b->encoders, calloc(b->s->encoders.n + 1, sizeof *b->encoders));
    for (size_t i = 0; i < b->s->encoders.n; i++, b->p->n_encoders++) {
        struct plan_encoder *to = &b->p->encoders[i];
        KEEP(to->name, plan_text(b, from[i].name.s, e));
        TRY(plan_find_checkpoint(b, from[i].checkpoint, "encoder", &to->checkpoint, e));
        to->resolution = (int)from[i].resolution;
        to->grid = (int)from[i].grid;
        to->channels = (int)from[i].channels;
        json_t *options = conf_json(&encoder_options_conf_table, &from[i].options, CONF_IDENTITY);
        b->encoders[i] = json_pack("{s:o,s:i,s:o}", "checkpoint",
                                   plan_checkpoint_json(&b->p->checkpoints[to->checkpoint]), "resolution",
                                   to->resolution, "options", options);
        KEEP(to->options, plan_canonical(b, json_incref(options), e));
        KEEP(to->identity, plan_digest(b, json_incref(b->encoders[i]), e));
    }
    return 0;
}

static int load_correspondence_sets(struct plan_build *b, struct err *e)
{
    const struct correspondence_set_conf *from = b->s->correspondence_sets.items;
    ROOM_FOR(correspondence_sets, b->s->correspondence_sets);
    for (size_t i = 0; i < b->s->correspondence_sets.n; i++, b->p->n_correspondence_sets++) {
        struct plan_correspondence_set *to = &b->p->correspondence_sets[i];
        KEEP(to->name, plan_text(b, from[i].name.s, e));
        KEEP(to->split, plan_text(b, from[i].split.s, e));
        TRY(plan_find_image_set(b, from[i].image_set, &to->image_set, e));
        to->pairs = from[i].pairs;
    }
    return 0;
}

static int load_benchmarks(struct plan_build *b, struct err *e)
{
    const struct benchmark_conf *from = b->s->benchmarks.items;
    ROOM_FOR(benchmarks, b->s->benchmarks);
    for (size_t i = 0; i < b->s->benchmarks.n; i++, b->p->n_benchmarks++) {
        struct plan_benchmark *to = &b->p->benchmarks[i];
        KEEP(to->name, plan_text(b, from[i].name.s, e));
        KEEP(to->metric, plan_text(b, from[i].metric.s, e));
        KEEP(to->group, plan_text(b, from[i].group.s, e));
        to->questions = from[i].questions;
        to->maximum = from[i].maximum;
        to->weight = b->s->policy.target.n ? 0 : 1;
        if (from[i].correspondence_set.s)
            TRY(plan_find_correspondence_set(b, from[i].correspondence_set, &to->correspondence_set, e));
        else if (b->p->n_correspondence_sets == 0)
            return conf_fail(b->conf, from[i].line, e, "a benchmark needs a correspondence set for its C score, but "
                             "correspondence_sets is empty");
    }
    return 0;
}

static int load_targets(struct plan_build *b, struct err *e)
{
    const struct target_conf *from = b->s->policy.target.items;
    for (size_t i = 0; i < b->s->policy.target.n; i++) {
        size_t benchmark;
        TRY(plan_find_benchmark(b, from[i].benchmark, &benchmark, e));
        if (b->p->benchmarks[benchmark].weight > 0)
            return conf_fail(b->conf, from[i].line, e, "benchmark '%.80s' is a target twice", from[i].benchmark.s);
        b->p->benchmarks[benchmark].weight = from[i].weight;
    }
    return 0;
}

static void load_policy(struct plan_build *b)
{
    const struct policy_conf *from = &b->s->policy;
    b->p->policy = (struct plan_policy){
        .mode = (enum plan_policy_mode)from->mode,
        .seed = (uint64_t)(from->seed == CONF_UNSET_INT ? b->s->seed : from->seed),
        .batch = (int)from->batch,
        .budget_fine_tunes = (int)from->budget.fine_tunes,
        .budget_gpu_hours = from->budget.gpu_hours,
        .direction_prior = from->direction_prior,
        .stop_confidence = from->stop_confidence,
        .rank_measured_first = from->rank == 0,
        .small_first = from->screen == 1,
        .screen_members = (int)from->screen_members,
        .screen_batch = (int)from->screen_batch,
    };
}

static void load_retries(struct plan_build *b)
{
    const struct retries_conf *from = &b->s->retries;
    b->p->retry = (struct plan_retry){
        .budget = { 0, (int)from->infrastructure, (int)from->preempted, (int)from->gpu_oom, (int)from->host_oom,
                    (int)from->data, (int)from->code, (int)from->timeout },
        .backoff_ns = from->backoff,
        .backoff_max_ns = from->backoff_max,
    };
}

/* ---- score settings ------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

/* The references as identities, in the order of the identities, because a mean over references has no order. */
static json_t *reference_identities(struct plan_build *b)
{
    AUTO(free) json_t **sorted = calloc(b->n_references + 1, sizeof *sorted);
    json_t *all = json_array();
    if (!sorted || !all)
        return all;
    for (size_t i = 0; i < b->n_references; i++)
        sorted[i] = json_string(b->p->representations[b->references[i]].identity);
    qsort(sorted, b->n_references, sizeof *sorted, by_text);
    for (size_t i = 0; i < b->n_references; i++)
        json_array_append_new(all, sorted[i]);
    return all;
}

/* `settings` shows names to people; the identity holds what they stand for. */
static int add_setting(struct plan_build *b, const char *score, json_t *settings, json_t *references, json_t *names,
                       size_t *index, struct err *e)
{
    struct plan_score_setting *to = &b->p->score_settings[b->p->n_score_settings];
    AUTO(json_decref) json_t *own = settings;
    if (references)
        json_object_set_new(own, "references", references);
    KEEP(to->score, plan_text(b, score, e));
    KEEP(to->identity, plan_digest(b, json_pack("{s:s,s:O}", "score", score, "settings", own), e));
    if (names)
        json_object_set_new(own, "references", names);
    KEEP(to->settings, plan_canonical(b, json_incref(own), e));
    *index = b->p->n_score_settings++;
    return 0;
}

static int refuse_floor(struct plan_build *b, struct conf_text name, struct err *e)
{
    for (size_t f = b->p->n_representations; f < plan_scored(b->p); f++)
        if (strcmp(b->p->representations[f].name, name.s) == 0)
            return conf_fail(b->conf, name.line, e, "'%.80s' is a floor; a reference must be in the search space", name.s);
    return 0;
}

static int load_references(struct plan_build *b, struct err *e)
{
    const struct conf_list *from = &b->s->scores.a.references;
    const struct conf_text *names = from->items;
    KEEP(b->references, calloc(from->n + 1, sizeof *b->references));
    for (size_t i = 0; i < from->n; i++) {
        TRY(refuse_floor(b, names[i], e));
        TRY(plan_find_representation(b, names[i], &b->references[i], e));
        for (size_t k = 0; k < i; k++)
            if (b->references[k] == b->references[i])
                return conf_fail(b->conf, names[i].line, e, "reference '%.80s' is named twice", names[i].s);
        b->n_references++;
    }
    return 0;
}

/* What came later is in it only where it is used: older results stay what they were. */
json_t *plan_setting_a(const struct plan_build *b)
{
    json_t *setting = conf_json(&score_a_conf_table, &b->s->scores.a, CONF_IDENTITY);
    if (b->s->scores.a.nearest)
        json_object_set_new(setting, "nearest", json_true());
    return setting;
}

json_t *plan_setting_c(const struct plan_build *b)
{
    json_t *setting = conf_json(&score_c_conf_table, &b->s->scores.c, CONF_IDENTITY);
    if (b->s->scores.c.grid == SCORE_C_GRID_FINEST)
        json_object_set_new(setting, "grid", json_string("finest"));
    return setting;
}

static int load_settings(struct plan_build *b, struct err *e)
{
    KEEP(b->p->score_settings, arena_array(b->arena, 2, sizeof *b->p->score_settings));
    TRY(load_references(b, e));
    json_t *names = json_array();
    for (size_t i = 0; i < b->n_references; i++)
        json_array_append_new(names, json_string(b->p->representations[b->references[i]].name));
    TRY(add_setting(b, "a", plan_setting_a(b), reference_identities(b), names, &b->setting_a, e));
    return add_setting(b, "c", plan_setting_c(b), NULL, NULL, &b->setting_c, e);
}

/* ---- replay --------------------------------------------------------------------------------------------------------- */

static bool any_replay(const struct sweep_conf *s)
{
    for (int k = 0; k < KIND_FAKE; k++)
        if (plan_kinds[k].makes_number && plan_executor(s, (enum plan_kind)k)->use == USE_REPLAY)
            return true;
    return false;
}

static int load_replay(struct plan_build *b, plan_read_fn *read, void *arg, struct err *e)
{
    struct conf_text table = b->s->replay.table;
    if (!any_replay(b->s))
        return 0;
    if (!table.s)
        return conf_fail(b->conf, 0, e, "an executor replays, but replay.table names no CSV file");
    if (!read)
        return conf_fail(b->conf, table.line, e, "replay.table: no way to read files here");
    AUTO(free) char *text = read(table.s, arg, e);
    if (!text)
        return err_wrap(e, "%s:%d: replay.table", conf_place(b->conf), table.line);
    b->replay = policy_table_parse(text, strlen(text), table.s, e);
    return b->replay ? 0 : -1;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

static int load_names(struct plan_build *b, struct err *e)
{
    KEEP(b->p->name, plan_text(b, b->s->name.s, e));
    KEEP(b->p->note, plan_text(b, b->s->note.s, e));
    KEEP(b->p->store, plan_text(b, b->s->artifacts.store.s, e));
    return 0;
}

static void load_stage1(struct plan_build *b)
{
    const struct train_conf *stage1 = &b->s->stage1;
    b->p->stage1_samples = stage1->samples;
    b->p->screening_samples = stage1->screening_samples ? stage1->screening_samples : stage1->samples;
}

static int build(struct plan_build *b, const char *text, plan_read_fn *read, void *arg, const struct plan_known *known,
                 struct err *e)
{
    TRY(load_names(b, e));
    TRY(plan_check_names(b->s, b->conf, e));
    load_policy(b);
    load_retries(b);
    load_stage1(b);
    TRY(load_checkpoints(b, e));
    TRY(load_image_sets(b, e));
    TRY(plan_identify(b, known, e));
    TRY(plan_identify_config(b, text, known, e));
    TRY(load_encoders(b, e));
    TRY(load_correspondence_sets(b, e));
    TRY(load_benchmarks(b, e));
    TRY(load_targets(b, e));
    if (b->s->llm.checkpoint.s)
        TRY(plan_find_checkpoint(b, b->s->llm.checkpoint, "llm", &b->llm, e));
    TRY(plan_space(b, e));
    TRY(plan_check_space(b, e));
    if (b->p->policy.mode == PLAN_POLICY_EXHAUSTIVE) /* everything, whatever the budget of the others would be */
        b->p->policy.budget_fine_tunes = (int)b->p->n_representations;
    TRY(load_settings(b, e));
    TRY(load_replay(b, read, arg, e));
    TRY(plan_check(b, e));
    TRY(b->p->identifies ? plan_identify_tasks(b, known, e) : plan_tasks(b, e));
    plan_bundles(b);
    return 0;
}

static void build_free(struct plan_build *b)
{
    for (size_t i = 0; b->encoders && i < b->p->n_encoders; i++)
        json_decref(b->encoders[i]);
    for (size_t i = 0; b->representations && i < plan_scored(b->p); i++)
        json_decref(b->representations[i]);
    free(b->encoders);
    free(b->representations);
    free(b->references);
    policy_table_destroy(b->replay);
}

struct plan *plan_load(const char *text, const char *place, plan_read_fn *read, void *arg,
                       const struct plan_known *known, struct err *e)
{
    AUTO(conf_destroy) struct conf *c = conf_parse(&sweep_conf_table, text, place, e);
    if (!c)
        return NULL;
    struct plan_own *own = calloc(1, sizeof *own);
    if (!own)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    AUTO(plan_destroy) struct plan *p = &own->plan;
    struct plan_build b = { .p = p, .arena = &own->arena, .conf = c, .s = conf_values(c), .llm = PLAN_NONE };
    int rc = build(&b, text, read, arg, known, e);
    build_free(&b);
    return rc < 0 ? NULL : TAKE(p);
}

/* `arg` is the directory of the config. */
static char *read_beside(const char *name, void *arg, struct err *e)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s%s%s", name[0] == '/' ? "" : (const char *)arg, name[0] == '/' ? "" : "/", name);
    if (n < 0 || (size_t)n >= sizeof path)
        return FAIL_NULL(e, ERR_INPUT, "%.100s...: path too long", name);
    return conf_read_file(path, MAX_FILE_BYTES, e);
}

struct plan *plan_load_file(const char *path, struct err *e)
{
    AUTO(free) char *text = conf_read_file(path, CONF_MAX_BYTES, e);
    AUTO(free) char *copy = text ? strdup(path) : NULL;
    if (!copy)
        return text ? FAIL_NULL(e, ERR_ENV, "out of memory") : NULL;
    return plan_load(text, path, read_beside, dirname(copy), NULL, e);
}

int plan_files(const char *text, const char *place, char ***names, size_t *n, struct err *e)
{
    AUTO(conf_destroy) struct conf *c = conf_parse(&sweep_conf_table, text, place, e);
    if (!c)
        return -1;
    const struct sweep_conf *s = conf_values(c);
    AUTO(free) char **list = calloc(1, sizeof *list);
    *n = 0;
    if (!list)
        return FAIL_NOMEM(e);
    if (any_replay(s) && s->replay.table.s) {
        KEEP(list[0], strdup(s->replay.table.s));
        *n = 1;
    }
    *names = TAKE(list);
    return 0;
}
