/* Several processes of one node that compute together: libtorch's own distributed backend behind th.h. On the CPU that is
 * gloo, over TCP on the loopback interface; on CUDA devices NCCL, where this libtorch has it.
 *
 *     struct th_dist_options o = { .rank = 1, .size = 2, .rendezvous = "/run/acsweep/x/meet", .device = TH_CPU };
 *     AUTO(th_dist_close) struct th_dist *d = th_dist_open(&o, e);
 *     ...
 *     th_dist_sum_(d, gradients, n);
 *     TRY(th_check(e));
 *
 * Every process of a group makes the same calls, in the same order, with tensors of the same sizes: that is what matches
 * them up. A call waits for the others; when one of them is gone, or does not come within the timeout, it fails with
 * ERR_ENV, and the group is of no further use. With NCCL the error of a lost process may come to light only at the next
 * th_synchronize.
 *
 * Sums are made in an order that depends on the number of processes and the sizes alone: the same group gets the same
 * bits in every run. Other errors are the thread's, as in th.h. */
#ifndef ACSWEEP_WORKER_TORCH_TH_DIST_H
#define ACSWEEP_WORKER_TORCH_TH_DIST_H

#include "common/own.h"
#include "worker/torch/th.h"

#ifdef __cplusplus
extern "C" {
#endif

struct th_dist;

struct th_dist_options {
    int rank, size;         /* 0 .. size-1; size 1 is a group, too */
    const char *rendezvous; /* path of a file that no group has used before, the same for all; on this node's disk */
    struct th_device device;
    int64_t timeout_ms; /* for the start, and for every call; 0: ten minutes */
};

/* Can processes that compute on `d` be put together by this build? ERR_ENV says what it lacks. */
int th_dist_check(struct th_device d, struct err *e);
/* Waits until all have come. NULL with ERR_ENV when they do not, or when th_dist_check fails. */
struct th_dist *th_dist_open(const struct th_dist_options *o, struct err *e);
void th_dist_close(struct th_dist *d);

/* NULL is a group of one: rank 0, size 1, and every call below does nothing. */
int th_dist_rank(const struct th_dist *d);
int th_dist_size(const struct th_dist *d);

/* Each of the tensors becomes the sum of all processes' tensors at its place. Any float type. False on error. */
bool th_dist_sum_(struct th_dist *d, struct tensor *const *list, int n);
/* Each of the tensors becomes what the process `root` has at its place. */
bool th_dist_broadcast_(struct th_dist *d, struct tensor *const *list, int n, int root);
/* Waits until all have come here. */
bool th_dist_barrier(struct th_dist *d);

static inline UNUSED void th_dist_close_cleanup(struct th_dist **d)
{
    th_dist_close(*d);
}

#ifdef __cplusplus
}
#endif
#endif
