#include "report/report_pictures.h"

#include <string.h>

#include "report/gallery.h"
#include "report/svg.h"
#include "sql/sql_text.h"

enum { THUMBNAILS_READ = 4, NOTES_MOST = 1 << 14 };

/* Of one correspondence set. */
struct shown {
    char *name;
    struct gallery gallery;
    struct pictures *pictures[GALLERY_COLUMNS_MAX];
    struct thumbnails *thumbnails[THUMBNAILS_READ];
    size_t available; /* representations that have pictures */
    struct buf notes; /* HTML: what had to be left out */
};
struct report_pictures {
    struct shown *sets;
    size_t n;
};

/* ---- one artifact ------------------------------------------------------------------------------------------------ */

static struct db_rows *read_content(struct db *d, int64_t artifact, const char **bytes, size_t *len, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(artifact) };
    struct db_rows *rows;
    if (db_exec(d, SQL_REPORT_ARTIFACT, args, 1, 1, &rows, e) < 0)
        return NULL;
    *bytes = db_bytes(rows, 0, 0, len);
    return rows;
}

static void note(struct shown *s, const struct err *why)
{
    buf_puts(&s->notes, "<p class=\"note\">Left out: ");
    svg_escape(&s->notes, why->text);
    buf_puts(&s->notes, "</p>\n");
}

static int add_column(struct shown *s, struct db *d, int64_t artifact, const char *name, struct err *e)
{
    const char *bytes;
    size_t len;
    char what[200];
    struct err why = { 0 };
    AUTO(db_rows_free) struct db_rows *rows = read_content(d, artifact, &bytes, &len, e);
    if (!rows)
        return -1;
    snprintf(what, sizeof what, "pictures of %.150s", name);
    struct pictures *p = pictures_parse(bytes, len, what, &why);
    if (!p) {
        note(s, &why);
        return 0;
    }
    s->pictures[s->gallery.n] = p;
    s->gallery.pictures[s->gallery.n] = p;
    s->gallery.names[s->gallery.n++] = name;
    return 0;
}

static int add_thumbnails(struct shown *s, struct db *d, int64_t artifact, struct err *e)
{
    const char *bytes;
    size_t len;
    struct err why = { 0 };
    AUTO(db_rows_free) struct db_rows *rows = read_content(d, artifact, &bytes, &len, e);
    if (!rows)
        return -1;
    struct thumbnails *t = thumbnails_parse(bytes, len, "thumbnails", &why);
    if (!t)
        note(s, &why);
    else
        s->thumbnails[s->gallery.n_thumbnails++] = t;
    return 0;
}

/* ---- which ------------------------------------------------------------------------------------------------------- */

struct listing {
    const struct report *r;
    struct db_rows *rows;
    int64_t first, end; /* of one set */
    bool *taken;        /* [representation] */
};

static int64_t value(const struct listing *l, int64_t i, const char *column)
{
    return db_i64(l->rows, i, db_rows_column(l->rows, column));
}

static bool is(const struct listing *l, int64_t i, const char *name)
{
    return strcmp(db_text(l->rows, i, db_rows_column(l->rows, "name")), name) == 0;
}

static int take(struct listing *l, int64_t i, struct shown *s, struct db *d, struct err *e)
{
    int64_t id = value(l, i, "representation_id");
    size_t k = 0;
    while (k < l->r->n_representations && l->r->representations[k].id != id)
        k++;
    if (k == l->r->n_representations || l->taken[k])
        return 0;
    l->taken[k] = true;
    return add_column(s, d, value(l, i, "artifact_id"), l->r->representations[k].name, e);
}

static int take_small(struct listing *l, struct shown *s, struct db *d, struct err *e)
{
    int64_t smallest = -1;
    for (int64_t i = l->first; i < l->end; i++) {
        if (!is(l, i, "pictures"))
            continue;
        smallest = smallest < 0 ? value(l, i, "members") : smallest;
        s->available++;
        if (value(l, i, "members") == smallest && s->gallery.n < GALLERY_SMALL_MAX)
            TRY(take(l, i, s, d, e));
    }
    return 0;
}

static int take_best(struct listing *l, struct shown *s, struct db *d, struct err *e)
{
    size_t most = s->gallery.n + GALLERY_BEST_MAX;
    for (size_t rank = 0; rank < l->r->n_representations && s->gallery.n < most; rank++) {
        const struct report_representation *v = &l->r->representations[l->r->ranking[rank]];
        for (int64_t i = l->first; i < l->end && v->rank; i++)
            if (is(l, i, "pictures") && value(l, i, "representation_id") == v->id)
                TRY(take(l, i, s, d, e));
    }
    return 0;
}

static int take_thumbnails(struct listing *l, struct shown *s, struct db *d, struct err *e)
{
    for (int64_t i = l->first; i < l->end && s->gallery.n_thumbnails < THUMBNAILS_READ; i++)
        if (is(l, i, "thumbnails"))
            TRY(add_thumbnails(s, d, value(l, i, "artifact_id"), e));
    return 0;
}

static int read_set(struct listing *l, struct shown *s, struct db *d, struct err *e)
{
    s->notes = BUF_INIT(NOTES_MOST);
    s->name = strdup(db_text(l->rows, l->first, db_rows_column(l->rows, "correspondence_set")));
    AUTO(free) bool *taken = calloc(l->r->n_representations + 1, sizeof *taken);
    if (!s->name || !taken)
        return FAIL_NOMEM(e);
    l->taken = taken;
    TRY(take_small(l, s, d, e));
    TRY(take_best(l, s, d, e));
    s->gallery.thumbnails = (const struct thumbnails *const *)s->thumbnails;
    return take_thumbnails(l, s, d, e);
}

int report_pictures_read(struct report *r, struct db *d, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(r->sweep_id) };
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(d, SQL_REPORT_PICTURES, args, 1, ROWS_ANY, &rows, e));
    struct listing l = { .r = r, .rows = rows };
    int64_t n = db_rows_count(rows);
    r->pictures = calloc(1, sizeof *r->pictures);
    if (!r->pictures || !(r->pictures->sets = calloc((size_t)n + 1, sizeof *r->pictures->sets)))
        return FAIL_NOMEM(e);
    for (; l.first < n; l.first = l.end) {
        l.end = l.first + 1;
        while (l.end < n && value(&l, l.end, "correspondence_set_id") == value(&l, l.first, "correspondence_set_id"))
            l.end++;
        TRY(read_set(&l, &r->pictures->sets[r->pictures->n++], d, e));
    }
    return 0;
}

static void free_set(struct shown *s)
{
    for (size_t i = 0; i < GALLERY_COLUMNS_MAX; i++)
        pictures_free(s->pictures[i]);
    for (size_t i = 0; i < THUMBNAILS_READ; i++)
        thumbnails_free(s->thumbnails[i]);
    buf_free(&s->notes);
    free(s->name);
}

void report_pictures_free(struct report_pictures *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++)
        free_set(&p->sets[i]);
    free(p->sets);
    free(p);
}

/* ---- the section ------------------------------------------------------------------------------------------------- */

bool report_pictures_any(const struct report *r)
{
    return r->pictures && r->pictures->n;
}

static void draw_set(const struct report *r, const struct shown *s, size_t number, struct buf *out)
{
    char id[32];
    snprintf(id, sizeof id, "pictures%zu", number);
    if (r->pictures->n > 1) {
        buf_puts(out, "<h3>");
        svg_escape(out, s->name);
        buf_puts(out, "</h3>\n");
    }
    if (s->notes.len)
        buf_puts(out, buf_text(&s->notes));
    if (s->available > s->gallery.n)
        buf_printf(out, "<p class=\"dim\">%zu of the %zu representations that have pictures.</p>\n", s->gallery.n,
                   s->available);
    if (s->gallery.n)
        gallery_draw(&s->gallery, id, out);
}

void report_pictures_draw(const struct report *r, struct buf *out)
{
    buf_puts(out, "<p>What the C score counts, on a few pairs that were drawn by lot: each key point of the source is "
                  "looked for in the target, at the most similar tokens. Columns: the smallest representations, then "
                  "the best of the ranking.</p>\n");
    for (size_t i = 0; i < r->pictures->n; i++)
        draw_set(r, &r->pictures->sets[i], i, out);
}
