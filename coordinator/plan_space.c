/* The search space: the representations of the list, then all combinations that the rules generate, each once. And behind it
 * the floors. */
#include <math.h>
#include <string.h>

#include "common/buf.h"
#include "coordinator/plan_build.h"

#define MAX_NAME 255
#define MAX_FLOORS 64
/* Steps of the enumeration, so that rules which reject nearly all of a huge space end with an error, not in a week. */
#define MAX_STEPS 1000000L

struct space {
    struct plan_build *b;
    const struct generate_conf *g;
    size_t *from, n_from; /* encoders to combine */
    size_t n_listed;      /* of those named one by one */
    long steps;
    bool floors; /* what is added is no member of the space */
};

/* ---- one representation --------------------------------------------------------------------------------------------- */

static int finest_grid(const struct plan *p, const size_t *members, size_t n)
{
    int finest = 0;
    for (size_t i = 0; i < n; i++) {
        int grid = p->encoders[members[i]].grid;
        if (!grid)
            return 0;
        finest = grid > finest ? grid : finest;
    }
    return finest;
}

/* A target grid that is the finest member's anyway is written as 0, so that stating grids changes no identity. */
static json_t *representation_json(struct plan_build *b, const struct plan_representation *r, int fusion, int target)
{
    char name[32];
    json_t *members = json_array();
    for (size_t i = 0; members && i < r->n_members; i++)
        json_array_append(members, b->encoders[r->members[i]]);
    int finest = finest_grid(b->p, r->members, r->n_members);
    return json_pack("{s:o,s:s,s:i}", "members", members, "fusion", conf_choice("raw|normalised", fusion, name, sizeof name),
                     "target_grid", target == finest ? 0 : target);
}

static bool same_members(const struct plan_representation *r, const size_t *members, size_t n)
{
    if (r->n_members != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found |= r->members[k] == members[i];
        if (!found)
            return false;
    }
    return true;
}

static int add(struct space *s, const char *name, const size_t *members, size_t n, int target, int fusion, int line,
               struct err *e)
{
    struct plan_build *b = s->b;
    struct plan *p = b->p;
    size_t *n_own = s->floors ? &p->n_floors : &p->n_representations;
    if (!s->floors && p->n_representations == POLICY_MAX_REPRESENTATIONS)
        return conf_fail(b->conf, line, e, "the search space has more than %d representations; use a smaller max_size, or "
                         "exclude rules", POLICY_MAX_REPRESENTATIONS);
    TRY(plan_check_name(b->conf, "a representation", name, MAX_NAME, line, e));
    for (size_t i = 0; i < plan_scored(p); i++)
        if (strcmp(p->representations[i].name, name) == 0)
            return conf_fail(b->conf, line, e, "two representations are called '%.80s'", name);
    struct plan_representation *r = &p->representations[plan_scored(p)];
    r->members = arena_array(b->arena, n, sizeof *r->members);
    if (!r->members)
        return FAIL_NOMEM(e);
    memcpy(r->members, members, n * sizeof *members);
    r->n_members = n;
    int finest = finest_grid(p, members, n);
    r->target_grid = target ? target : finest;
    json_t *all = b->representations[plan_scored(p)] = representation_json(b, r, fusion, target);
    ++*n_own; /* from here on build_free() releases it */
    if (!all || !(r->name = plan_text(b, name, e)) || !(r->identity = plan_digest(b, json_incref(all), e)))
        return FAIL_NOMEM(e);
    r->options = plan_canonical(b, json_pack("{s:O}", "fusion", json_object_get(all, "fusion")), e);
    return r->options ? 0 : -1;
}

static int join_names(struct space *s, const size_t *members, size_t n, char name[MAX_NAME + 1], int line, struct err *e)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        int len = snprintf(name + at, MAX_NAME + 1 - at, "%s%s", i ? s->g->separator.s : "",
                           s->b->p->encoders[members[i]].name);
        if (len < 0 || (size_t)len > MAX_NAME - at)
            return conf_fail(s->b->conf, line, e, "the joined names of a combination are longer than %d bytes; use "
                             "shorter encoder names", MAX_NAME);
        at += (size_t)len;
    }
    return 0;
}

/* ---- the list ------------------------------------------------------------------------------------------------------- */

static int add_listed(struct space *s, const struct representation_conf *from, struct err *e)
{
    const struct conf_text *names = from->members.items;
    size_t n = from->members.n, members[32];
    char joined[MAX_NAME + 1] = "";
    if (n == 0 || n > ARRAY_LEN(members))
        return conf_fail(s->b->conf, from->line, e, "a representation has 1..%zu members, not %zu", ARRAY_LEN(members), n);
    for (size_t i = 0; i < n; i++) {
        TRY(plan_find_encoder(s->b, names[i], &members[i], e));
        for (size_t k = 0; k < i; k++)
            if (members[k] == members[i])
                return conf_fail(s->b->conf, names[i].line, e, "encoder '%.80s' is a member twice", names[i].s);
    }
    if (!from->name.s)
        TRY(join_names(s, members, n, joined, from->line, e));
    return add(s, from->name.s ? from->name.s : joined, members, n, (int)from->target_grid, from->fusion, from->line, e);
}

/* ---- generated combinations ----------------------------------------------------------------------------------------- */

static int rules_match(struct space *s, const struct conf_list *rules, const size_t *members, size_t n, bool *match,
                       struct err *e)
{
    const struct rule_conf *rule = rules->items;
    *match = false;
    for (size_t i = 0; i < rules->n && !*match; i++) {
        const struct conf_text *names = rule[i].together.items;
        bool all = true;
        for (size_t k = 0; k < rule[i].together.n && all; k++) {
            size_t encoder;
            TRY(plan_find_encoder(s->b, names[k], &encoder, e));
            all = false;
            for (size_t m = 0; m < n; m++)
                all |= members[m] == encoder;
        }
        *match = all;
    }
    return 0;
}

static bool grids_differ(const struct plan *p, const size_t *members, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (n > 1 && (p->encoders[members[i]].grid == 0 || p->encoders[members[i]].grid != p->encoders[members[0]].grid))
            return true;
    return false;
}

static int consider(struct space *s, const size_t *members, size_t n, struct err *e)
{
    const struct generate_conf *g = s->g;
    struct plan *p = s->b->p;
    bool match = true;
    char name[MAX_NAME + 1];
    if (++s->steps > MAX_STEPS)
        return conf_fail(s->b->conf, g->line, e, "more than %ld combinations to look at; use a smaller max_size or fewer "
                         "encoders", MAX_STEPS);
    if (g->include.n)
        TRY(rules_match(s, &g->include, members, n, &match, e));
    if (!match || (g->same_grid && grids_differ(p, members, n)))
        return 0;
    TRY(rules_match(s, &g->exclude, members, n, &match, e));
    if (match)
        return 0;
    for (size_t i = 0; i < s->n_listed; i++)
        if (same_members(&p->representations[i], members, n))
            return 0; /* listed by hand, perhaps under another name */
    TRY(join_names(s, members, n, name, g->line, e));
    return add(s, name, members, n, (int)g->target_grid, g->fusion, g->line, e);
}

/* Combinations of `size` in lexical order of the encoders: pick[] holds positions in s->from. */
static int combine(struct space *s, size_t size, struct err *e)
{
    size_t pick[32], members[32];
    for (size_t i = 0; i < size; i++)
        pick[i] = i;
    for (;;) {
        for (size_t i = 0; i < size; i++)
            members[i] = s->from[pick[i]];
        TRY(consider(s, members, size, e));
        size_t i = size;
        while (i > 0 && pick[i - 1] == s->n_from - size + i - 1)
            i--;
        if (i == 0)
            return 0;
        pick[i - 1]++;
        for (; i < size; i++)
            pick[i] = pick[i - 1] + 1;
    }
}

static int take_named(struct space *s, struct err *e)
{
    const struct conf_list *encoders = &s->g->encoders;
    const struct conf_text *names = encoders->items;
    for (size_t i = 0; i < encoders->n; i++) {
        TRY(plan_find_encoder(s->b, names[i], &s->from[i], e));
        for (size_t k = 0; k < i; k++)
            if (s->from[k] == s->from[i])
                return conf_fail(s->b->conf, encoders->line, e, "encoder '%.80s' is named twice", names[i].s);
    }
    s->n_from = encoders->n;
    return 0;
}

bool plan_floor_names(const struct space_conf *space, const char *encoder)
{
    const struct representation_conf *floors = space->floors.items;
    for (size_t i = 0; i < space->floors.n; i++)
        for (size_t k = 0; k < floors[i].members.n; k++)
            if (strcmp(((const struct conf_text *)floors[i].members.items)[k].s, encoder) == 0)
                return true;
    return false;
}

/* What only stands for chance does not get into combinations by itself. */
static void take_all(struct space *s)
{
    const struct plan *p = s->b->p;
    for (size_t i = 0; i < p->n_encoders; i++)
        if (!plan_floor_names(&s->b->s->representations, p->encoders[i].name))
            s->from[s->n_from++] = i;
}

static int generate(struct space *s, struct err *e)
{
    const struct generate_conf *g = s->g;
    size_t most = g->encoders.n > s->b->p->n_encoders ? g->encoders.n : s->b->p->n_encoders;
    AUTO(free) size_t *from = s->from = calloc(most + 1, sizeof *from);
    if (!from)
        return FAIL_NOMEM(e);
    if (g->encoders.n)
        TRY(take_named(s, e));
    else
        take_all(s);
    if (g->max_size && g->min_size > g->max_size)
        return conf_fail(s->b->conf, g->line, e, "min_size %lld is above max_size %lld", (long long)g->min_size,
                         (long long)g->max_size);
    for (size_t size = (size_t)g->min_size; size <= (size_t)g->max_size && size <= s->n_from; size++)
        TRY(combine(s, size, e));
    return 0;
}

static int add_floors(struct space *s, struct err *e)
{
    const struct conf_list *from = &s->b->s->representations.floors;
    const struct representation_conf *floors = from->items;
    if (from->n > MAX_FLOORS)
        return conf_fail(s->b->conf, from->line, e, "more than %d floors", MAX_FLOORS);
    s->floors = true;
    for (size_t i = 0; i < from->n; i++) {
        TRY(add_listed(s, &floors[i], e));
        if (strcmp(s->b->p->representations[plan_scored(s->b->p) - 1].name, PLAN_POSITION) == 0)
            return conf_fail(s->b->conf, floors[i].line, e, "'" PLAN_POSITION "' is what the position-only floor of the C score is "
                             "called; give this floor another name");
    }
    return 0;
}

int plan_space(struct plan_build *b, struct err *e)
{
    const struct space_conf *from = &b->s->representations;
    const struct representation_conf *list = from->list.items;
    struct space s = { .b = b, .g = &from->generate };
    size_t cap = POLICY_MAX_REPRESENTATIONS + MAX_FLOORS;
    b->p->representations = arena_array(b->arena, cap, sizeof *b->p->representations);
    b->representations = calloc(cap, sizeof(json_t *));
    if (!b->p->representations || !b->representations)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < from->list.n; i++)
        TRY(add_listed(&s, &list[i], e));
    s.n_listed = b->p->n_representations;
    TRY(generate(&s, e));
    return add_floors(&s, e);
}
