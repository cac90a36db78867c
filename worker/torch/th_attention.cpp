/* Scaled dot product attention: the fused kernels where the version has them, and composed where not. */
#include "worker/torch/th_fused.hpp"

#include <ATen/Parallel.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <torch/version.h>

#define TORCH_AT_LEAST(major, minor) \
    (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace
{

constexpr double INF = std::numeric_limits<double>::infinity();
constexpr int64_t PART_NUMBERS = 1 << 19;

/* Keys and values of grouped queries, once for each query head. */
at::Tensor for_each_head(const at::Tensor &kv, int64_t heads)
{
    if (kv.size(1) == heads)
        return kv;
    if (heads % kv.size(1) != 0)
        throw th::misuse("the heads of q must be a multiple of those of k and v");
    return kv.repeat_interleave(heads / kv.size(1), 1);
}

/* (N,M) of bool: true where query i may look at key j. */
at::Tensor causal_mask(int64_t n, int64_t m, at::Device device)
{
    return at::ones({ n, m }, at::TensorOptions().dtype(at::kBool).device(device)).tril(m - n);
}

/* Who may look where: a mask that leaves no query blind (so that no softmax is of nothing), and the blind ones, whose
 * result becomes 0. Each undefined where there is no need of it. */
struct view {
    at::Tensor mask, blind;
};

view view_of(const c10::optional<at::Tensor> &mask, bool causal, int64_t n, int64_t m, at::Device device)
{
    if (!mask && !causal)
        return {};
    at::Tensor look = causal ? causal_mask(n, m, device) : at::Tensor();
    if (!mask && n <= m) /* the last query sees every key, and the first at least one */
        return { look, at::Tensor() };
    if (!mask || mask->scalar_type() == at::kBool) {
        look = !mask ? look : look.defined() ? at::logical_and(*mask, look) : *mask;
        at::Tensor blind = look.any(-1, true).logical_not();
        return { at::logical_or(look, blind), blind };
    }
    at::Tensor add = look.defined() ? mask->masked_fill(look.logical_not(), -INF) : *mask;
    at::Tensor blind = at::amax(add, -1, true).eq(-INF);
    return { add.masked_fill(blind, 0), blind };
}

at::Tensor composed(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &mask, double scale)
{
    at::Tensor scores = at::matmul(q * scale, k.transpose(-2, -1)); /* (B,H,N,M) */
    if (mask.defined() && mask.scalar_type() == at::kBool)
        return at::matmul(th::masked_softmax_(scores, mask.logical_not()), v);
    if (mask.defined())
        scores = scores + mask;
    return at::matmul(at::softmax(scores, -1), v);
}

/* What of (B,H,N) is done at once. */
struct part {
    int64_t items, heads, rows;
};

/* As much as gives PART_NUMBERS scores a thread: whole items of the batch, else whole heads, else some queries. */
part part_of(const at::Tensor &q, int64_t m)
{
    int64_t room = PART_NUMBERS * at::get_num_threads(), row = std::max<int64_t>(m, 1), head = row * q.size(2);
    auto fits = [&](int64_t size, int64_t most) { return std::max<int64_t>(std::min(room / size, most), 1); };
    return { fits(head * q.size(1), q.size(0)), fits(head, q.size(1)), fits(row, q.size(2)) };
}

/* The same part after part, so that scores stay in a core's cache on their way through the softmax; only without
 * gradients, which want them all. Lies in memory as (B,N,H,D), which is what the layer behind it reads. */
at::Tensor in_parts(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &mask, double scale,
                    part p)
{
    int64_t b = q.size(0), h = q.size(1), n = q.size(2);
    at::Tensor out = at::empty({ b, n, h, v.size(3) }, q.options()).transpose(1, 2);
    at::Tensor wide = mask.defined() ? mask.expand({ b, h, n, k.size(2) }) : mask;
    for (int64_t item = 0; item < b; item += p.items)
        for (int64_t head = 0; head < h; head += p.heads) {
            auto keys = [&](const at::Tensor &t) {
                return t.slice(0, item, item + p.items).slice(1, head, head + p.heads);
            };
            for (int64_t row = 0; row < n; row += p.rows) {
                auto queries = [&](const at::Tensor &t) { return keys(t).slice(2, row, row + p.rows); };
                at::Tensor its_mask = wide.defined() ? queries(wide) : wide;
                queries(out).copy_(composed(queries(q), keys(k), keys(v), its_mask, scale));
            }
        }
    return out;
}

bool wants_gradient(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v)
{
    return c10::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad());
}

at::Tensor attend(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &mask, double scale)
{
#if TORCH_AT_LEAST(2, 1)
    at::Tensor add = mask.defined() && mask.scalar_type() != at::kBool ? mask.to(q.scalar_type()) : mask;
    return at::scaled_dot_product_attention(q, k, v, add.defined() ? c10::optional<at::Tensor>(add) : c10::nullopt, 0.0,
                                            false, scale);
#endif
    part p = part_of(q, k.size(2));
    bool whole = p.items == q.size(0) && p.heads == q.size(1) && p.rows == q.size(2);
    if (whole || !q.is_cpu() || wants_gradient(q, k, v))
        return composed(q, k, v, mask, scale);
    return in_parts(q, k, v, mask, scale, p);
}

void check_shapes(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v)
{
    if (q.dim() != 4 || k.dim() != 4 || v.dim() != 4)
        throw th::misuse("q, k and v must be (B,H,N,D)");
    if (k.size(1) != v.size(1) || k.size(2) != v.size(2))
        throw th::misuse("k and v must have the same heads and length");
}

at::Tensor sdpa(const at::Tensor &q, const at::Tensor &k0, const at::Tensor &v0, const c10::optional<at::Tensor> &mask,
                bool causal, double scale)
{
    check_shapes(q, k0, v0);
    at::Tensor k = for_each_head(k0, q.size(1)), v = for_each_head(v0, q.size(1));
    if (scale == 0)
        scale = 1 / std::sqrt((double)q.size(3));
#if TORCH_AT_LEAST(2, 1)
    /* The kernels' own causality counts from the first key, and is the fastest way; ours counts from the last. */
    if (!mask && causal && q.size(2) == k.size(2))
        return at::scaled_dot_product_attention(q, k, v, c10::nullopt, 0.0, true, scale);
#endif
    view w = view_of(mask, causal, q.size(2), k.size(2), q.device());
    if (!w.blind.defined())
        return attend(q, k, v, w.mask, scale);
    return attend(q, k, v, w.mask, scale).masked_fill(w.blind, 0);
}

} // namespace

extern "C" struct tensor *th_sdpa(struct tensor *q, struct tensor *k, struct tensor *v, struct th_attention options)
{
    return MAKE(sdpa(IN(q), IN(k), IN(v), th::opt(options.mask, "mask"), options.causal, options.scale));
}
