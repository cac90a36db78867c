/* NVIDIA's management library for machines without a GPU: the few calls that worker/exec/nvml.c makes. Load it with
 * ACSWEEP_NVML.
 *
 *   FAKE_NVML_STEP_MJ     the energy counter grows by so much at each reading, may be negative; absent: not supported
 *   FAKE_NVML_POWER_MW    the power; absent: not supported
 *   FAKE_NVML_NO_COUNTER  number of the device (end of its UUID) that has no energy counter all the same
 *   FAKE_NVML_NO_DRIVER   nvmlInit_v2 fails */
#include <stdlib.h>
#include <string.h>

#define NOT_SUPPORTED 3
#define NOT_FOUND 6
#define NO_DRIVER 9
#define DEVICES_MAX 256

struct device {
    long long mj;
};
static struct device devices[DEVICES_MAX];

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device);
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj);
int nvmlDeviceGetPowerUsage(void *device, unsigned *mw);
const char *nvmlErrorString(int code);

int nvmlInit_v2(void)
{
    return getenv("FAKE_NVML_NO_DRIVER") ? NO_DRIVER : 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **device)
{
    size_t len = strlen(uuid);
    if (strncmp(uuid, "GPU-", 4) != 0 || len < 6)
        return NOT_FOUND;
    *device = &devices[strtol(uuid + len - 2, NULL, 16) % DEVICES_MAX];
    return 0;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj)
{
    struct device *d = device;
    const char *step = getenv("FAKE_NVML_STEP_MJ"), *without = getenv("FAKE_NVML_NO_COUNTER");
    if (!step || (without && d == &devices[strtol(without, NULL, 10)]))
        return NOT_SUPPORTED;
    if (d->mj == 0)
        d->mj = 1000000000; /* as of a device that has been up for a while */
    d->mj += strtoll(step, NULL, 10);
    *mj = (unsigned long long)d->mj;
    return 0;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *mw)
{
    const char *power = getenv("FAKE_NVML_POWER_MW");
    (void)device;
    if (!power)
        return NOT_SUPPORTED;
    *mw = (unsigned)strtoul(power, NULL, 10);
    return 0;
}

const char *nvmlErrorString(int code)
{
    return code == NO_DRIVER ? "Driver Not Loaded" : code == NOT_FOUND ? "Not Found" : "Not Supported";
}
