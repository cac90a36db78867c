/* Inside worker/torch: the group, for the optimiser that shares its state. */
#ifndef ACSWEEP_WORKER_TORCH_TH_DIST_HPP
#define ACSWEEP_WORKER_TORCH_TH_DIST_HPP

#include "worker/torch/th_impl.h"

#include "worker/torch/th_dist.h"

namespace th
{

/* As th_dist_sum_ and th_dist_broadcast_, for tensors; throw. */
void sum_over(struct th_dist *d, std::vector<at::Tensor> &list);
void broadcast_over(struct th_dist *d, std::vector<at::Tensor> &list, int root);

} // namespace th

#endif
