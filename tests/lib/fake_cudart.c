/* A CUDA runtime for machines without a GPU: the few calls that worker/exec/cudart.c makes, behaving as the environment
 * says. Load it with ACSWEEP_CUDART.
 *
 *   FAKE_CUDA_DEVICES   how many (1)         FAKE_CUDA_MEMORY   bytes on each (80 GiB)
 *   FAKE_CUDA_FREE      free bytes (MEMORY)  FAKE_CUDA_CC       compute capability (90)
 *   FAKE_CUDA_NO_DRIVER cudaGetDeviceCount fails with 35        FAKE_CUDA_SICK   index of a device that fails with 46
 *   FAKE_CUDA_HANG      cudaGetDeviceCount never returns */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_DRIVER 35
#define BAD_DEVICE 101
#define UNAVAILABLE 46

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

static int check(int device)
{
    return device < 0 || device >= number("FAKE_CUDA_DEVICES", 1) ? BAD_DEVICE : 0;
}

int cudaGetDeviceCount(int *count)
{
    while (getenv("FAKE_CUDA_HANG"))
        pause();
    if (getenv("FAKE_CUDA_NO_DRIVER"))
        return NO_DRIVER;
    *count = (int)number("FAKE_CUDA_DEVICES", 1);
    return 0;
}

int cudaSetDevice(int device)
{
    current = device;
    return check(device);
}

int cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    if (current == number("FAKE_CUDA_SICK", -1))
        return UNAVAILABLE;
    *total = (size_t)number("FAKE_CUDA_MEMORY", 80LL << 30);
    *free_bytes = (size_t)number("FAKE_CUDA_FREE", (long long)*total);
    return check(current);
}

int cudaDeviceGetAttribute(int *value, int attribute, int device)
{
    long long cc = number("FAKE_CUDA_CC", 90);
    *value = attribute == 75 ? (int)(cc / 10) : attribute == 76 ? (int)(cc % 10) : 0;
    return check(device);
}

int cudaGetDeviceProperties_v2(void *properties, int device)
{
    unsigned char *p = properties;
    snprintf((char *)p, 256, "Fake GPU %d", device);
    memset(p + 256, 0, 16);
    p[256 + 15] = (unsigned char)device;
    return check(device);
}

const char *cudaGetErrorString(int code)
{
    return code == NO_DRIVER     ? "CUDA driver version is insufficient for CUDA runtime version"
           : code == UNAVAILABLE ? "all CUDA-capable devices are busy or unavailable"
                                 : "invalid device ordinal";
}

int cudaDeviceReset(void)
{
    return 0;
}
