/* Linear algebra, layers, losses. Attention and resizing, which differ most between versions, are in th_attention.cpp
 * and th_resize.cpp. */
#include "worker/torch/th_impl.h"

namespace
{

int64_t or_one(int64_t n)
{
    return n ? n : 1;
}

at::Tensor conv2d(const at::Tensor &x, const at::Tensor &w, const c10::optional<at::Tensor> &b, struct th_conv c)
{
    int64_t stride[2] = { or_one(c.stride), or_one(c.stride) }, padding[2] = { c.padding, c.padding },
            dilation[2] = { or_one(c.dilation), or_one(c.dilation) };
    return at::conv2d(x, w, b, stride, padding, dilation, or_one(c.groups));
}

c10::optional<at::Tensor> widened(const c10::optional<at::Tensor> &t)
{
    return t ? c10::optional<at::Tensor>(t->to(at::kFloat)) : t;
}

at::Tensor layer_norm(const at::Tensor &x, const c10::optional<at::Tensor> &w, const c10::optional<at::Tensor> &b,
                      double eps)
{
    at::IntArrayRef shape = w ? w->sizes() : x.sizes().slice((size_t)std::max<int64_t>(x.dim() - 1, 0));
    if (!x.is_cpu() || x.scalar_type() != at::kBFloat16)
        return at::layer_norm(x, shape, w, b, eps);
    /* libtorch does the same arithmetic one element at a time there: six times slower than with the detour. */
    return at::layer_norm(x.to(at::kFloat), shape, widened(w), widened(b), eps).to(x.scalar_type());
}

/* One row, as a decoder has for each token, is a product with a vector: for a product of matrices BLAS would first copy
 * all of w into another order, which takes longer than the product. */
at::Tensor row_or_linear(const at::Tensor &x, const at::Tensor &w, const c10::optional<at::Tensor> &b)
{
    bool row = w.dim() == 2 && x.dim() > 0 && x.numel() == w.size(1) && x.size(-1) == w.size(1);
    if (!row || !x.is_cpu() || x.scalar_type() != at::kFloat)
        return at::linear(x, w, b);
    std::vector<int64_t> sizes = x.sizes().vec();
    sizes.back() = w.size(0);
    at::Tensor y = at::mv(w, x.reshape(-1)).view(sizes);
    return b ? y + *b : y;
}

at::Tensor cross_entropy(const at::Tensor &logits, const at::Tensor &target, int64_t ignore)
{
    if (logits.dim() < 1 || logits.sizes().slice(0, (size_t)logits.dim() - 1) != target.sizes())
        throw th::misuse("the sizes of logits, but for the last, must be those of target");
    return at::cross_entropy_loss(logits.reshape({ -1, logits.size(-1) }).to(at::kFloat), target.reshape(-1), {},
                                  at::Reduction::Mean, ignore);
}

} // namespace

extern "C" {

struct tensor *th_matmul(struct tensor *a, struct tensor *b)
{
    return MAKE(at::matmul(IN(a), IN(b)));
}

struct tensor *th_bmm(struct tensor *a, struct tensor *b)
{
    return MAKE(at::bmm(IN(a), IN(b)));
}

struct tensor *th_baddbmm(struct tensor *c, struct tensor *a, struct tensor *b, double beta, double alpha)
{
    return MAKE(at::baddbmm(IN(c), IN(a), IN(b), beta, alpha));
}

struct tensor *th_outer(struct tensor *a, struct tensor *b)
{
    return MAKE(at::outer(IN(a), IN(b)));
}

struct tensor *th_einsum(const char *equation, struct tensor *const *list, int n)
{
    return MAKE(at::einsum(equation, th::list(list, n)));
}

struct tensor *th_linear(struct tensor *x, struct tensor *w, struct tensor *b)
{
    return MAKE(row_or_linear(IN(x), IN(w), OPT(b)));
}

struct tensor *th_conv2d(struct tensor *x, struct tensor *w, struct tensor *b, struct th_conv c)
{
    return MAKE(conv2d(IN(x), IN(w), OPT(b), c));
}

struct tensor *th_avg_pool2d(struct tensor *x, int64_t kernel, int64_t stride)
{
    return MAKE(at::avg_pool2d(IN(x), { kernel, kernel }, { stride, stride }));
}

struct tensor *th_max_pool2d(struct tensor *x, int64_t kernel, int64_t stride, int64_t padding)
{
    return MAKE(at::max_pool2d(IN(x), { kernel, kernel }, { stride, stride }, { padding, padding }));
}

struct tensor *th_adaptive_avg_pool2d(struct tensor *x, int64_t h, int64_t w)
{
    return MAKE(at::adaptive_avg_pool2d(IN(x), { h, w }));
}

struct tensor *th_layer_norm(struct tensor *x, struct tensor *w, struct tensor *b, double eps)
{
    return MAKE(layer_norm(IN(x), OPT(w), OPT(b), eps));
}

struct tensor *th_group_norm(struct tensor *x, int64_t groups, struct tensor *w, struct tensor *b, double eps)
{
    return MAKE(at::group_norm(IN(x), groups, OPT(w), OPT(b), eps));
}

struct tensor *th_softmax(struct tensor *x, int dim)
{
    return MAKE(at::softmax(IN(x), dim));
}

struct tensor *th_softmax_to(struct tensor *x, int dim, enum th_dtype t)
{
    return MAKE(at::softmax(IN(x), dim, th::scalar_type(t)));
}

struct tensor *th_log_softmax(struct tensor *x, int dim)
{
    return MAKE(at::log_softmax(IN(x), dim));
}

struct tensor *th_embedding(struct tensor *w, struct tensor *index)
{
    return MAKE(at::embedding(IN(w), IN(index)));
}

struct tensor *th_cross_entropy(struct tensor *logits, struct tensor *target, int64_t ignore)
{
    return MAKE(cross_entropy(IN(logits), IN(target), ignore));
}

struct tensor *th_mse_loss(struct tensor *a, struct tensor *b)
{
    return MAKE(at::mse_loss(IN(a), IN(b)));
}

} // extern "C"
