/* Training: gradients and optimisers, on top of th.h. A step:
 *
 *     TH_SCOPE(s);
 *     th_grad(true);
 *     struct tensor *loss = th_cross_entropy(forward(&m, batch), target, -100);
 *     th_backward(loss);
 *     double norm = th_optim_clip_grad(o, 1.0);
 *     th_optim_step(o, lr);
 *     th_optim_zero_grad(o);
 *     double value = th_item(loss);
 *     TRY(th_check(e));
 *
 * Nothing here needs the graph after th_backward, and temporaries of functions with a scope of their own are kept alive
 * by the graph alone, so memory falls as the backward pass goes. */
#ifndef ACSWEEP_WORKER_TORCH_TH_TRAIN_H
#define ACSWEEP_WORKER_TORCH_TH_TRAIN_H

#include "common/own.h"
#include "worker/torch/th.h"
#include "worker/torch/th_dist.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- gradients (th_autograd.cpp) -----------------------------------------------------------------------------------
 */

/* Record operations, or do not, from here to the end of the innermost scope. Off at the start of a thread's outermost.
 */
void th_grad(bool on);
bool th_grad_is_on(void);
/* Make a tensor that no recorded operation made (a parameter, or an input) one whose gradient is wanted, or not. */
struct tensor *th_requires_grad_(struct tensor *x, bool on);
bool th_requires_grad(struct tensor *x);
/* The same memory outside of the graph. */
struct tensor *th_detach(struct tensor *x);
/* Add the derivative of `loss` (one element) to the gradient of every tensor that wants one. False on error. */
bool th_backward(struct tensor *loss);
/* The gradient so far; NULL, without an error, when there is none. It is the tensor itself, not a copy. */
struct tensor *th_grad_of(struct tensor *x);
void th_grad_clear(struct tensor *x);
/* f(x, arg), whose intermediate results are not kept but computed again during th_backward: a decoder block then costs
 * the memory of its input. x must want a gradient or depend on something that does. f must do the same each time; it
 * may use parameters and other tensors by `arg`, which must live until th_backward has ended; its error becomes
 * th_backward's. During th_backward f may be called from another thread. */
struct tensor *th_recompute(struct tensor *(*f)(struct tensor *x, void *arg), struct tensor *x, void *arg);
/* Mean cross entropy, in f32, of the logits x w' with target: x (T,D), w (V,D), target i64 (T), of which there must be
 * at least one; with `weights`, f32 (T), the sum of weights times cross entropies instead. Logits are made for `rows` tokens at a time (0: 512) and dropped; what th_backward needs of them, the
 * derivatives by x and w, is worked out on the way, so their memory is rows V and not T V. w's is added up in f32. */
struct tensor *th_linear_cross_entropy(struct tensor *x, struct tensor *w, struct tensor *target,
                                       struct tensor *weights, int64_t rows);

/* ---- optimisers (th_optim.cpp) --------------------------------------------------------------------------------------
 * The formulas of torch.optim.AdamW and torch.optim.SGD (with PyTorch's bias correction and decoupled decay), in f32.
 * Parameters in bf16 or f16 are updated through an f32 copy of their own, so that small steps are not rounded away. */

struct th_optim;

struct th_adamw {
    double beta1, beta2, eps; /* all 0: 0.9, 0.999, 1e-8 */
};
struct th_sgd {
    double momentum;
    bool nesterov;
};
struct th_optim *th_optim_adamw(struct th_adamw options, struct err *e);
struct th_optim *th_optim_sgd(struct th_sgd options, struct err *e);
void th_optim_destroy(struct th_optim *o);

/* A leaf tensor that wants a gradient; `name` identifies its state in checkpoints. weight_decay is decoupled (AdamW) or
 * added to the gradient (SGD); the step's rate is multiplied by lr_scale. False on error. */
bool th_optim_add(struct th_optim *o, const char *name, struct tensor *parameter, double weight_decay, double lr_scale);
/* Before the first parameter: the state is shared among the processes of `group`, which must outlive the optimiser
 * (ZeRO, Rajbhandari et al. 2020, stage 1). Each process adds the same parameters in the same order; a parameter belongs
 * to the one with the fewest numbers so far, which alone has its state, and updates it in th_optim_step for all. */
bool th_optim_share(struct th_optim *o, struct th_dist *group);
int64_t th_optim_count(const struct th_optim *o);
/* After the backward pass of each micro-batch, when a step has several: move the gradients of bf16 and f16 parameters
 * into f32 sums, which then count as their gradients. Costs 4 bytes a number. */
bool th_optim_take_grad(struct th_optim *o);
/* Before clipping and the step: gradients that are missing become 0 (a connector in a batch without pictures), and all
 * are summed over the group. */
bool th_optim_sum_grad(struct th_optim *o);
/* One update with the gradients there are; parameters without one stay as they are. With a group all processes take
 * part. */
bool th_optim_step(struct th_optim *o, double lr);
/* Forget all gradients. */
void th_optim_zero_grad(struct th_optim *o);
/* Euclidean norm of all gradients together; NaN on error. */
double th_optim_grad_norm(struct th_optim *o);
/* Scale the gradients by max / (norm + 1e-6) where that is below 1; returns the norm before. When it is not finite the
 * gradients are left alone, and the caller decides. */
double th_optim_clip_grad(struct th_optim *o, double max);

/* The state, for checkpoints: th_optim_state_count tensors with names NAME.step (i64, one element), NAME.exp_avg,
 * NAME.exp_avg_sq, NAME.momentum_buffer, NAME.master, always in the same order. They are the state itself. In a
 * group, of the parameters that this process owns. */
int64_t th_optim_state_count(const struct th_optim *o);
struct tensor *th_optim_state_at(struct th_optim *o, int64_t i, const char **name);
/* Copy `value` into the state of that name; ERR_INPUT when there is none, or when its shape differs. */
bool th_optim_set_state(struct th_optim *o, const char *name, struct tensor *value);

static inline UNUSED void th_optim_destroy_cleanup(struct th_optim **o)
{
    th_optim_destroy(*o);
}

#ifdef __cplusplus
}
#endif
#endif
