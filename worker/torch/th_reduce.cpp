/* Reductions, sorting, cumulative sums. */
#include "worker/torch/th_impl.h"

namespace
{

using dim_list = std::vector<int64_t>;

/* The dims listed, or all of them: some operations take an empty list for "all", some for "none", some differ by
 * version. */
dim_list reduced(const at::Tensor &t, const int64_t *dims, int n)
{
    at::IntArrayRef given = th::dims(dims, n);
    dim_list all = given.vec();
    for (int64_t i = 0; n == 0 && i < t.dim(); i++)
        all.push_back(i);
    return all;
}

c10::optional<at::ScalarType> type_or_own(enum th_dtype t)
{
    return t == TH_DTYPES ? c10::optional<at::ScalarType>() : c10::optional<at::ScalarType>(th::scalar_type(t));
}

/* The values; the indices, where wanted, as a second handle. */
at::Tensor values_and_index(std::tuple<at::Tensor, at::Tensor> both, struct tensor **index)
{
    if (index)
        *index = th::own(std::get<1>(both));
    return std::get<0>(both);
}

at::Tensor norm(const at::Tensor &t, const dim_list &dims, bool keep)
{
    return at::linalg_vector_norm(t, 2, at::IntArrayRef(dims), keep);
}

} // namespace

extern "C" {

struct tensor *th_sum(struct tensor *x, const int64_t *dims, int n, bool keep)
{
    return MAKE(at::sum(IN(x), reduced(IN(x), dims, n), keep));
}

struct tensor *th_sum_to(struct tensor *x, const int64_t *dims, int n, bool keep, enum th_dtype to)
{
    return MAKE(at::sum(IN(x), reduced(IN(x), dims, n), keep, type_or_own(to)));
}

struct tensor *th_mean(struct tensor *x, const int64_t *dims, int n, bool keep)
{
    return MAKE(at::mean(IN(x), reduced(IN(x), dims, n), keep));
}

struct tensor *th_var(struct tensor *x, const int64_t *dims, int n, bool unbiased, bool keep)
{
    return MAKE(at::var(IN(x), reduced(IN(x), dims, n), unbiased, keep));
}

struct tensor *th_amax(struct tensor *x, const int64_t *dims, int n, bool keep)
{
    return MAKE(at::amax(IN(x), reduced(IN(x), dims, n), keep));
}

struct tensor *th_amin(struct tensor *x, const int64_t *dims, int n, bool keep)
{
    return MAKE(at::amin(IN(x), reduced(IN(x), dims, n), keep));
}

struct tensor *th_norm(struct tensor *x, const int64_t *dims, int n, bool keep)
{
    return MAKE(norm(IN(x), reduced(IN(x), dims, n), keep));
}

struct tensor *th_normalize(struct tensor *x, int dim, double eps)
{
    return MAKE(IN(x) / norm(IN(x), { dim }, true).clamp_min(eps));
}

struct tensor *th_argmax(struct tensor *x, int dim, bool keep)
{
    return MAKE(at::argmax(IN(x), dim, keep));
}

struct tensor *th_argmin(struct tensor *x, int dim, bool keep)
{
    return MAKE(at::argmin(IN(x), dim, keep));
}

struct tensor *th_all(struct tensor *x)
{
    return MAKE(at::all(IN(x)));
}

struct tensor *th_any(struct tensor *x)
{
    return MAKE(at::any(IN(x)));
}

struct tensor *th_cumsum(struct tensor *x, int dim)
{
    return MAKE(at::cumsum(IN(x), dim));
}

struct tensor *th_topk(struct tensor *x, int64_t k, int dim, bool largest, struct tensor **index)
{
    if (index)
        *index = nullptr;
    return MAKE(values_and_index(at::topk(IN(x), k, dim, largest, true), index));
}

struct tensor *th_sort(struct tensor *x, int dim, bool descending, struct tensor **index)
{
    if (index)
        *index = nullptr;
    return MAKE(values_and_index(at::sort(IN(x), c10::optional<bool>(true), dim, descending), index));
}

} // extern "C"
