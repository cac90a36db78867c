/* Parsed options as words again, for a program that hands its command on to another one. */
#include <stdlib.h>
#include <string.h>

#include "common/opts.h"

struct words {
    char **list; /* n of them, then NULL up to cap */
    size_t n, cap;
    bool failed;
};

/* Takes `word`, which is malloc'ed, or NULL when there was no memory for it. */
static void add(struct words *w, char *word)
{
    if (word && w->n + 1 >= w->cap) {
        size_t cap = 2 * w->cap + 16;
        char **more = realloc(w->list, cap * sizeof *more);
        if (more) {
            w->list = more;
            w->cap = cap;
        } else {
            free(word);
            word = NULL;
        }
    }
    if (!word) {
        w->failed = true;
        return;
    }
    w->list[w->n++] = word;
    w->list[w->n] = NULL;
}

static void add_option(struct words *w, const struct opts *o, const struct opt *p)
{
    const char *const *values;
    size_t n = opts_list(o, p->name, &values);
    if (!opts_given(o, p->name))
        return;
    if (p->type == OPT_FLAG)
        n = opts_flag(o, p->name) ? 1 : 0;
    for (size_t i = 0; i < n; i++) {
        char *word;
        int len =
            p->type == OPT_FLAG ? asprintf(&word, "--%s", p->name) : asprintf(&word, "--%s=%s", p->name, values[i]);
        add(w, len < 0 ? NULL : word);
    }
}

/* The words of "acsweep policy fit" behind the first. */
static void add_command(struct words *w, const char *path)
{
    for (const char *blank; (blank = strchr(path, ' '));) {
        path = blank + 1;
        add(w, strndup(path, strcspn(path, " ")));
    }
}

char **opts_argv(const struct opts *o, const char *program, struct err *e)
{
    struct words w = { 0 };
    add(&w, strdup(program));
    add_command(&w, opts_path(o));
    for (size_t t = 0; t < CMD_OPTION_TABLES && opts_cmd(o)->options[t]; t++)
        for (const struct opt *p = opts_cmd(o)->options[t]; p->name; p++)
            add_option(&w, o, p);
    if (opts_n_args(o) > 0)
        add(&w, strdup("--"));
    for (size_t i = 0; i < opts_n_args(o); i++)
        add(&w, strdup(opts_arg(o, i)));
    if (!w.failed)
        return w.list;
    opts_argv_free(w.list);
    return FAIL_NULL(e, ERR_NOMEM, "out of memory");
}

void opts_argv_free(char **argv)
{
    for (char **word = argv; word && *word; word++)
        free(*word);
    free(argv);
}
