/* Progress bars, and lines where there is no terminal. */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/pace.h"
#include "common/buf.h"
#include "common/mono.h"

enum { STAGES_MAX = 16, BAR_CELLS = 24, PLAIN_EVERY_MS = 2000 };

struct stage {
    char kind[24];
    uint64_t shown; /* how many had ended in the line that was printed last */
    struct pace pace;
};

struct progress {
    FILE *f;
    bool tty;
    int lines; /* of bars on the screen now */
    int64_t last_plain;
    uint32_t shown_round;
    size_t n;
    struct stage stages[STAGES_MAX];
};

struct progress *progress_create(FILE *f, struct err *e)
{
    struct progress *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    p->f = f;
    const char *term = getenv("TERM");
    p->tty = out_tty_width(f) > 0 && term && strcmp(term, "dumb") != 0;
    return p;
}

void progress_free(struct progress *p)
{
    free(p);
}

void progress_end(struct progress *p)
{
    p->lines = 0;
    fflush(p->f);
}

static void erase(struct progress *p)
{
    if (p->lines > 0)
        fprintf(p->f, "\033[%dA\033[J", p->lines);
    p->lines = 0;
}

void progress_note(struct progress *p, const char *text)
{
    erase(p);
    for (const char *c = text; *c; c++)
        fputc((unsigned char)*c < 0x20 || *c == 0x7F ? ' ' : *c, p->f);
    fputc('\n', p->f);
    fflush(p->f);
}

static struct stage *stage_named(struct progress *p, const char *kind, uint64_t done)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->stages[i].kind, kind) == 0)
            return &p->stages[i];
    if (p->n == STAGES_MAX)
        return NULL;
    struct stage *s = &p->stages[p->n++];
    snprintf(s->kind, sizeof s->kind, "%s", kind);
    s->shown = UINT64_MAX;
    pace_begin(&s->pace, done, mono_now());
    return s;
}

/* "52/104  running 4  failed 1  12.3/s  ETA 0:04" */
static void counts_text(const Acsweep__StageCount *c, const struct stage *s, struct buf *b)
{
    buf_printf(b, "%" PRIu64 "/%" PRIu64, c->done, c->total);
    const struct {
        const char *name;
        uint64_t n;
    } parts[] = { { "cached", c->cached }, { "running", c->running }, { "failed", c->failed }, { "cancelled", c->cancelled } };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i].n > 0)
            buf_printf(b, "  %s %" PRIu64, parts[i].name, parts[i].n);
    uint64_t ended = c->done + c->failed + c->cancelled;
    if (s && ended < c->total)
        pace_put(&s->pace, c->total - ended, b);
}

static void print_bar(struct progress *p, const Acsweep__StageCount *c, const char *counts)
{
    double part = c->total > 0 ? (double)(c->done + c->failed + c->cancelled) / (double)c->total : 0;
    int full = (int)(part * BAR_CELLS + 1e-9);
    full = full > BAR_CELLS ? BAR_CELLS : full;
    fprintf(p->f, "  %-10s %s", c->kind, out_style(p->f, c->failed > 0 ? OUT_RED : OUT_GREEN));
    for (int i = 0; i < BAR_CELLS; i++)
        fputs(i < full ? "━" : "─", p->f);
    fprintf(p->f, "%s ", out_style(p->f, OUT_PLAIN));
    int room = out_tty_width(p->f) - BAR_CELLS - 15; /* a line that wraps would spoil the redraw */
    fprintf(p->f, "%.*s\n", room > 0 ? room : 0, counts);
    p->lines++;
}

static void print_head(struct progress *p, const Acsweep__Snapshot *s)
{
    struct buf b = BUF_INIT(4096);
    buf_printf(&b, "sweep %s  workers %u  slots busy %u/%u", s->sweep, s->workers, s->busy, s->slots);
    if (s->fine_tunes_budget > 0)
        buf_printf(&b, "  fine-tunes %u/%u", s->fine_tunes_done, s->fine_tunes_budget);
    if (s->round > 0)
        buf_printf(&b, "  round %u: %s", s->round, s->round_note);
    int width = out_tty_width(p->f);
    int shown = out_bytes_within(buf_text(&b), width > 1 ? (size_t)width - 1 : 0);
    fprintf(p->f, "%s%.*s%s\n", out_style(p->f, OUT_BOLD), shown, buf_text(&b), out_style(p->f, OUT_PLAIN));
    p->lines++;
    buf_free(&b);
}

static void update_tty(struct progress *p, const Acsweep__Snapshot *s)
{
    erase(p);
    print_head(p, s);
    for (size_t i = 0; i < s->n_stages; i++) {
        struct stage *st = stage_named(p, s->stages[i]->kind, s->stages[i]->done);
        struct buf b = BUF_INIT(512);
        counts_text(s->stages[i], st, &b);
        print_bar(p, s->stages[i], buf_text(&b));
        buf_free(&b);
    }
    fflush(p->f);
}

static void update_plain(struct progress *p, const Acsweep__Snapshot *s)
{
    int64_t now = mono_now();
    bool due = now - p->last_plain >= PLAIN_EVERY_MS * NS_PER_MS;
    if (s->round != p->shown_round && *s->round_note)
        fprintf(p->f, "round %u: %s\n", s->round, s->round_note);
    p->shown_round = s->round;
    for (size_t i = 0; i < s->n_stages; i++) {
        const Acsweep__StageCount *c = s->stages[i];
        struct stage *st = stage_named(p, c->kind, c->done);
        uint64_t ended = c->done + c->failed + c->cancelled;
        if (!st || st->shown == ended || (!due && ended < c->total))
            continue;
        struct buf b = BUF_INIT(512);
        counts_text(c, st, &b);
        fprintf(p->f, "%-10s %s\n", c->kind, buf_text(&b));
        buf_free(&b);
        st->shown = ended;
    }
    if (due)
        p->last_plain = now;
    fflush(p->f);
}

void progress_update(struct progress *p, const Acsweep__Snapshot *s)
{
    for (size_t i = 0; i < s->n_notes; i++)
        progress_note(p, s->notes[i]);
    for (size_t i = 0; i < s->n_stages; i++) {
        struct stage *st = stage_named(p, s->stages[i]->kind, s->stages[i]->done);
        if (st)
            pace_count(&st->pace, s->stages[i]->done, s->stages[i]->running > 0, mono_now());
    }
    if (p->tty)
        update_tty(p, s);
    else
        update_plain(p, s);
}
