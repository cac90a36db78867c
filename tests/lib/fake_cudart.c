/* A CUDA runtime for machines without a GPU: the few calls that worker/exec/cudart.c makes, behaving as the environment
 * says. Load it with ACSWEEP_CUDART.
 *
 *   FAKE_CUDA_DEVICES   how many (1)         FAKE_CUDA_MEMORY   bytes on each (80 GiB)
 *   FAKE_CUDA_FREE      free bytes (MEMORY)  FAKE_CUDA_CC       compute capability (90)
 *   FAKE_CUDA_NO_DRIVER cudaGetDeviceCount fails with 35        FAKE_CUDA_SICK   index of a device that fails with 46
 *   FAKE_CUDA_HANG      cudaGetDeviceCount never returns        FAKE_CUDA_TAG    number that becomes part of the UUIDs
 *   FAKE_CUDA_FILE      what may change while programs run, a line each, read at every call:
 *                       sick INDEX | missing INDEX | hang INDEX | used INDEX BYTES | no_driver
 *
 * CUDA_VISIBLE_DEVICES is heeded as the real one does: UUIDs or numbers, up to the first that does not exist. With
 * FAKE_CUDA_MIG the devices are slices: only "MIG-..." makes them visible, though their properties say "GPU-...". */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_DRIVER 35
#define NO_DEVICE 100
#define BAD_DEVICE 101
#define UNAVAILABLE 46
#define DEVICES_MAX 64

int cudaGetDeviceCount(int *count);
int cudaSetDevice(int device);
int cudaMemGetInfo(size_t *free_bytes, size_t *total);
int cudaDeviceGetAttribute(int *value, int attribute, int device);
int cudaGetDeviceProperties_v2(void *properties, int device);
const char *cudaGetErrorString(int code);
int cudaDeviceReset(void);

static int current;

static long long number(const char *name, long long fallback)
{
    const char *s = getenv(name);
    return s ? strtoll(s, NULL, 10) : fallback;
}

/* Is there such a line of the file for this device (-1 = the word alone)? *value is its number. */
static bool in_file(const char *word, int device, long long *value)
{
    const char *path = getenv("FAKE_CUDA_FILE");
    FILE *f = path ? fopen(path, "r") : NULL;
    char line[200], name[32];
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) {
        long long index = -1, n = 0;
        int fields = sscanf(line, "%31s %lld %lld", name, &index, &n);
        found = fields >= 1 && strcmp(name, word) == 0 && index == device;
        if (found && value)
            *value = n;
    }
    if (f)
        fclose(f);
    return found;
}

static void uuid_of(int device, unsigned char uuid[16])
{
    unsigned tag = (unsigned)number("FAKE_CUDA_TAG", 0);
    memset(uuid, 0, 16);
    for (int i = 0; i < 4; i++)
        uuid[i] = (unsigned char)(tag >> (24 - 8 * i));
    uuid[15] = (unsigned char)device;
}

static bool is_called(int device, const char *name, size_t len)
{
    char text[64];
    unsigned char u[16];
    uuid_of(device, u);
    snprintf(text, sizeof text, "%s-%02x%02x%02x%02x-0000-0000-0000-0000000000%02x",
             getenv("FAKE_CUDA_MIG") ? "MIG" : "GPU", u[0], u[1], u[2], u[3], u[15]);
    if (strncmp(text, name, len) == 0 && text[len] == '\0')
        return true;
    snprintf(text, sizeof text, "%d", device);
    return strncmp(text, name, len) == 0 && text[len] == '\0';
}

static int named(const char *name, size_t len)
{
    for (int i = 0; i < number("FAKE_CUDA_DEVICES", 1); i++)
        if (is_called(i, name, len) && !in_file("missing", i, NULL))
            return i;
    return -1;
}

/* The devices that this process sees. */
static int visible(int list[DEVICES_MAX])
{
    const char *env = getenv("CUDA_VISIBLE_DEVICES");
    int n = 0;
    if (!env) {
        for (int i = 0; i < number("FAKE_CUDA_DEVICES", 1) && n < DEVICES_MAX; i++)
            if (!in_file("missing", i, NULL))
                list[n++] = i;
        return n;
    }
    while (*env && n < DEVICES_MAX) {
        size_t len = strcspn(env, ",");
        int device = named(env, len);
        if (device < 0)
            break;
        list[n++] = device;
        env += len + (env[len] == ',');
    }
    return n;
}

/* The device behind a number, or -1. */
static int physical(int device)
{
    int list[DEVICES_MAX], n = visible(list);
    return device >= 0 && device < n ? list[device] : -1;
}

int cudaGetDeviceCount(int *count)
{
    int list[DEVICES_MAX];
    while (getenv("FAKE_CUDA_HANG"))
        pause();
    if (getenv("FAKE_CUDA_NO_DRIVER") || in_file("no_driver", -1, NULL))
        return NO_DRIVER;
    *count = visible(list);
    return *count ? 0 : NO_DEVICE;
}

int cudaSetDevice(int device)
{
    current = physical(device);
    while (current >= 0 && in_file("hang", current, NULL))
        pause();
    return current < 0 ? BAD_DEVICE : 0;
}

int cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    long long used = 0;
    if (current == number("FAKE_CUDA_SICK", -1) || in_file("sick", current, NULL))
        return UNAVAILABLE;
    in_file("used", current, &used);
    *total = (size_t)number("FAKE_CUDA_MEMORY", 80LL << 30);
    *free_bytes = (size_t)(number("FAKE_CUDA_FREE", (long long)*total) - used);
    return current < 0 ? BAD_DEVICE : 0;
}

int cudaDeviceGetAttribute(int *value, int attribute, int device)
{
    long long cc = number("FAKE_CUDA_CC", 90);
    *value = attribute == 75 ? (int)(cc / 10) : attribute == 76 ? (int)(cc % 10) : 0;
    return physical(device) < 0 ? BAD_DEVICE : 0;
}

int cudaGetDeviceProperties_v2(void *properties, int device)
{
    unsigned char *p = properties;
    int real = physical(device);
    snprintf((char *)p, 256, "Fake GPU %d", real);
    uuid_of(real, p + 256);
    return real < 0 ? BAD_DEVICE : 0;
}

const char *cudaGetErrorString(int code)
{
    return code == NO_DRIVER     ? "CUDA driver version is insufficient for CUDA runtime version"
           : code == UNAVAILABLE ? "all CUDA-capable devices are busy or unavailable"
           : code == NO_DEVICE   ? "no CUDA-capable device is detected"
                                 : "invalid device ordinal";
}

int cudaDeviceReset(void)
{
    return 0;
}
