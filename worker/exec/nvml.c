#include "worker/exec/nvml.h"

#include <stdlib.h>
#include <string.h>

#include "worker/exec/library.h"

struct nvml {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    int (*handle_by_uuid)(const char *, void **);
    int (*total_energy)(void *, unsigned long long *);
    int (*power_usage)(void *, unsigned *);
    const char *(*error_string)(int);
};

static const char *const libraries[] = { "libnvidia-ml.so.1", "libnvidia-ml.so", NULL };

static int bind_calls(struct nvml *n, struct err *e)
{
    const struct library_call calls[] = {
        { &n->init, "nvmlInit_v2", NULL },
        { &n->shutdown, "nvmlShutdown", NULL },
        { &n->handle_by_uuid, "nvmlDeviceGetHandleByUUID", NULL },
        { &n->total_energy, "nvmlDeviceGetTotalEnergyConsumption", NULL },
        { &n->power_usage, "nvmlDeviceGetPowerUsage", NULL },
        { &n->error_string, "nvmlErrorString", NULL },
    };
    return library_bind(n->library, "NVML", calls, ARRAY_LEN(calls), e);
}

static int check(const struct nvml *n, int code, const char *what, struct err *e)
{
    return code == 0 ? 0 : FAIL(e, ERR_ENV, "NVML: %s: %s (error %d)", what, n->error_string(code), code);
}

static int begin(struct nvml *n, struct err *e)
{
    TRY(bind_calls(n, e));
    return check(n, n->init(), "init", e);
}

struct nvml *nvml_open(struct err *e)
{
    void *library = library_open("ACSWEEP_NVML", libraries, "NVIDIA management library", e);
    if (!library)
        return NULL;
    struct nvml *n = calloc(1, sizeof *n);
    if (!n) {
        library_close(library);
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    }
    n->library = library;
    if (begin(n, e) == 0)
        return n;
    library_close(library);
    free(n);
    return NULL;
}

void nvml_close(struct nvml *n)
{
    if (!n)
        return;
    n->shutdown();
    library_close(n->library);
    free(n);
}

void *nvml_device(struct nvml *n, const char *uuid, struct err *e)
{
    void *device = NULL;
    return check(n, n->handle_by_uuid(uuid, &device), uuid, e) < 0 ? NULL : device;
}

int nvml_energy_mj(struct nvml *n, void *device, uint64_t *mj, struct err *e)
{
    unsigned long long value = 0;
    TRY(check(n, n->total_energy(device, &value), "total energy", e));
    *mj = value;
    return 0;
}

int nvml_power_mw(struct nvml *n, void *device, uint64_t *mw, struct err *e)
{
    unsigned value = 0;
    TRY(check(n, n->power_usage(device, &value), "power", e));
    *mw = value;
    return 0;
}
