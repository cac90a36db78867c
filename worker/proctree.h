/* Trees of processes: find and kill every descendant of a process, also those that changed their group or session or
 * forked twice. It works because each acsweep-exec is a child subreaper: what its programs leave behind becomes its own
 * child, never that of init. */
#ifndef ACSWEEP_WORKER_PROCTREE_H
#define ACSWEEP_WORKER_PROCTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Send `sig` to every living descendant of `root` (not to root itself). Returns how many there were. */
size_t proctree_signal(pid_t root, int sig);

/* SIGKILL every descendant until none is left alive (new ones may appear meanwhile); gives up after `passes` rounds.
 * true when none is left. Zombies do not count: their parent has yet to collect them. */
bool proctree_kill_all(pid_t root, int passes);

/* Direct children, zombies too, of `parent`: how many there are in *out (malloc'ed; NULL without memory). */
size_t proctree_children(pid_t parent, pid_t **out);

/* SIGSTOP the roots so that they can start nothing new, kill their descendants, then the roots themselves. Many at once
 * cost hardly more than one. */
void proctree_kill_with_roots(const pid_t *roots, size_t n);
void proctree_kill_with_root(pid_t root);

/* How often the kernel's out-of-memory killer has struck on this machine (and in our own control group), 0 if unknown.
 * A process that died by SIGKILL while this number grew was most likely its victim. */
uint64_t proctree_oom_kills(void);

/* Resident bytes of a process, 0 if unknown. */
uint64_t proctree_rss(pid_t pid);

#endif
