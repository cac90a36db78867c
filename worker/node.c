#include "worker/node.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/own.h"

uint32_t node_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

static uint64_t meminfo(const char *key)
{
    AUTO(fclose) FILE *f = fopen("/proc/meminfo", "re");
    char line[256], name[64];
    unsigned long long kib;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%63[^:]: %llu", name, &kib) == 2 && strcmp(name, key) == 0)
            return kib * 1024;
    return 0;
}

uint64_t node_memory(void)
{
    return meminfo("MemTotal");
}

uint64_t node_free_memory(void)
{
    return meminfo("MemAvailable");
}
