#include "worker/exec/native_kept.h"

#include <string.h>

/* An exec has one task at a time, and its models are its own state. */
static struct {
    char *key;
    void *thing;
    void (*destroy)(void *thing);
} kept;

void native_kept_drop(void)
{
    if (kept.thing)
        kept.destroy(kept.thing);
    free(kept.key);
    kept.key = NULL;
    kept.thing = NULL;
}

void *native_kept(const char *key)
{
    if (kept.key && strcmp(kept.key, key) == 0)
        return kept.thing;
    native_kept_drop();
    return NULL;
}

int native_keep(const char *key, void *thing, void (*destroy)(void *thing), struct err *e)
{
    native_kept_drop();
    kept.key = strdup(key);
    if (!kept.key) {
        destroy(thing);
        return FAIL_NOMEM(e);
    }
    kept.thing = thing;
    kept.destroy = destroy;
    return 0;
}
