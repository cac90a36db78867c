/* Scaled dot product attention: the fused kernels where the version has them, and composed where not. */
#include "worker/torch/th_impl.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <torch/version.h>

#define TORCH_AT_LEAST(major, minor) \
    (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace
{

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

/* The caller's mask and causality in one, or none. */
c10::optional<at::Tensor> joint_mask(const c10::optional<at::Tensor> &mask, bool causal, const at::Tensor &q,
                                     const at::Tensor &k)
{
    if (!causal)
        return mask;
    at::Tensor look = causal_mask(q.size(2), k.size(2), q.device());
    if (!mask)
        return look;
    if (mask->scalar_type() == at::kBool)
        return at::logical_and(*mask, look);
    return mask->masked_fill(look.logical_not(), -std::numeric_limits<double>::infinity());
}

at::Tensor composed(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                    const c10::optional<at::Tensor> &mask, double scale)
{
    at::Tensor scores = at::matmul(q * scale, k.transpose(-2, -1)); /* (B,H,N,M) */
    if (!mask)
        return at::matmul(at::softmax(scores, -1), v);
    if (mask->scalar_type() == at::kBool)
        scores = scores.masked_fill(mask->logical_not(), -std::numeric_limits<double>::infinity());
    else
        scores = scores + *mask;
    at::Tensor blind = at::amax(scores, -1, true).eq(-std::numeric_limits<double>::infinity());
    return at::matmul(at::softmax(scores, -1).masked_fill(blind, 0), v);
}

/* Scores of so many numbers stay in a core's cache on their way through the softmax. */
const int64_t part_numbers = 1 << 19;

/* The same on the CPU, some heads or some items of the batch after the other: (B,H,N,M) scores are never all there. */
at::Tensor in_parts(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                    const c10::optional<at::Tensor> &mask, double scale)
{
    int64_t b = q.size(0), h = q.size(1), n = q.size(2), m = k.size(2);
    int64_t room = part_numbers * at::get_num_threads(), head = std::max<int64_t>(n * m, 1);
    if (at::GradMode::is_enabled() || !q.is_cpu() || b * h * head <= room)
        return composed(q, k, v, mask, scale);
    int64_t items = std::max<int64_t>(room / (h * head), 1), heads = std::min(h, std::max<int64_t>(room / head, 1));
    at::Tensor all = mask ? mask->expand({ b, h, n, m }) : at::Tensor();
    at::Tensor out = at::empty({ b, n, h, v.size(3) }, v.options()).transpose(1, 2);
    for (int64_t i = 0; i < b; i += items)
        for (int64_t k0 = 0; k0 < h; k0 += heads) {
            auto part = [&](const at::Tensor &t) { return t.slice(0, i, i + items).slice(1, k0, k0 + heads); };
            c10::optional<at::Tensor> its_mask;
            if (mask)
                its_mask = part(all);
            part(out).copy_(composed(part(q), part(k), part(v), its_mask, scale));
        }
    return out;
}

at::Tensor sdpa(const at::Tensor &q, const at::Tensor &k0, const at::Tensor &v0, const c10::optional<at::Tensor> &mask,
                bool causal, double scale)
{
    if (q.dim() != 4 || k0.dim() != 4 || v0.dim() != 4)
        throw th::misuse("q, k and v must be (B,H,N,D)");
    at::Tensor k = for_each_head(k0, q.size(1)), v = for_each_head(v0, q.size(1));
    if (scale == 0)
        scale = 1 / std::sqrt((double)q.size(3));
#if TORCH_AT_LEAST(2, 1)
    /* The kernel's own causality counts from the first key, and is fastest; ours counts from the last. */
    if (!mask && causal && q.size(2) == k.size(2))
        return at::scaled_dot_product_attention(q, k, v, {}, 0.0, true, scale);
    if (!mask && !causal)
        return at::scaled_dot_product_attention(q, k, v, {}, 0.0, false, scale);
#endif
    return in_parts(q, k, v, joint_mask(mask, causal, q, k), scale);
}

} // namespace

extern "C" struct tensor *th_sdpa(struct tensor *q, struct tensor *k, struct tensor *v, struct th_attention options)
{
    return MAKE(sdpa(IN(q), IN(k), IN(v), th::opt(options.mask, "mask"), options.causal, options.scale));
}
