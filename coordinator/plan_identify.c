/* Content digests in identities. An outside file or directory that native tasks read counts by its content: the digest
 * that the config states, or else the one that an identify task finds. So a sweep is planned twice: first only its
 * identify tasks, then, with their answers, everything. Both plans come from the config and the few facts in struct
 * plan_known, which are stored with the sweep, so a new leader plans the same.
 *
 * What only other executors read (command, replay, fake) counts by its name, as before: they know their data
 * themselves. */
#include <string.h>

#include "coordinator/plan_draft.h"

enum { ENCODERS = 1, LLM = 2, PAIRS = 4, SAMPLES1 = 8, SAMPLES2 = 16, BENCHMARKS = 32 };

static const unsigned reads[KIND_FAKE] = {
    [KIND_EXTRACT] = ENCODERS | PAIRS,
    [KIND_STAGE1] = ENCODERS | LLM | SAMPLES1,
    [KIND_SCORE_A] = ENCODERS | LLM | BENCHMARKS,
    [KIND_SCORE_C] = PAIRS,
    [KIND_STAGE2] = ENCODERS | LLM | SAMPLES2,
    [KIND_EVALUATE] = ENCODERS | LLM | BENCHMARKS,
};

static unsigned read_by_native(const struct sweep_conf *s)
{
    unsigned all = 0;
    for (int k = 0; k < KIND_FAKE; k++)
        if (plan_executor(s, (enum plan_kind)k)->use == USE_NATIVE)
            all |= reads[k];
    return all;
}

/* ---- which of them are read ---------------------------------------------------------------------------------------
 */

static bool holds(const struct conf_list *names, const char *name)
{
    const struct conf_text *all = names->items;
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(all[i].s, name) == 0)
            return true;
    return false;
}

/* In some representation, as far as can be seen before the rules are applied. */
static bool encoder_is_used(const struct space_conf *space, const char *name)
{
    const struct representation_conf *list = space->list.items;
    for (size_t i = 0; i < space->list.n; i++)
        if (holds(&list[i].members, name))
            return true;
    if (plan_floor_names(space, name))
        return true;
    return space->generate.max_size > 0 && (!space->generate.encoders.n || holds(&space->generate.encoders, name));
}

/* Names that nothing bears are left to the checks that come later. */
static void want_checkpoint(struct plan_build *b, struct conf_text name)
{
    for (size_t i = 0; name.s && i < b->p->n_checkpoints; i++)
        if (strcmp(b->p->checkpoints[i].name, name.s) == 0)
            b->p->checkpoints[i].is_read = true;
}

static void want_image_set(struct plan_build *b, struct conf_text name)
{
    for (size_t i = 0; name.s && i < b->p->n_image_sets; i++)
        if (strcmp(b->p->image_sets[i].name, name.s) == 0)
            b->p->image_sets[i].is_read = true;
}

static void want_data(struct plan_build *b, unsigned what)
{
    const struct sweep_conf *s = b->s;
    const struct correspondence_set_conf *pairs = s->correspondence_sets.items;
    const struct benchmark_conf *benchmarks = s->benchmarks.items;
    for (size_t i = 0; (what & PAIRS) && i < s->correspondence_sets.n; i++)
        want_image_set(b, pairs[i].image_set);
    for (size_t i = 0; (what & BENCHMARKS) && i < s->benchmarks.n; i++)
        want_image_set(b, benchmarks[i].image_set);
    if (what & SAMPLES1)
        want_image_set(b, s->stage1.image_set);
    if (what & SAMPLES2)
        want_image_set(b, s->stage2.image_set);
}

static void want_all(struct plan_build *b)
{
    const struct sweep_conf *s = b->s;
    const struct encoder_conf *encoders = s->encoders.items;
    unsigned what = read_by_native(s);
    if (!s->representations.list.n && s->representations.generate.max_size == 0)
        return;
    for (size_t i = 0; (what & ENCODERS) && i < s->encoders.n; i++)
        if (encoder_is_used(&s->representations, encoders[i].name.s))
            want_checkpoint(b, encoders[i].checkpoint);
    if (what & LLM)
        want_checkpoint(b, s->llm.checkpoint);
    want_data(b, what);
}

/* ---- what is known ------------------------------------------------------------------------------------------------
 */

static int take_known(struct plan_build *b, const struct plan_known *known, const char *name, bool is_read,
                      char **digest, bool *identified, struct err *e)
{
    if (!is_read || *digest)
        return 0;
    for (size_t i = 0; known && i < known->n; i++)
        if (strcmp(known->names[i], name) == 0) {
            *identified = true;
            *digest = plan_text(b, known->digests[i], e);
            return *digest ? 0 : -1;
        }
    b->p->n_unknown++;
    return 0;
}

int plan_identify(struct plan_build *b, const struct plan_known *known, struct err *e)
{
    struct plan *p = b->p;
    want_all(b);
    for (size_t i = 0; i < p->n_checkpoints; i++) {
        struct plan_checkpoint *c = &p->checkpoints[i];
        TRY(take_known(b, known, c->name, c->is_read, &c->digest, &c->identified, e));
    }
    for (size_t i = 0; i < p->n_image_sets; i++) {
        struct plan_image_set *s = &p->image_sets[i];
        TRY(take_known(b, known, s->name, s->is_read, &s->digest, &s->identified, e));
    }
    p->identifies = known && p->n_unknown > 0;
    return 0;
}

/* Text alone, as long as nothing is found out; so sweeps that state digests, or need none, are what they were. */
int plan_identify_config(struct plan_build *b, const char *text, const struct plan_known *known, struct err *e)
{
    AUTO(buf_free) struct buf all = BUF_INIT(CONF_MAX_BYTES * 4);
    char hex[DIGEST_HEX_SIZE];
    const struct plan *p = b->p;
    buf_puts(&all, text);
    if (p->identifies)
        buf_printf(&all, "\nidentify %s", known->submission);
    for (size_t i = 0; !p->identifies && i < p->n_checkpoints; i++)
        if (p->checkpoints[i].identified)
            buf_printf(&all, "\ncontent %s %s", p->checkpoints[i].digest, p->checkpoints[i].name);
    for (size_t i = 0; !p->identifies && i < p->n_image_sets; i++)
        if (p->image_sets[i].identified)
            buf_printf(&all, "\ncontent %s %s", p->image_sets[i].digest, p->image_sets[i].name);
    TRY(buf_check(&all, "the config", e));
    digest_bytes(buf_text(&all), all.len, hex);
    b->p->config_digest = plan_text(b, hex, e);
    return b->p->config_digest ? 0 : -1;
}

/* ---- finding out --------------------------------------------------------------------------------------------------
 */

static bool is_unknown(bool is_read, const char *digest)
{
    return is_read && !digest;
}

static int add_identify(struct plan_build *b, const char *is, const char *name, const char *submission, struct err *e)
{
    struct draft d = draft_start(KIND_IDENTIFY);
    struct plan_task *t;
    snprintf(d.label, sizeof d.label, "identify %s", name);
    draft_put(d.identity, "is", json_string(is));
    draft_put(d.identity, "name", json_string(name));
    draft_put(d.identity, "submission", json_string(submission));
    int rc = draft_add(b, &d, &t, e);
    draft_free(&d);
    return rc;
}

int plan_identify_tasks(struct plan_build *b, const struct plan_known *known, struct err *e)
{
    const struct plan *p = b->p;
    TRY(draft_room(b, p->n_unknown, e));
    for (size_t i = 0; i < p->n_checkpoints; i++)
        if (is_unknown(p->checkpoints[i].is_read, p->checkpoints[i].digest))
            TRY(add_identify(b, "checkpoint", p->checkpoints[i].name, known->submission, e));
    for (size_t i = 0; i < p->n_image_sets; i++)
        if (is_unknown(p->image_sets[i].is_read, p->image_sets[i].digest))
            TRY(add_identify(b, "image_set", p->image_sets[i].name, known->submission, e));
    return 0;
}

const char *plan_identified(const struct plan *p, size_t task)
{
    for (size_t i = 0; i < p->n_checkpoints; i++)
        if (is_unknown(p->checkpoints[i].is_read, p->checkpoints[i].digest) && task-- == 0)
            return p->checkpoints[i].name;
    for (size_t i = 0; i < p->n_image_sets; i++)
        if (is_unknown(p->image_sets[i].is_read, p->image_sets[i].digest) && task-- == 0)
            return p->image_sets[i].name;
    return "";
}
