#include "worker/exec/library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

void *library_open(const char *variable, const char *const *names, const char *what, struct err *e)
{
    const char *told = getenv(variable);
    if (told && told[0]) {
        void *h = dlopen(told, RTLD_NOW | RTLD_LOCAL);
        return h ? h : FAIL_NULL(e, ERR_ENV, "%s: %s", variable, dlerror());
    }
    AUTO(buf_free) struct buf tried = BUF_INIT(1000);
    for (size_t i = 0; names[i]; i++) {
        void *h = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (h)
            return h;
        buf_printf(&tried, "%s%s", i ? ", " : "", names[i]);
    }
    return FAIL_NULL(e, ERR_ENV, "no %s found (tried %s; %s names another)", what, buf_text(&tried), variable);
}

void library_close(void *library)
{
    dlclose(library);
}

int library_bind(void *library, const char *what, const struct library_call *calls, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        void *f = dlsym(library, calls[i].name);
        if (!f && calls[i].other)
            f = dlsym(library, calls[i].other);
        if (!f)
            return FAIL(e, ERR_ENV, "the %s has no %s", what, calls[i].name);
        memcpy(calls[i].slot, &f, sizeof f); /* a data pointer into a function pointer, in the way POSIX means it */
    }
    return 0;
}
