/* Executor `native` as acsweep-exec has it: the module with all that computes is loaded when the first task or command
 * needs it. Before that, an exec starts in a millisecond and knows nothing of libtorch. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker/exec/native.h"
#include "worker/torch/tune.h"

/* Beside the program, as built; or as installed: bin/acsweep-exec, lib/acsweep/acsweep-native.so (or
 * lib/TRIPLET/acsweep). */
static const char *const places[] = { "acsweep-native.so", "../" ACSWEEP_LIBDIR "/acsweep/acsweep-native.so" };

static int find_module(char *path, size_t size, struct err *e)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return FAIL(e, ERR_ENV, "/proc/self/exe: %s", strerror(errno));
    self[n] = '\0';
    *(strrchr(self, '/') + 1) = '\0';
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (snprintf(path, size, "%s%s", self, places[i]) < (int)size && access(path, R_OK) == 0)
            return 0;
    return FAIL(e, ERR_ENV, "acsweep-native.so is neither in %s nor in ../" ACSWEEP_LIBDIR "/acsweep: install it again",
                self);
}

const struct native_module *native_load(struct err *e)
{
    static const struct native_module *loaded;
    char path[8192];
    if (loaded)
        return loaded;
    if (find_module(path, sizeof path, e) < 0)
        return NULL;
    tune_before_load();
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    loaded = module ? dlsym(module, "acsweep_native_module") : NULL;
    return loaded ? loaded : FAIL_NULL(e, ERR_ENV, "cannot load what computes: %s", dlerror());
}

static int native_check(const struct exec_task *t, struct err *e)
{
    const struct native_module *m = native_load(e);
    return m ? m->executor->check(t, e) : -1;
}

static int native_run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    const struct native_module *m = native_load(e);
    return m ? m->executor->run(t, r, e) : -1;
}

static int native_run_bundle(struct exec_bundle *b, struct err *e)
{
    const struct native_module *m = native_load(e);
    return m ? m->executor->run_bundle(b, e) : -1;
}

const struct executor exec_native = { "native", native_check, native_run, native_run_bundle };
