/* th.h in a build without libtorch: everything that would need it answers so, and the rest of the program goes on. One
 * line for each function that makes a tensor; a test compares the symbols of both builds. */
#include <math.h>
#include <stdio.h>

#include "common/own.h"
#include "worker/torch/th.h"
#include "worker/torch/th_dist.h"
#include "worker/torch/th_train.h"
#include "worker/torch/th_value.h"

/* The parameters only repeat the header. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

static const char reason[] =
    "this program was built without libtorch; install it (Debian: apt-get install libtorch-dev "
    "libopenblas0-openmp g++) and build again";

static void *none(const char *function)
{
    th_error_set(ERR_ENV, function, reason);
    return NULL;
}

#define TENSOR(name, ...)            \
    struct tensor *name(__VA_ARGS__) \
    {                                \
        return none(#name);          \
    }
#define FALSE(name, ...)            \
    bool name(__VA_ARGS__)          \
    {                               \
        return none(#name) != NULL; \
    }

/* ---- the library ----------------------------------------------------------------------------------------------------
 */

bool th_available(void)
{
    return false;
}

const char *th_version(void)
{
    return "built without libtorch";
}

void th_set_threads(int n)
{
}

int th_threads(void)
{
    return 1;
}

bool th_blas_check(char *text, size_t size)
{
    snprintf(text, size, "%s", th_version());
    return true;
}

int th_cuda_count(void)
{
    return 0;
}

int th_device_check(struct th_device d, struct err *e)
{
    char name[16];
    return FAIL(e, ERR_ENV, "%s: %s", th_device_name(d, name), reason);
}

void th_synchronize(struct th_device d)
{
    none(__func__);
}

int th_device_memory(struct th_device d, struct th_memory *out, struct err *e)
{
    *out = (struct th_memory){ 0 };
    return th_device_check(d, e);
}

void th_device_memory_reset_peak(struct th_device d)
{
}

void th_device_empty_cache(struct th_device d)
{
}

void th_tf32(bool on)
{
    (void)on;
}

void th_deterministic(bool on)
{
}

/* ---- scopes: there is never anything in them ------------------------------------------------------------------------
 */

struct th_scope th_scope_begin(void)
{
    return (struct th_scope){ 0 };
}

void th_scope_end(struct th_scope *s)
{
}

void th_drop(struct tensor *x)
{
}

int64_t th_live(void)
{
    return 0;
}

/* ---- what a tensor is -----------------------------------------------------------------------------------------------
 */

int th_rank(struct tensor *x)
{
    none(__func__);
    return -1;
}

int64_t th_size(struct tensor *x, int dim)
{
    none(__func__);
    return -1;
}

int64_t th_stride(struct tensor *x, int dim)
{
    none(__func__);
    return -1;
}

int64_t th_numel(struct tensor *x)
{
    none(__func__);
    return -1;
}

int64_t th_bytes(struct tensor *x)
{
    none(__func__);
    return -1;
}

enum th_dtype th_dtype_of(struct tensor *x)
{
    none(__func__);
    return TH_DTYPES;
}

struct th_device th_device_of(struct tensor *x)
{
    none(__func__);
    return TH_CPU;
}

FALSE(th_is_contiguous, struct tensor *x)
FALSE(th_is_shape, struct tensor *x, const int64_t *dims, int n)

const char *th_describe(struct tensor *x, char *buf, size_t size)
{
    snprintf(buf, size, "no tensor");
    return buf;
}

/* ---- memory and random numbers --------------------------------------------------------------------------------------
 */

struct tensor *th_wrap(void *data, const int64_t *dims, int n, enum th_dtype t, void (*release)(void *arg), void *arg)
{
    if (release)
        release(arg);
    return none(__func__);
}

void *th_data(struct tensor *x)
{
    return none(__func__);
}

double th_item(struct tensor *x)
{
    none(__func__);
    return NAN;
}

int64_t th_item_i64(struct tensor *x)
{
    none(__func__);
    return INT64_MIN;
}

struct th_rng *th_rng_create(uint64_t seed, struct err *e)
{
    return FAIL_NULL(e, ERR_ENV, "%s", reason);
}

void th_rng_destroy(struct th_rng *r)
{
}

FALSE(th_read, struct tensor *x, enum th_dtype t, void *out, int64_t count)
FALSE(th_rng_set_state, struct th_rng *r, struct tensor *state)

/* ---- training -------------------------------------------------------------------------------------------------------
 */

void th_grad(bool on)
{
}

void th_grad_clear(struct tensor *x)
{
    none(__func__);
}

struct tensor *th_recompute(struct tensor *(*f)(struct tensor *x, void *arg), struct tensor *x, void *arg)
{
    return none(__func__);
}

TENSOR(th_linear_cross_entropy, struct tensor *x, struct tensor *w, struct tensor *target, struct tensor *weights,
       int64_t rows)

struct th_optim *th_optim_adamw(struct th_adamw options, struct err *e)
{
    return FAIL_NULL(e, ERR_ENV, "%s", reason);
}

struct th_optim *th_optim_sgd(struct th_sgd options, struct err *e)
{
    return FAIL_NULL(e, ERR_ENV, "%s", reason);
}

void th_optim_destroy(struct th_optim *o)
{
}

int64_t th_optim_count(const struct th_optim *o)
{
    return -1;
}

void th_optim_zero_grad(struct th_optim *o)
{
    none(__func__);
}

double th_optim_grad_norm(struct th_optim *o)
{
    none(__func__);
    return NAN;
}

double th_optim_clip_grad(struct th_optim *o, double max)
{
    none(__func__);
    return NAN;
}

int64_t th_optim_state_count(const struct th_optim *o)
{
    return -1;
}

int th_dist_check(struct th_device d, struct err *e)
{
    return th_device_check(d, e);
}

struct th_dist *th_dist_open(const struct th_dist_options *o, struct err *e)
{
    return FAIL_NULL(e, ERR_ENV, "%s", reason);
}

void th_dist_close(struct th_dist *d)
{
}

int th_dist_rank(const struct th_dist *d)
{
    return 0;
}

int th_dist_size(const struct th_dist *d)
{
    return 1;
}

bool th_grad_is_on(void)
{
    return false;
}

FALSE(th_requires_grad, struct tensor *x)
FALSE(th_backward, struct tensor *loss)
FALSE(th_optim_add, struct th_optim *o, const char *name, struct tensor *parameter, double weight_decay,
      double lr_scale)
FALSE(th_optim_share, struct th_optim *o, struct th_dist *group)
FALSE(th_optim_take_grad, struct th_optim *o)
FALSE(th_optim_sum_grad, struct th_optim *o)
FALSE(th_dist_sum_, struct th_dist *d, struct tensor *const *list, int n)
FALSE(th_dist_broadcast_, struct th_dist *d, struct tensor *const *list, int n, int root)
FALSE(th_dist_barrier, struct th_dist *d)
FALSE(th_optim_step, struct th_optim *o, double lr)
FALSE(th_optim_set_state, struct th_optim *o, const char *name, struct tensor *value)

/* ---- everything that makes a tensor ---------------------------------------------------------------------------------
 */

/* clang-format off */
TENSOR(th_return, struct th_scope *s, struct tensor *x)
TENSOR(th_hand_up, struct th_scope *s, struct tensor *x)
TENSOR(th_keep, struct tensor *x)
TENSOR(th_alias, struct tensor *x)
TENSOR(th_empty, const int64_t *dims, int n, enum th_dtype t, struct th_device d)
TENSOR(th_zeros, const int64_t *dims, int n, enum th_dtype t, struct th_device d)
TENSOR(th_ones, const int64_t *dims, int n, enum th_dtype t, struct th_device d)
TENSOR(th_full, const int64_t *dims, int n, double value, enum th_dtype t, struct th_device d)
TENSOR(th_zeros_like, struct tensor *x)
TENSOR(th_ones_like, struct tensor *x)
TENSOR(th_empty_like, struct tensor *x)
TENSOR(th_arange, double start, double end, double step, enum th_dtype t, struct th_device d)
TENSOR(th_linspace, double start, double end, int64_t steps, enum th_dtype t, struct th_device d)
TENSOR(th_eye, int64_t n, enum th_dtype t, struct th_device d)
TENSOR(th_from, const void *data, const int64_t *dims, int n, enum th_dtype t, struct th_device d)
TENSOR(th_rng_state, struct th_rng *r)
TENSOR(th_randn, struct th_rng *r, const int64_t *dims, int n, enum th_dtype t, struct th_device d)
TENSOR(th_rand, struct th_rng *r, const int64_t *dims, int n, enum th_dtype t, struct th_device d)
TENSOR(th_randint, struct th_rng *r, int64_t low, int64_t high, const int64_t *dims, int n, struct th_device d)
TENSOR(th_randperm, struct th_rng *r, int64_t n, struct th_device d)
TENSOR(th_dropout, struct th_rng *r, struct tensor *x, double p)
TENSOR(th_reshape, struct tensor *x, const int64_t *dims, int n)
TENSOR(th_view, struct tensor *x, const int64_t *dims, int n)
TENSOR(th_flatten, struct tensor *x, int from, int to)
TENSOR(th_unsqueeze, struct tensor *x, int dim)
TENSOR(th_squeeze, struct tensor *x, int dim)
TENSOR(th_permute, struct tensor *x, const int64_t *order, int n)
TENSOR(th_transpose, struct tensor *x, int a, int b)
TENSOR(th_expand, struct tensor *x, const int64_t *dims, int n)
TENSOR(th_expand_as, struct tensor *x, struct tensor *like)
TENSOR(th_repeat, struct tensor *x, const int64_t *times, int n)
TENSOR(th_repeat_interleave, struct tensor *x, int64_t times, int dim)
TENSOR(th_slice, struct tensor *x, int dim, int64_t start, int64_t end)
TENSOR(th_slice_step, struct tensor *x, int dim, int64_t start, int64_t end, int64_t step)
TENSOR(th_select, struct tensor *x, int dim, int64_t index)
TENSOR(th_chunk, struct tensor *x, int64_t parts, int dim, int64_t which)
TENSOR(th_cat, struct tensor *const *list, int n, int dim)
TENSOR(th_stack, struct tensor *const *list, int n, int dim)
TENSOR(th_flip, struct tensor *x, int dim)
TENSOR(th_roll, struct tensor *x, int64_t shift, int dim)
TENSOR(th_pad, struct tensor *x, const int64_t *pairs, int n, double value)
TENSOR(th_tril, struct tensor *x, int64_t diagonal)
TENSOR(th_triu, struct tensor *x, int64_t diagonal)
TENSOR(th_contiguous, struct tensor *x)
TENSOR(th_clone, struct tensor *x)
TENSOR(th_to, struct tensor *x, enum th_dtype t)
TENSOR(th_to_device, struct tensor *x, struct th_device d)
TENSOR(th_to_like, struct tensor *x, struct tensor *like)
TENSOR(th_channels_last, struct tensor *x)
TENSOR(th_index_select, struct tensor *x, int dim, struct tensor *index)
TENSOR(th_gather, struct tensor *x, int dim, struct tensor *index)
TENSOR(th_take_along, struct tensor *x, struct tensor *index, int dim)
TENSOR(th_scatter, struct tensor *x, int dim, struct tensor *index, struct tensor *src)
TENSOR(th_scatter_add, struct tensor *x, int dim, struct tensor *index, struct tensor *src)
TENSOR(th_index_add, struct tensor *x, int dim, struct tensor *index, struct tensor *src)
TENSOR(th_index_copy, struct tensor *x, int dim, struct tensor *index, struct tensor *src)
TENSOR(th_masked_fill, struct tensor *x, struct tensor *mask, double value)
TENSOR(th_masked_select, struct tensor *x, struct tensor *mask)
TENSOR(th_masked_scatter, struct tensor *x, struct tensor *mask, struct tensor *src)
TENSOR(th_nonzero, struct tensor *x)
TENSOR(th_where, struct tensor *condition, struct tensor *a, struct tensor *b)
TENSOR(th_copy_, struct tensor *to, struct tensor *from)
TENSOR(th_fill_, struct tensor *x, double value)
TENSOR(th_zero_, struct tensor *x)
TENSOR(th_add, struct tensor *a, struct tensor *b)
TENSOR(th_sub, struct tensor *a, struct tensor *b)
TENSOR(th_mul, struct tensor *a, struct tensor *b)
TENSOR(th_div, struct tensor *a, struct tensor *b)
TENSOR(th_pow, struct tensor *a, struct tensor *b)
TENSOR(th_minimum, struct tensor *a, struct tensor *b)
TENSOR(th_maximum, struct tensor *a, struct tensor *b)
TENSOR(th_add_s, struct tensor *x, double s)
TENSOR(th_mul_s, struct tensor *x, double s)
TENSOR(th_div_s, struct tensor *x, double s)
TENSOR(th_rsub_s, struct tensor *x, double s)
TENSOR(th_pow_s, struct tensor *x, double s)
TENSOR(th_add_i, struct tensor *x, int64_t s)
TENSOR(th_mul_i, struct tensor *x, int64_t s)
TENSOR(th_floor_div_i, struct tensor *x, int64_t s)
TENSOR(th_rem_i, struct tensor *x, int64_t s)
TENSOR(th_add_scaled, struct tensor *x, struct tensor *y, double s)
TENSOR(th_lerp, struct tensor *a, struct tensor *b, double w)
TENSOR(th_add_, struct tensor *x, struct tensor *y)
TENSOR(th_add_scaled_, struct tensor *x, struct tensor *y, double s)
TENSOR(th_mul_, struct tensor *x, struct tensor *y)
TENSOR(th_add_s_, struct tensor *x, double s)
TENSOR(th_mul_s_, struct tensor *x, double s)
TENSOR(th_clamp, struct tensor *x, double low, double high)
TENSOR(th_neg, struct tensor *x)
TENSOR(th_abs, struct tensor *x)
TENSOR(th_exp, struct tensor *x)
TENSOR(th_log, struct tensor *x)
TENSOR(th_sqrt, struct tensor *x)
TENSOR(th_rsqrt, struct tensor *x)
TENSOR(th_square, struct tensor *x)
TENSOR(th_reciprocal, struct tensor *x)
TENSOR(th_sin, struct tensor *x)
TENSOR(th_cos, struct tensor *x)
TENSOR(th_tanh, struct tensor *x)
TENSOR(th_erf, struct tensor *x)
TENSOR(th_floor, struct tensor *x)
TENSOR(th_round, struct tensor *x)
TENSOR(th_sigmoid, struct tensor *x)
TENSOR(th_relu, struct tensor *x)
TENSOR(th_silu, struct tensor *x)
TENSOR(th_gelu, struct tensor *x)
TENSOR(th_gelu_tanh, struct tensor *x)
TENSOR(th_quick_gelu, struct tensor *x)
TENSOR(th_eq, struct tensor *a, struct tensor *b)
TENSOR(th_ne, struct tensor *a, struct tensor *b)
TENSOR(th_lt, struct tensor *a, struct tensor *b)
TENSOR(th_le, struct tensor *a, struct tensor *b)
TENSOR(th_eq_s, struct tensor *x, double s)
TENSOR(th_ne_s, struct tensor *x, double s)
TENSOR(th_lt_s, struct tensor *x, double s)
TENSOR(th_le_s, struct tensor *x, double s)
TENSOR(th_gt_s, struct tensor *x, double s)
TENSOR(th_ge_s, struct tensor *x, double s)
TENSOR(th_and, struct tensor *a, struct tensor *b)
TENSOR(th_or, struct tensor *a, struct tensor *b)
TENSOR(th_not, struct tensor *x)
TENSOR(th_isfinite, struct tensor *x)
TENSOR(th_sum, struct tensor *x, const int64_t *dims, int n, bool keep)
TENSOR(th_sum_to, struct tensor *x, const int64_t *dims, int n, bool keep, enum th_dtype to)
TENSOR(th_mean, struct tensor *x, const int64_t *dims, int n, bool keep)
TENSOR(th_var, struct tensor *x, const int64_t *dims, int n, bool unbiased, bool keep)
TENSOR(th_amax, struct tensor *x, const int64_t *dims, int n, bool keep)
TENSOR(th_amin, struct tensor *x, const int64_t *dims, int n, bool keep)
TENSOR(th_norm, struct tensor *x, const int64_t *dims, int n, bool keep)
TENSOR(th_normalize, struct tensor *x, int dim, double eps)
TENSOR(th_argmax, struct tensor *x, int dim, bool keep)
TENSOR(th_argmin, struct tensor *x, int dim, bool keep)
TENSOR(th_all, struct tensor *x)
TENSOR(th_any, struct tensor *x)
TENSOR(th_cumsum, struct tensor *x, int dim)
TENSOR(th_topk, struct tensor *x, int64_t k, int dim, bool largest, struct tensor **index)
TENSOR(th_sort, struct tensor *x, int dim, bool descending, struct tensor **index)
TENSOR(th_matmul, struct tensor *a, struct tensor *b)
TENSOR(th_bmm, struct tensor *a, struct tensor *b)
TENSOR(th_baddbmm, struct tensor *c, struct tensor *a, struct tensor *b, double beta, double alpha)
TENSOR(th_outer, struct tensor *a, struct tensor *b)
TENSOR(th_einsum, const char *equation, struct tensor *const *list, int n)
TENSOR(th_linear, struct tensor *x, struct tensor *w, struct tensor *b)
TENSOR(th_conv2d, struct tensor *x, struct tensor *w, struct tensor *b, struct th_conv c)
TENSOR(th_avg_pool2d, struct tensor *x, int64_t kernel, int64_t stride)
TENSOR(th_max_pool2d, struct tensor *x, int64_t kernel, int64_t stride, int64_t padding)
TENSOR(th_adaptive_avg_pool2d, struct tensor *x, int64_t h, int64_t w)
TENSOR(th_layer_norm, struct tensor *x, struct tensor *w, struct tensor *b, double eps)
TENSOR(th_group_norm, struct tensor *x, int64_t groups, struct tensor *w, struct tensor *b, double eps)
TENSOR(th_rms_norm, struct tensor *x, struct tensor *w, double eps)
TENSOR(th_softmax, struct tensor *x, int dim)
TENSOR(th_softmax_to, struct tensor *x, int dim, enum th_dtype t)
TENSOR(th_log_softmax, struct tensor *x, int dim)
TENSOR(th_sdpa, struct tensor *q, struct tensor *k, struct tensor *v, struct th_attention options)
TENSOR(th_embedding, struct tensor *w, struct tensor *index)
TENSOR(th_rope, struct tensor *x, struct tensor *cos, struct tensor *sin)
TENSOR(th_resize, struct tensor *x, struct th_resize_to to)
TENSOR(th_cross_entropy, struct tensor *logits, struct tensor *target, int64_t ignore)
TENSOR(th_mse_loss, struct tensor *a, struct tensor *b)
TENSOR(th_requires_grad_, struct tensor *x, bool on)
TENSOR(th_detach, struct tensor *x)
TENSOR(th_grad_of, struct tensor *x)
TENSOR(th_optim_state_at, struct th_optim *o, int64_t i, const char **name)
/* clang-format on */
