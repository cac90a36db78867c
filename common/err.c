#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_code;
} kinds[] = {
    [ERR_NONE] = { "none", 0 },   [ERR_USAGE] = { "usage", 2 },
    [ERR_INPUT] = { "input", 3 }, [ERR_ENV] = { "env", 4 },
    [ERR_PEER] = { "peer", 4 },   [ERR_DB_RETRY] = { "db_retry", 4 },
    [ERR_DB] = { "db", 4 },       [ERR_INTERRUPTED] = { "interrupted", 5 },
    [ERR_NOMEM] = { "nomem", 4 }, [ERR_GPU_OOM] = { "gpu_oom", 4 },
    [ERR_GPU] = { "gpu", 4 },     [ERR_TASK] = { "task", 1 },
    [ERR_BUG] = { "bug", 70 },
};

int err_set(struct err *e, enum err_kind kind, const char *file, int line, const char *fmt, ...)
{
    if (!e || e->kind != ERR_NONE)
        return -1;
    e->kind = kind;
    e->file = file;
    e->line = line;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    if (!e || e->kind == ERR_NONE)
        return -1;
    char head[sizeof e->text], whole[2 * sizeof e->text + 3];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(head, sizeof head, fmt, ap);
    va_end(ap);
    snprintf(whole, sizeof whole, "%s: %s", head, e->text);
    whole[sizeof e->text - 1] = '\0';
    memcpy(e->text, whole, sizeof e->text);
    return -1;
}

void err_clear(struct err *e)
{
    if (e)
        *e = (struct err){ 0 };
}

const char *err_kind_name(enum err_kind kind)
{
    return kinds[kind].name;
}

int err_exit_code(enum err_kind kind)
{
    return kinds[kind].exit_code;
}
