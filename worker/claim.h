/* One owner for a thing of this machine, whoever runs its programs: a name in the kernel's table of abstract sockets,
 * which is free again the moment its owner is gone. Programs in another network namespace (a container's) are not seen.
 */
#ifndef ACSWEEP_WORKER_CLAIM_H
#define ACSWEEP_WORKER_CLAIM_H

/* A descriptor that holds the claim until it is closed; -1 when somebody else has it. */
int claim_take(const char *name);

#endif
