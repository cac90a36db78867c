/* Declarations compared with a checkpoint: missing, of another shape, unknown. */
#include "worker/model/params_impl.h"

#include <stdio.h>
#include <string.h>

enum problem { MISSING, MISSHAPED, UNKNOWN, PROBLEMS };
static const char *const problem_titles[] = { "missing", "of another shape or type", "unknown" };

/* What was found; every one on a line of its own, or as many as fit into an error's text. */
struct findings {
    struct buf texts[PROBLEMS];
    size_t n[PROBLEMS], shown[PROBLEMS];
    bool lines;
};
#define TEXT_ROOM 240 /* of each kind of problem in an error's text */

static void note(struct findings *f, enum problem kind, const char *text)
{
    struct buf *b = &f->texts[kind];
    f->n[kind]++;
    if (!f->lines && b->len + strlen(text) >= TEXT_ROOM)
        return;
    if (f->lines)
        buf_printf(b, "%s: %s\n", problem_titles[kind], text);
    else
        buf_printf(b, "%s%s", f->shown[kind] ? ", " : "", text);
    f->shown[kind]++;
}

static bool fits(const struct param *item, const struct st_tensor *t)
{
    bool same = t->rank == item->rank && th_dtype_is_float(t->type);
    for (int i = 0; same && i < t->rank; i++)
        same = t->dims[i] == item->dims[i];
    return same;
}

static void note_shape(struct findings *f, const struct param *item, const struct st_tensor *t)
{
    char is[100], want[100], text[600];
    struct st_tensor wanted = { .rank = item->rank, .type_name = "" };
    for (int i = 0; i < item->rank; i++)
        wanted.dims[i] = item->dims[i];
    snprintf(text, sizeof text, "%s is %s, not %s", t->name, st_describe(t, is, sizeof is),
             st_describe(&wanted, want, sizeof want));
    note(f, MISSHAPED, text);
}

static void compare_one(struct findings *f, const struct param *item, const struct weights *w)
{
    const struct st_tensor *t = weights_find(w, item->name);
    if (t && !fits(item, t))
        note_shape(f, item, t);
    else if (!t && item->needed)
        note(f, MISSING, item->name);
}

static bool is_allowed(const struct params *p, const char *name)
{
    for (size_t i = 0; i < p->n_allowed; i++)
        if (param_matches(p->allowed[i], name))
            return true;
    return false;
}

static int index_names(const struct params *p, struct map *known, struct err *e)
{
    for (size_t i = 0; i < p->n; i++)
        TRY(map_put(known, p->items[i].name, strlen(p->items[i].name), &p->items[i], e));
    return 0;
}

static void find_unknown(const struct params *p, const struct weights *w, const struct map *known, struct findings *f)
{
    const struct st_tensor *t;
    for (size_t i = 0; (t = weights_at(w, i)); i++) {
        bool ours = strncmp(t->name, p->path, p->root) == 0;
        if (ours && !map_get(known, t->name, strlen(t->name)) && !is_allowed(p, t->name + p->root))
            note(f, UNKNOWN, t->name);
    }
}

static int compare(struct params *p, const struct weights *w, struct findings *f, struct err *e)
{
    struct map known = { 0 };
    TRY(params_declared(p, e));
    for (size_t i = 0; i < p->n; i++)
        compare_one(f, &p->items[i], w);
    int rc = index_names(p, &known, e);
    if (rc == 0)
        find_unknown(p, w, &known, f);
    map_free(&known);
    return rc;
}

static void findings_begin(struct findings *f, bool lines)
{
    *f = (struct findings){ .lines = lines };
    for (int i = 0; i < PROBLEMS; i++)
        f->texts[i] = BUF_INIT((size_t)64 << 20);
}

static void findings_free(struct findings *f)
{
    for (int i = 0; i < PROBLEMS; i++)
        buf_free(&f->texts[i]);
}

/* "2 missing (a, b)", "9 unknown (c, d and 7 more)" */
static void describe(const struct findings *f, enum problem kind, struct buf *out)
{
    size_t hidden = f->n[kind] - f->shown[kind];
    if (f->n[kind] == 0)
        return;
    buf_printf(out, "%s%zu %s (%s", out->len ? "; " : "", f->n[kind], problem_titles[kind], buf_text(&f->texts[kind]));
    if (hidden)
        buf_printf(out, "%s%zu more", f->shown[kind] ? " and " : "", hidden);
    buf_puts(out, ")");
}

static int fail_with(const struct findings *f, const struct weights *w, const char *config, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(4096);
    for (int i = 0; i < PROBLEMS; i++)
        describe(f, (enum problem)i, &text);
    return FAIL(e, ERR_INPUT, "%s: the tensors are not those that %s asks for: %s", weights_path(w), config,
                buf_text(&text));
}

static size_t total(const struct findings *f)
{
    return f->n[MISSING] + f->n[MISSHAPED] + f->n[UNKNOWN];
}

int params_check(struct params *p, const struct weights *w, const char *config, struct err *e)
{
    struct findings f;
    findings_begin(&f, false);
    int rc = compare(p, w, &f, e);
    if (rc == 0 && total(&f) > 0)
        rc = fail_with(&f, w, config, e);
    findings_free(&f);
    return rc;
}

int params_problems(struct params *p, const struct weights *w, struct buf *out, size_t *n, struct err *e)
{
    struct findings f;
    findings_begin(&f, true);
    int rc = compare(p, w, &f, e);
    for (int i = 0; i < PROBLEMS; i++)
        buf_puts(out, buf_text(&f.texts[i]));
    *n = total(&f);
    findings_free(&f);
    return rc;
}
