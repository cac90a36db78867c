/* Time. Inside the programs time is int64 nanoseconds of the monotonic clock; wall time only goes into rows and
 * reports. */
#ifndef ACSWEEP_COMMON_MONO_H
#define ACSWEEP_COMMON_MONO_H

#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

int64_t mono_now(void);        /* CLOCK_MONOTONIC, ns */
int64_t wall_now_us(void);     /* CLOCK_REALTIME, microseconds since 1970 */
int64_t cpu_now_self_ns(void); /* CPU time of this process, user + system */
void mono_sleep(int64_t ns);

/* Milliseconds from now until `deadline`, rounded up, at least 0: what poll() wants. */
int mono_ms_until(int64_t deadline);

#endif
