#include "worker/exec/native_passes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tasks ---------------------------------------------------------------------------------------------------------
 */

/* What a member's features were made by: a digest of its shards' identities, in their order. */
static void read_key(struct native_item *x, size_t member)
{
    char prefix[40], text[2 * DIGEST_HEX_SIZE] = "";
    size_t len = (size_t)snprintf(prefix, sizeof prefix, "features:%zu:", member);
    for (size_t i = 0; i < x->t->spec->n_inputs; i++) {
        const Acsweep__InputRef *in = x->t->spec->inputs[i];
        if (strncmp(in->name, prefix, len) != 0)
            continue;
        snprintf(text, sizeof text, "%.64s%.64s", x->keys[member], in->identity);
        digest_bytes(text, strlen(text), x->keys[member]);
    }
    x->members[member] = x->keys[member];
}

int native_item_read(struct native_item *x, const struct exec_task *t, struct err *e)
{
    size_t n = json_array_size(json_object_get(json_object_get(t->execution, "names"), "members"));
    if (n < 1 || n > C_ENCODERS_MAX)
        return FAIL(e, ERR_INPUT, "a representation of %zu encoders; 1 to %d can be scored", n, C_ENCODERS_MAX);
    *x = (struct native_item){ .t = t, .n_members = n };
    for (size_t m = 0; m < n; m++)
        read_key(x, m);
    return 0;
}

static bool same_part(json_t *a, json_t *b, const char *part)
{
    json_t *x = json_object_get(a, part), *y = json_object_get(b, part);
    return x == y || json_equal(x, y); /* neither may have it */
}

static bool same_path(const struct exec_task *a, const struct exec_task *b)
{
    const char *const parts[] = { "names", "image_set" };
    json_t *x = a->execution, *y = b->execution;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        x = json_object_get(x, parts[i]);
        y = json_object_get(y, parts[i]);
    }
    return json_equal(x, y);
}

/* All but the representation; of that, only the grid. */
static bool alike(const struct exec_task *a, const struct exec_task *b)
{
    return same_part(a->identity, b->identity, "setting") &&
           same_part(a->identity, b->identity, "correspondence_set") &&
           same_part(json_object_get(a->identity, "representation"), json_object_get(b->identity, "representation"),
                     "target_grid") &&
           same_path(a, b) &&
           same_part(json_object_get(a->execution, "pictures"), json_object_get(b->execution, "pictures"), "pairs");
}

/* ---- a pass --------------------------------------------------------------------------------------------------------
 */

const struct native_item *native_pass_member(const struct native_pass *p, size_t k, size_t *member)
{
    for (size_t i = 0; i < p->n; i++)
        for (*member = 0; *member < p->items[i]->n_members; ++*member)
            if (strcmp(p->items[i]->members[*member], p->all.keys[k]) == 0)
                return p->items[i];
    return NULL; /* the union has no others */
}

static bool has_member(const struct native_item *x, const char *key)
{
    for (size_t m = 0; m < x->n_members; m++)
        if (strcmp(x->members[m], key) == 0)
            return true;
    return false;
}

static uint32_t mask_of(const struct native_pass *p, const struct native_item *x)
{
    uint32_t mask = 0;
    for (size_t m = 0; m < x->n_members; m++)
        mask |= UINT32_C(1) << p->place[c_union_find(&p->all, x->members[m])];
    return mask;
}

static void list_subsets(struct native_pass *p)
{
    c_union_places(&p->all, p->place);
    p->n_subsets = 0;
    for (size_t i = 0; i < p->n; i++) {
        uint32_t mask = mask_of(p, p->items[i]);
        size_t s = 0;
        while (s < p->n_subsets && p->subsets[s] != mask)
            s++;
        p->subsets[s] = mask;
        p->n_subsets += s == p->n_subsets;
        p->items[i]->subset = s;
    }
}

/* The first item that is left, and what can go with it. */
static void gather(struct native_pass *p, struct native_item *items, size_t n)
{
    p->n = 0;
    p->all = (struct c_union){ .n = 0 };
    for (size_t i = 0; i < n; i++) {
        struct native_item *x = &items[i];
        if (x->taken || (p->n && !alike(p->items[0]->t, x->t)) || !c_union_add(&p->all, x->members, x->n_members))
            continue;
        x->taken = true;
        p->items[p->n++] = x;
    }
    list_subsets(p);
}

static int pass_init(struct native_pass *p, size_t n, struct err *e)
{
    *p = (struct native_pass){ .items = calloc(n, sizeof *p->items), .subsets = calloc(n, sizeof *p->subsets) };
    return p->items && p->subsets ? 0 : FAIL_NOMEM(e);
}

static void pass_free_cleanup(struct native_pass *p)
{
    free(p->items);
    free(p->subsets);
}

static int no_pass(struct err *e)
{
    return FAIL(e, ERR_INPUT, "a representation that has an encoder twice cannot be scored");
}

int native_pass_alone(const struct exec_task *t, struct exec_result *r, native_pass_fn *score, struct err *e)
{
    AUTO(pass_free) struct native_pass p = { 0 };
    AUTO(free) struct native_item *x = calloc(1, sizeof *x);
    if (!x)
        return FAIL_NOMEM(e);
    TRY(pass_init(&p, 1, e));
    TRY(native_item_read(x, t, e));
    x->r = r;
    gather(&p, x, 1);
    return p.n ? score(&p, e) : no_pass(e);
}

/* ---- a bundle ------------------------------------------------------------------------------------------------------
 */

static int report_pass(struct exec_bundle *b, const struct native_pass *p, struct err *e)
{
    AUTO(free) size_t *which = calloc(p->n, sizeof *which);
    if (!which)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < p->n; i++)
        which[i] = p->items[i]->index;
    return exec_report(b, which, p->n, e);
}

static int fail_pass(struct exec_bundle *b, const struct native_pass *p, const struct err *why, bool together,
                     struct err *e)
{
    for (size_t i = 0; i < p->n; i++)
        exec_result_error_of_many(p->items[i]->t, p->items[i]->r, why, together ? p->n : 1);
    return report_pass(b, p, e);
}

/* Those that need what cannot be read fail by themselves; the others go back among what is left. */
static int fail_bad(struct exec_bundle *b, struct native_pass *p, const struct err *why, struct err *e)
{
    const char *bad = p->all.keys[p->bad];
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        p->items[i]->taken = has_member(p->items[i], bad);
        if (p->items[i]->taken)
            p->items[n++] = p->items[i];
    }
    p->n = n;
    return fail_pass(b, p, why, false, e);
}

static int run_passes(struct exec_bundle *b, struct native_item *items, size_t n, native_pass_fn *score, struct err *e)
{
    AUTO(pass_free) struct native_pass p = { 0 };
    TRY(pass_init(&p, n, e));
    for (gather(&p, items, n); p.n; gather(&p, items, n)) {
        struct err why = { 0 };
        if (score(&p, &why) == 0)
            TRY(report_pass(b, &p, e));
        else if (why.kind == ERR_INTERRUPTED)
            return *e = why, -1;
        else if (p.bad < p.all.n)
            TRY(fail_bad(b, &p, &why, e));
        else
            TRY(fail_pass(b, &p, &why, true, e));
    }
    for (size_t i = 0; i < n; i++)
        if (!items[i].taken)
            return no_pass(e);
    return 0;
}

int native_passes_run(struct exec_bundle *b, native_pass_fn *score, struct err *e)
{
    AUTO(free) struct native_item *items = calloc(b->n, sizeof *items);
    size_t n = 0;
    if (!items)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < b->n; i++) {
        if (b->done[i])
            continue;
        TRY(native_item_read(&items[n], &b->tasks[i], e)); /* checked before */
        items[n].r = &b->results[i];
        items[n++].index = i;
    }
    return n ? run_passes(b, items, n, score, e) : 0;
}
