/* The whole C view of libtorch: tensors as opaque handles, scopes that free them, errors as values, devices as values.
 *
 * A function of a model reads like the paper:
 *
 *     // x (B,N,D) -> (B,N,D)
 *     static struct tensor *mlp(const struct mlp *m, struct tensor *x)
 *     {
 *         TH_SCOPE(s);
 *         struct tensor *up = th_gelu(th_linear(x, m->fc1_w, m->fc1_b));    // (B,N,4D)
 *         return th_return(&s, th_linear(up, m->fc2_w, m->fc2_b));          // (B,N,D)
 *     }
 *     ...
 *     TH_SCOPE(s);
 *     struct tensor *y = mlp(&m, x);
 *     TRY(th_check(e));
 *
 * Ownership. Every result belongs to the innermost open scope of the calling thread and is freed when that ends.
 * Nothing is freed by hand, except what th_keep() took out of the scopes, and what should go early (th_drop). Many
 * handles may name the same memory (views, th_contiguous of something contiguous); memory goes with its last handle. A
 * call outside any scope is an error.
 *
 * Errors. The first failing call of a thread sets that thread's error; it and all calls after it return NULL (getters:
 * what they document) until th_check() hands the error over as a `struct err`. So expressions nest freely and are
 * checked once, where the result is needed. NULL for an argument that is not marked "or NULL" is an error. Kinds:
 * ERR_GPU_OOM and ERR_NOMEM for memory, ERR_GPU for a device that failed (the process must end), ERR_BUG for all the
 * rest: libtorch's own message, mostly about shapes. Data from outside must be checked before it gets here.
 *
 * Handles carry a generation: one that is used after its scope ended, or after th_drop, is found in every build and
 * becomes ERR_BUG. With ACSWEEP_TORCH_ABORT=1 in the environment the first error aborts instead, for a debugger to look
 * at.
 *
 * Threads. Scopes, errors and the grad mode belong to a thread; kept tensors may be read by all of them. Random numbers
 * come from a struct th_rng only, never from a global generator.
 *
 * Gradients are off until th_grad(true) (th_train.h).
 *
 * Sizes are int64_t, dims count from 0, negative ones from the end. A trailing underscore changes its first argument in
 * place and returns that same handle. Shapes in comments: B batch, N tokens, D width, H heads, C channels. */
#ifndef ACSWEEP_WORKER_TORCH_TH_H
#define ACSWEEP_WORKER_TORCH_TH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "common/err.h"

struct tensor; /* a handle, never an address: nothing to look into */
struct th_rng; /* a stream of random numbers */

/* ---- values: dtypes, devices ------------------------------------------------------------------------------------- */

enum th_dtype { TH_F32, TH_F64, TH_BF16, TH_F16, TH_I64, TH_I32, TH_I16, TH_I8, TH_U8, TH_BOOL, TH_DTYPES };

/* Bytes of one element, and "f32", "bf16" ...; th_dtype_parse takes those names, -1 with ERR_INPUT for others. */
size_t th_dtype_size(enum th_dtype t);
const char *th_dtype_name(enum th_dtype t);
int th_dtype_parse(const char *name, enum th_dtype *out, struct err *e);
bool th_dtype_is_float(enum th_dtype t);

enum th_device_type { TH_DEV_CPU, TH_DEV_CUDA };
struct th_device {
    enum th_device_type type;
    int index; /* among the visible devices; 0 for the CPU */
};
#ifndef __cplusplus
#define TH_CPU ((struct th_device){ TH_DEV_CPU, 0 })
#define TH_CUDA(i) ((struct th_device){ TH_DEV_CUDA, (i) })
/* Arguments `dims, n` and `list, n`: th_reshape(x, TH_DIMS(b, n, d)), th_cat(TH_LIST(a, b), 1). */
#define TH_DIMS(...) (const int64_t[]){ __VA_ARGS__ }, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))
#define TH_LIST(...) \
    (struct tensor *[]){ __VA_ARGS__ }, (int)(sizeof((struct tensor *[]){ __VA_ARGS__ }) / sizeof(struct tensor *))
#endif
#define TH_SCALAR_DIMS NULL, 0 /* the shape of a tensor without dimensions; for reductions: all dimensions */

/* "cpu", "cuda" or "cuda:N", as a value; ERR_INPUT for other texts. Whether the device is there is th_device_check's.
 */
int th_device_parse(const char *text, struct th_device *out, struct err *e);
/* Writes "cuda:1" and returns buf. */
const char *th_device_name(struct th_device d, char buf[16]);

/* ---- the library (th_device.cpp) --------------------------------------------------------------------------------- */

/* False when built without libtorch; then every call below fails with ERR_ENV. */
bool th_available(void);
/* "libtorch 1.13.0", or "built without libtorch". */
const char *th_version(void);
/* Threads that one operation may use. libtorch's own choice is not to be trusted: set it at the start. */
void th_set_threads(int n);
int th_threads(void);
/* What multiplies matrices on the CPU: "OpenBLAS 0.3.21 (OpenMP, kernels SkylakeX)". False when a program should warn,
 * for it will be slow or disobey th_set_threads; then the text goes on with the remedy. See tune.h for what comes
 * before. */
bool th_blas_check(char *text, size_t size);
/* Visible CUDA devices that this libtorch can use; 0 without CUDA. */
int th_cuda_count(void);
/* ERR_ENV with the reason and the remedy when tensors cannot be made on `d`. */
int th_device_check(struct th_device d, struct err *e);
/* Wait for all work queued on `d`; asynchronous errors of the device come to light here. */
void th_synchronize(struct th_device d);
/* Bytes of the device: free and in total, and those that live tensors hold and held at most since the last reset. On
 * the CPU all are 0. */
struct th_memory {
    int64_t free, total, used, peak;
};
int th_device_memory(struct th_device d, struct th_memory *out, struct err *e);
void th_device_memory_reset_peak(struct th_device d);
/* Give cached, unused memory back to the device, so that another process can have it. */
void th_device_empty_cache(struct th_device d);
/* Let products and convolutions of f32 on a GPU round their factors to 10 bits of mantissa, which is faster. Off at the
 * start: f32 is f32. */
void th_tf32(bool on);
/* Same results in every run on the same device and version, at some cost in speed. */
void th_deterministic(bool on);

/* ---- errors and scopes (th_core.cpp) ----------------------------------------------------------------------------- */

/* 0, or -1 with the thread's error moved into `e` (NULL: forgotten). The thread can go on after it. */
int th_check(struct err *e);
/* Is there an error that th_check has not taken yet? */
bool th_failed(void);
/* Set the thread's error from C, with NULL as the value: return TH_FAIL(ERR_INPUT, "..."). Only the first one counts.
 */
struct tensor *th_fail(enum err_kind kind, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#define TH_FAIL(kind, ...) th_fail((kind), __FILE__, __LINE__, __VA_ARGS__)

struct th_scope {
    uint64_t id;
};
struct th_scope th_scope_begin(void);
/* Free what belongs to the scope (and to scopes inside it that were left open); nothing when it has ended already. */
void th_scope_end(struct th_scope *s);
/* A scope that ends with the C block. */
#define TH_SCOPE(s) __attribute__((cleanup(th_scope_end), unused)) struct th_scope s = th_scope_begin()

/* Give `x` to the scope around `s`, and end `s`. Tensors that do not belong to `s` stay where they are. Returns x. */
struct tensor *th_return(struct th_scope *s, struct tensor *x);
/* As th_return, but `s` goes on: for functions with several results. */
struct tensor *th_hand_up(struct th_scope *s, struct tensor *x);
/* Take `x` out of the scopes: it lives until th_drop, and other threads may use it. Returns x. */
struct tensor *th_keep(struct tensor *x);
/* Free `x` now; NULL is fine. Using the handle afterwards is an error. */
void th_drop(struct tensor *x);
/* Another handle for the same memory, owned by the innermost scope. */
struct tensor *th_alias(struct tensor *x);
/* Handles alive in the process: for leak tests. */
int64_t th_live(void);

/* ---- what a tensor is (th_core.cpp): these never fail, but answer -1 for NULL or a dead handle ---------------------
 */

int th_rank(struct tensor *x);
int64_t th_size(struct tensor *x, int dim);
int64_t th_stride(struct tensor *x, int dim);
int64_t th_numel(struct tensor *x);
int64_t th_bytes(struct tensor *x);              /* of its elements, wherever they lie */
enum th_dtype th_dtype_of(struct tensor *x);     /* TH_DTYPES for NULL, and for types that have no name here */
struct th_device th_device_of(struct tensor *x); /* the CPU for NULL */
bool th_is_contiguous(struct tensor *x);
bool th_is_shape(struct tensor *x, const int64_t *dims, int n); /* a size of -1 matches any */
/* "f32[8,3,224,224] cuda:0", or "no tensor"; for messages. Returns buf. */
const char *th_describe(struct tensor *x, char *buf, size_t size);

/* ---- making tensors (th_create.cpp) ------------------------------------------------------------------------------ */

struct tensor *th_empty(const int64_t *dims, int n, enum th_dtype t, struct th_device d); /* any values */
struct tensor *th_zeros(const int64_t *dims, int n, enum th_dtype t, struct th_device d);
struct tensor *th_ones(const int64_t *dims, int n, enum th_dtype t, struct th_device d);
struct tensor *th_full(const int64_t *dims, int n, double value, enum th_dtype t, struct th_device d);
struct tensor *th_zeros_like(struct tensor *x);
struct tensor *th_ones_like(struct tensor *x);
struct tensor *th_empty_like(struct tensor *x);
struct tensor *th_arange(double start, double end, double step, enum th_dtype t, struct th_device d); /* end excluded */
struct tensor *th_linspace(double start, double end, int64_t steps, enum th_dtype t, struct th_device d);
struct tensor *th_eye(int64_t n, enum th_dtype t, struct th_device d);
/* A copy of `numel` elements of type `t` at `data`, row by row. */
struct tensor *th_from(const void *data, const int64_t *dims, int n, enum th_dtype t, struct th_device d);
/* The memory itself, on the CPU, not copied: `data` must be aligned to its element and stay valid until release(arg) is
 * called, which happens once, when the last handle to it goes, from whichever thread that is. release may be NULL. On
 * failure release is called too. A read-only mapping must not be changed in place. */
struct tensor *th_wrap(void *data, const int64_t *dims, int n, enum th_dtype t, void (*release)(void *arg), void *arg);

/* The elements, converted to `t`, into `out` (count elements; it must be x's number). False on error. */
bool th_read(struct tensor *x, enum th_dtype t, void *out, int64_t count);
/* The address of a contiguous CPU tensor's elements: to read them, or fill th_empty. NULL and an error for others. */
void *th_data(struct tensor *x);
/* The only element. NaN / INT64_MIN on error. */
double th_item(struct tensor *x);
int64_t th_item_i64(struct tensor *x);

/* A stream that depends on `seed` alone. Numbers are drawn on the CPU and copied, so a seed means the same everywhere.
 */
struct th_rng *th_rng_create(uint64_t seed, struct err *e);
void th_rng_destroy(struct th_rng *r);
/* State as a u8 tensor, for checkpoints, and back. */
struct tensor *th_rng_state(struct th_rng *r);
bool th_rng_set_state(struct th_rng *r, struct tensor *state);
struct tensor *th_randn(struct th_rng *r, const int64_t *dims, int n, enum th_dtype t, struct th_device d); /* N(0,1) */
struct tensor *th_rand(struct th_rng *r, const int64_t *dims, int n, enum th_dtype t, struct th_device d);  /* [0,1) */
struct tensor *th_randint(struct th_rng *r, int64_t low, int64_t high, const int64_t *dims, int n, struct th_device d);
struct tensor *th_randperm(struct th_rng *r, int64_t n, struct th_device d);
/* Zero with probability p, the rest divided by 1 - p. */
struct tensor *th_dropout(struct th_rng *r, struct tensor *x, double p);

/* ---- shape (th_shape.cpp); views where libtorch has views ----------------------------------------------------------
 */

struct tensor *th_reshape(struct tensor *x, const int64_t *dims, int n); /* one -1 is worked out; copies if it must */
struct tensor *th_view(struct tensor *x, const int64_t *dims, int n);    /* never copies: an error instead */
struct tensor *th_flatten(struct tensor *x, int from, int to);
struct tensor *th_unsqueeze(struct tensor *x, int dim);
struct tensor *th_squeeze(struct tensor *x, int dim);
struct tensor *th_permute(struct tensor *x, const int64_t *order, int n);
struct tensor *th_transpose(struct tensor *x, int a, int b);
struct tensor *th_expand(struct tensor *x, const int64_t *dims, int n); /* -1 keeps a size */
struct tensor *th_expand_as(struct tensor *x, struct tensor *like);
struct tensor *th_repeat(struct tensor *x, const int64_t *times, int n);
struct tensor *th_repeat_interleave(struct tensor *x, int64_t times, int dim);
struct tensor *th_slice(struct tensor *x, int dim, int64_t start, int64_t end); /* [start, end); end INT64_MAX: all */
struct tensor *th_slice_step(struct tensor *x, int dim, int64_t start, int64_t end, int64_t step);
struct tensor *th_select(struct tensor *x, int dim, int64_t index); /* without that dimension */
struct tensor *th_chunk(struct tensor *x, int64_t parts, int dim, int64_t which);
struct tensor *th_cat(struct tensor *const *list, int n, int dim);
struct tensor *th_stack(struct tensor *const *list, int n, int dim);
struct tensor *th_flip(struct tensor *x, int dim);
struct tensor *th_roll(struct tensor *x, int64_t shift, int dim);
/* Constant padding; pairs (before, after) from the last dimension on, as torch.nn.functional.pad. */
struct tensor *th_pad(struct tensor *x, const int64_t *pairs, int n, double value);
struct tensor *th_tril(struct tensor *x, int64_t diagonal);
struct tensor *th_triu(struct tensor *x, int64_t diagonal);
struct tensor *th_contiguous(struct tensor *x);
struct tensor *th_clone(struct tensor *x); /* its own, contiguous memory */
struct tensor *th_to(struct tensor *x, enum th_dtype t);
struct tensor *th_to_device(struct tensor *x, struct th_device d);
struct tensor *th_to_like(struct tensor *x, struct tensor *like); /* dtype and device of `like` */
struct tensor *th_channels_last(struct tensor *x);                /* (B,C,H,W), laid out B,H,W,C: faster convolutions */

/* Indices are i64 tensors. */
struct tensor *th_index_select(struct tensor *x, int dim, struct tensor *index);
struct tensor *th_gather(struct tensor *x, int dim, struct tensor *index);
struct tensor *th_take_along(struct tensor *x, struct tensor *index, int dim); /* as gather, but broadcasts */
struct tensor *th_scatter(struct tensor *x, int dim, struct tensor *index, struct tensor *src);
struct tensor *th_scatter_add(struct tensor *x, int dim, struct tensor *index, struct tensor *src);
struct tensor *th_index_add(struct tensor *x, int dim, struct tensor *index, struct tensor *src);
struct tensor *th_index_copy(struct tensor *x, int dim, struct tensor *index, struct tensor *src);
struct tensor *th_masked_fill(struct tensor *x, struct tensor *mask, double value);
struct tensor *th_masked_select(struct tensor *x, struct tensor *mask); /* one dimension */
/* x with the places where `mask` is true filled from src, in order: image tokens into a prompt. */
struct tensor *th_masked_scatter(struct tensor *x, struct tensor *mask, struct tensor *src);
struct tensor *th_nonzero(struct tensor *x); /* (count, rank), i64 */
struct tensor *th_where(struct tensor *condition, struct tensor *a, struct tensor *b);

/* In place. */
struct tensor *th_copy_(struct tensor *to, struct tensor *from); /* broadcasts; converts dtype and device */
struct tensor *th_fill_(struct tensor *x, double value);
struct tensor *th_zero_(struct tensor *x);

/* ---- arithmetic (th_ops.cpp); broadcasting and type promotion as in libtorch ---------------------------------------
 */

struct tensor *th_add(struct tensor *a, struct tensor *b);
struct tensor *th_sub(struct tensor *a, struct tensor *b);
struct tensor *th_mul(struct tensor *a, struct tensor *b);
struct tensor *th_div(struct tensor *a, struct tensor *b);
struct tensor *th_pow(struct tensor *a, struct tensor *b);
struct tensor *th_minimum(struct tensor *a, struct tensor *b);
struct tensor *th_maximum(struct tensor *a, struct tensor *b);
/* With a number; the dtype stays x's, unless x is of integers: then f32. */
struct tensor *th_add_s(struct tensor *x, double s);
struct tensor *th_mul_s(struct tensor *x, double s);
struct tensor *th_div_s(struct tensor *x, double s);
struct tensor *th_rsub_s(struct tensor *x, double s); /* s - x */
struct tensor *th_pow_s(struct tensor *x, double s);
/* Integers that stay integers. */
struct tensor *th_add_i(struct tensor *x, int64_t s);
struct tensor *th_mul_i(struct tensor *x, int64_t s);
struct tensor *th_floor_div_i(struct tensor *x, int64_t s);
struct tensor *th_rem_i(struct tensor *x, int64_t s);                       /* sign of s, as in Python */
struct tensor *th_add_scaled(struct tensor *x, struct tensor *y, double s); /* x + s y */
struct tensor *th_lerp(struct tensor *a, struct tensor *b, double w);       /* a + w (b - a) */
struct tensor *th_add_(struct tensor *x, struct tensor *y);
struct tensor *th_add_scaled_(struct tensor *x, struct tensor *y, double s);
struct tensor *th_mul_(struct tensor *x, struct tensor *y);
struct tensor *th_add_s_(struct tensor *x, double s);
struct tensor *th_mul_s_(struct tensor *x, double s);
struct tensor *th_clamp(struct tensor *x, double low, double high); /* -INFINITY, INFINITY: no bound */

struct tensor *th_neg(struct tensor *x);
struct tensor *th_abs(struct tensor *x);
struct tensor *th_exp(struct tensor *x);
struct tensor *th_log(struct tensor *x);
struct tensor *th_sqrt(struct tensor *x);
struct tensor *th_rsqrt(struct tensor *x);
struct tensor *th_square(struct tensor *x);
struct tensor *th_reciprocal(struct tensor *x);
struct tensor *th_sin(struct tensor *x);
struct tensor *th_cos(struct tensor *x);
struct tensor *th_tanh(struct tensor *x);
struct tensor *th_erf(struct tensor *x);
struct tensor *th_floor(struct tensor *x);
struct tensor *th_round(struct tensor *x); /* halves to even */
struct tensor *th_sigmoid(struct tensor *x);
struct tensor *th_relu(struct tensor *x);
struct tensor *th_silu(struct tensor *x);       /* x sigmoid(x) */
struct tensor *th_gelu(struct tensor *x);       /* with erf */
struct tensor *th_gelu_tanh(struct tensor *x);  /* the tanh approximation */
struct tensor *th_quick_gelu(struct tensor *x); /* x sigmoid(1.702 x), CLIP's */

/* Comparisons give bool tensors. */
struct tensor *th_eq(struct tensor *a, struct tensor *b);
struct tensor *th_ne(struct tensor *a, struct tensor *b);
struct tensor *th_lt(struct tensor *a, struct tensor *b);
struct tensor *th_le(struct tensor *a, struct tensor *b);
struct tensor *th_eq_s(struct tensor *x, double s);
struct tensor *th_ne_s(struct tensor *x, double s);
struct tensor *th_lt_s(struct tensor *x, double s);
struct tensor *th_le_s(struct tensor *x, double s);
struct tensor *th_gt_s(struct tensor *x, double s);
struct tensor *th_ge_s(struct tensor *x, double s);
struct tensor *th_and(struct tensor *a, struct tensor *b);
struct tensor *th_or(struct tensor *a, struct tensor *b);
struct tensor *th_not(struct tensor *x);
struct tensor *th_isfinite(struct tensor *x);

/* ---- reductions (th_reduce.cpp) ------------------------------------------------------------------------------------
 * Over the dims listed, or over all with TH_SCALAR_DIMS; `keep` leaves them with size 1. Sums of bf16 and f16 are
 * accumulated in f32 and rounded once; give `to` where a wider result is wanted (TH_DTYPES: x's own). */

struct tensor *th_sum(struct tensor *x, const int64_t *dims, int n, bool keep);
struct tensor *th_sum_to(struct tensor *x, const int64_t *dims, int n, bool keep, enum th_dtype to);
struct tensor *th_mean(struct tensor *x, const int64_t *dims, int n, bool keep);
struct tensor *th_var(struct tensor *x, const int64_t *dims, int n, bool unbiased, bool keep);
struct tensor *th_amax(struct tensor *x, const int64_t *dims, int n, bool keep);
struct tensor *th_amin(struct tensor *x, const int64_t *dims, int n, bool keep);
struct tensor *th_norm(struct tensor *x, const int64_t *dims, int n, bool keep); /* Euclidean */
/* x / max(|x|, eps) along dim, as torch.nn.functional.normalize. */
struct tensor *th_normalize(struct tensor *x, int dim, double eps);
struct tensor *th_argmax(struct tensor *x, int dim, bool keep); /* i64; the first of equals is not promised */
struct tensor *th_argmin(struct tensor *x, int dim, bool keep);
struct tensor *th_all(struct tensor *x); /* one bool */
struct tensor *th_any(struct tensor *x);
struct tensor *th_cumsum(struct tensor *x, int dim);
/* Values, and where they were (i64) unless `index` is NULL; topk's are sorted. */
struct tensor *th_topk(struct tensor *x, int64_t k, int dim, bool largest, struct tensor **index);
struct tensor *th_sort(struct tensor *x, int dim, bool descending, struct tensor **index); /* stable */

/* ---- linear algebra and layers (th_nn.cpp) -------------------------------------------------------------------------
 */

struct tensor *th_matmul(struct tensor *a, struct tensor *b);
struct tensor *th_bmm(struct tensor *a, struct tensor *b); /* (B,n,k) (B,k,m) */
struct tensor *th_baddbmm(struct tensor *c, struct tensor *a, struct tensor *b, double beta, double alpha);
struct tensor *th_outer(struct tensor *a, struct tensor *b);
struct tensor *th_einsum(const char *equation, struct tensor *const *list, int n);
/* x (...,I), w (O,I), b (O) or NULL -> (...,O) */
struct tensor *th_linear(struct tensor *x, struct tensor *w, struct tensor *b);
/* x (B,C,H,W), w (O,C/groups,kh,kw), b (O) or NULL; the same stride, padding and dilation both ways. */
struct th_conv {
    int64_t stride, padding, dilation, groups; /* 0 stands for 1 (padding: for 0) */
};
struct tensor *th_conv2d(struct tensor *x, struct tensor *w, struct tensor *b, struct th_conv c);
struct tensor *th_avg_pool2d(struct tensor *x, int64_t kernel, int64_t stride);
struct tensor *th_max_pool2d(struct tensor *x, int64_t kernel, int64_t stride, int64_t padding);
struct tensor *th_adaptive_avg_pool2d(struct tensor *x, int64_t h, int64_t w);
/* Over the last dimension (or as many as w has); w and b or NULL. */
struct tensor *th_layer_norm(struct tensor *x, struct tensor *w, struct tensor *b, double eps);
/* x (B,C,...); w (C) and b (C) or NULL. */
struct tensor *th_group_norm(struct tensor *x, int64_t groups, struct tensor *w, struct tensor *b, double eps);
/* Over the last dimension, in f32, rounded to x's dtype, then times w (or NULL): LLaMA's order of operations. */
struct tensor *th_rms_norm(struct tensor *x, struct tensor *w, double eps);
struct tensor *th_softmax(struct tensor *x, int dim);
struct tensor *th_softmax_to(struct tensor *x, int dim, enum th_dtype t); /* computed in, and of, type t */
struct tensor *th_log_softmax(struct tensor *x, int dim);
/* softmax(scale q k' + mask) v. q (B,H,N,D), k and v (B,Hk,M,D); H may be a multiple of Hk (grouped queries). scale 0:
 * 1/sqrt(D). mask, or NULL, broadcasts to (B,H,N,M): of bool, true where a query may look; of floats, added. causal:
 * query i sees keys up to i + M - N, so the last query sees all; it may be combined with a mask. A query that may look
 * at nothing gets zeros. */
struct th_attention {
    struct tensor *mask;
    bool causal;
    double scale;
};
struct tensor *th_sdpa(struct tensor *q, struct tensor *k, struct tensor *v, struct th_attention options);
struct tensor *th_embedding(struct tensor *w, struct tensor *index); /* w (V,D), index i64 (...) -> (...,D) */
/* Rotary embedding, halves rotated (LLaMA in Hugging Face layout): x (B,H,N,D), D even; cos and sin, of x's dtype,
 * broadcast to (B,H,N,D) and get no gradient. */
struct tensor *th_rope(struct tensor *x, struct tensor *cos, struct tensor *sin);

/* x (B,C,H,W). The size is h x w; scale_h and scale_w, where not 0, take part in the coordinates instead of the ratio
 * of sizes (as when scale_factor is given to interpolate without recompute_scale_factor), and give h and w where those
 * are 0. */
enum th_resize_mode { TH_NEAREST, TH_NEAREST_EXACT, TH_BILINEAR, TH_BICUBIC };
struct th_resize_to {
    enum th_resize_mode mode;
    int64_t h, w;
    double scale_h, scale_w;
    bool align_corners, antialias; /* for bilinear and bicubic */
};
struct tensor *th_resize(struct tensor *x, struct th_resize_to to);

/* Losses. logits (...,V), target i64 (...), the mean over targets other than `ignore` (NaN when there are none). In
 * f32. */
struct tensor *th_cross_entropy(struct tensor *logits, struct tensor *target, int64_t ignore);
struct tensor *th_mse_loss(struct tensor *a, struct tensor *b);

#ifdef __cplusplus
}
#endif
#endif
