/* The few calls of NVIDIA's management library that we need, opened with dlopen and declared here, as with the CUDA
 * runtime. It makes no context and takes no memory on a device. The library is $ACSWEEP_NVML, or libnvidia-ml.so.1. */
#ifndef ACSWEEP_WORKER_EXEC_NVML_H
#define ACSWEEP_WORKER_EXEC_NVML_H

#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct nvml;

/* NULL with ERR_ENV when there is none, or it finds no driver. */
struct nvml *nvml_open(struct err *e);
void nvml_close(struct nvml *n);
DEFINE_CLEANUP(nvml_close, struct nvml *)

/* A device by its UUID (GPU-..., MIG-...); valid until nvml_close. NULL with ERR_ENV. */
void *nvml_device(struct nvml *n, const char *uuid, struct err *e);
/* Millijoules since the driver was loaded; devices before Volta, and MIG slices, do not count them: ERR_ENV. */
MUST_USE int nvml_energy_mj(struct nvml *n, void *device, uint64_t *mj, struct err *e);
/* Milliwatts, a mean over about a second. */
MUST_USE int nvml_power_mw(struct nvml *n, void *device, uint64_t *mw, struct err *e);

#endif
