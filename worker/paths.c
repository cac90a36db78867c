#include "worker/paths.h"

#include <string.h>

static int append(struct paths *p, const char *name, size_t len, const char *path, struct err *e)
{
    struct named_path *more = realloc(p->list, (p->n + 1) * sizeof *more);
    if (!more)
        return FAIL_NOMEM(e);
    p->list = more;
    more[p->n] = (struct named_path){ strndup(name, len), strdup(path) };
    if (!more[p->n].name || !more[p->n].path) {
        free(more[p->n].name);
        free(more[p->n].path);
        return FAIL_NOMEM(e);
    }
    p->n++;
    return 0;
}

int paths_add(struct paths *p, const char *text, struct err *e)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || equals[1] != '/')
        return FAIL(e, ERR_USAGE, "path '%.80s' must be NAME=PATH, with an absolute path", text);
    size_t len = (size_t)(equals - text);
    for (size_t i = 0; i < p->n; i++)
        if (strncmp(p->list[i].name, text, len) == 0 && p->list[i].name[len] == '\0')
            return FAIL(e, ERR_USAGE, "path '%.80s': that name has a path already, %.80s", text, p->list[i].path);
    return append(p, text, len, equals + 1, e);
}

const char *paths_find(const struct paths *p, const char *name)
{
    for (size_t i = 0; p && i < p->n; i++)
        if (strcmp(p->list[i].name, name) == 0)
            return p->list[i].path;
    return NULL;
}

void paths_free(struct paths *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->list[i].name);
        free(p->list[i].path);
    }
    free(p->list);
    *p = (struct paths){ 0 };
}
