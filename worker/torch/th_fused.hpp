/* For th_*.cpp only: what is fused with its gradient, see th_fused.cpp. */
#ifndef ACSWEEP_WORKER_TORCH_TH_FUSED_HPP
#define ACSWEEP_WORKER_TORCH_TH_FUSED_HPP

#include "worker/torch/th_impl.h"

namespace th
{

/* softmax over the last dimension, with probability 0 where `hidden` (of bool, broadcast) is true. A result of an
 * operation that does not need it again, such as matmul: `scores` is written over. No row may be hidden as a whole. */
at::Tensor masked_softmax_(const at::Tensor &scores, const at::Tensor &hidden);

} // namespace th

#endif
