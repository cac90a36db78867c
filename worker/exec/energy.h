/* Energy that an attempt's devices took, all that ran on them included: the difference of their own counters where they
 * have one, else the integral of their power, read twice a second. Known for all of the devices or not at all. */
#ifndef ACSWEEP_WORKER_EXEC_ENERGY_H
#define ACSWEEP_WORKER_EXEC_ENERGY_H

#include <stddef.h>

struct energy;

/* For the life of an exec. NULL when it cannot be measured: no device, no NVML, no memory; the log says why. */
struct energy *energy_open(char *const *uuids, size_t n);
void energy_close(struct energy *m);

void energy_begin(struct energy *m); /* NULL is fine */
/* Joules since energy_begin; 0 = not known. */
double energy_end(struct energy *m);

#endif
