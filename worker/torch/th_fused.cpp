/* RMS norm, rotary embedding and softmax under a mask, with gradients that are written out. Composed of libtorch's
 * operations each would keep a tensor, and go through memory, for every step of its formula and of the derivative.
 *
 * The arithmetic is that of the composed operations, in their order (and this file is compiled without contraction to
 * multiply-adds): norm and rotation give the same bits, but for the sign of zeros; tests/unit/test_torch_fused.c. */
#include "worker/torch/th_fused.hpp"

#include <ATen/Parallel.h>
#include <algorithm>
#include <limits>
#include <torch/csrc/autograd/custom_function.h>

namespace
{

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr int64_t GRAIN = 1 << 14; /* numbers that are worth a thread */

bool is_plain(const at::Tensor &t)
{
    return t.is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous();
}

bool wants_gradient(const at::Tensor &t)
{
    return c10::GradMode::is_enabled() && t.requires_grad();
}

/* f(row) for each, several threads where there is enough to do. */
template <class F> void for_rows(int64_t rows, int64_t width, F f)
{
    at::parallel_for(0, rows, std::max<int64_t>(GRAIN / std::max<int64_t>(width, 1), 1),
                     [&](int64_t begin, int64_t end) {
                         for (int64_t i = begin; i < end; i++)
                             f(i);
                     });
}

/* ---- RMS norm -------------------------------------------------------------------------------------------------------
 */

/* y = (x r) w, r = 1 / sqrt(mean x^2 + eps) */

bool plain_norm(const at::Tensor &x, const at::Tensor &w)
{
    return is_plain(x) && x.dim() > 0 && (!w.defined() || (is_plain(w) && w.dim() == 1 && w.size(0) == x.size(-1)));
}

/* What is computed forwards: r (...,1) of f32, and y. */
struct normed {
    at::Tensor r, y;
};

normed norm(const at::Tensor &x, const at::Tensor &w, double eps)
{
    at::Tensor wide = x.to(at::kFloat);
    at::Tensor r = at::rsqrt(wide.square().mean(-1, true) + eps);
    if (!plain_norm(x, w)) {
        at::Tensor y = (wide * r).to(x.scalar_type());
        return { r, w.defined() ? y * w : y };
    }
    at::Tensor y = at::empty_like(x);
    int64_t n = x.size(-1), rows = r.numel();
    const float *in = x.data_ptr<float>(), *each = r.data_ptr<float>(),
                *by = w.defined() ? w.data_ptr<float>() : nullptr;
    float *out = y.data_ptr<float>();
    for_rows(rows, n, [=](int64_t row) {
        const float *a = in + row * n, s = each[row];
        float *b = out + row * n;
        for (int64_t i = 0; by && i < n; i++)
            b[i] = a[i] * s * by[i];
        for (int64_t i = 0; !by && i < n; i++)
            b[i] = a[i] * s;
    });
    return { r, y };
}

/* From the gradient of y: of x by way of the product with r, and by way of r; and of w. Undefined: not wanted. */
struct norm_gradient {
    at::Tensor product, root, w;
};

/* d mean-of-squares / D, (...,1), from d r before its sum over a row. */
at::Tensor by_root(const at::Tensor &terms, const at::Tensor &r, int64_t n)
{
    return -0.5 * terms.sum(-1, true) * r.pow(3) / n;
}

at::Tensor over_rows(const at::Tensor &x)
{
    return x.dim() == 1 ? x : x.reshape({ -1, x.size(-1) }).sum(0);
}

norm_gradient norm_plain(const at::Tensor &x, const at::Tensor &w, const at::Tensor &r, const at::Tensor &g,
                         bool want_x, bool want_w)
{
    norm_gradient out;
    at::Tensor terms = want_x ? at::empty_like(x) : at::Tensor(), by_w = want_w ? at::empty_like(x) : at::Tensor();
    int64_t n = x.size(-1), rows = r.numel();
    const float *in = x.data_ptr<float>(), *up = g.data_ptr<float>(), *each = r.data_ptr<float>(),
                *by = w.defined() ? w.data_ptr<float>() : nullptr;
    float *t = want_x ? terms.data_ptr<float>() : nullptr, *d = want_w ? by_w.data_ptr<float>() : nullptr;
    for_rows(rows, n, [=](int64_t row) {
        int64_t at = row * n;
        const float *a = in + at, *u = up + at, s = each[row];
        for (int64_t i = 0; t && by && i < n; i++)
            t[at + i] = u[i] * by[i] * a[i];
        for (int64_t i = 0; t && !by && i < n; i++)
            t[at + i] = u[i] * a[i];
        for (int64_t i = 0; d && i < n; i++)
            d[at + i] = u[i] * (a[i] * s);
    });
    if (want_w)
        out.w = over_rows(by_w);
    if (!want_x)
        return out;
    at::Tensor c = by_root(terms, r, n);
    out.product = at::empty_like(x);
    out.root = terms; /* used up */
    const float *scale = c.data_ptr<float>();
    float *p = out.product.data_ptr<float>(), *q = t;
    for_rows(rows, n, [=](int64_t row) {
        int64_t at = row * n;
        const float *a = in + at, *u = up + at, s = each[row], k = scale[row];
        for (int64_t i = 0; by && i < n; i++)
            p[at + i] = u[i] * by[i] * s;
        for (int64_t i = 0; !by && i < n; i++)
            p[at + i] = u[i] * s;
        for (int64_t i = 0; i < n; i++)
            q[at + i] = k * (2 * a[i]);
    });
    return out;
}

norm_gradient norm_any(const at::Tensor &x, const at::Tensor &w, const at::Tensor &r, const at::Tensor &g, bool want_x,
                       bool want_w)
{
    norm_gradient out;
    at::Tensor wide = x.to(at::kFloat);
    if (want_w)
        out.w = over_rows(g * (wide * r).to(x.scalar_type()));
    if (!want_x)
        return out;
    at::Tensor by_normed = (w.defined() ? g * w : g).to(x.scalar_type()).to(at::kFloat);
    out.root = by_root(by_normed * wide, r, x.size(-1)) * (2 * wide);
    out.product = by_normed * r;
    if (x.scalar_type() != at::kFloat) { /* one tensor was widened, and one gradient is rounded */
        out.product = (out.product + out.root).to(x.scalar_type());
        out.root = at::Tensor();
    }
    return out;
}

/* x is taken twice, so that its two gradients are added to what it has from elsewhere one after the other. */
struct rms_norm : Function<rms_norm> {
    static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &again,
                              const c10::optional<at::Tensor> &w, double eps)
    {
        (void)again;
        at::Tensor weight = w.value_or(at::Tensor());
        normed n = norm(x, weight, eps);
        context->saved_data["x"] = x.requires_grad();
        context->saved_data["w"] = weight.defined() && weight.requires_grad();
        context->save_for_backward({ x, weight, n.r });
        return n.y;
    }

    static variable_list backward(AutogradContext *context, variable_list grads)
    {
        variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &w = saved[1];
        bool plain = plain_norm(x, w) && grads[0].scalar_type() == at::kFloat;
        norm_gradient g =
            (plain ? norm_plain : norm_any)(x, w, saved[2], plain ? grads[0].contiguous() : grads[0],
                                            context->saved_data["x"].toBool(), context->saved_data["w"].toBool());
        return { g.product, g.root, g.w, at::Tensor() };
    }
};

/* ---- rotary embedding: y = x cos + (-x2, x1) sin --------------------------------------------------------------------
 */

/* (a, b) -> (-b, a) */
at::Tensor rotate_half(const at::Tensor &x)
{
    int64_t half = x.size(-1) / 2;
    return at::cat({ -x.slice(-1, half), x.slice(-1, 0, half) }, -1);
}

/* Its derivative: (a, b) -> (b, -a) */
at::Tensor rotate_half_back(const at::Tensor &x)
{
    int64_t half = x.size(-1) / 2;
    return at::cat({ x.slice(-1, half), -x.slice(-1, 0, half) }, -1);
}

bool has_rows(const at::Tensor &t)
{
    return t.is_cpu() && t.scalar_type() == at::kFloat && t.dim() == 4 && t.stride(3) == 1;
}

struct rows_of {
    float *data;
    int64_t b, h, n; /* strides */
    explicit rows_of(const at::Tensor &t) : data(t.data_ptr<float>()), b(t.stride(0)), h(t.stride(1)), n(t.stride(2))
    {
    }
};

/* y1 = x1 c1 - x2 s1 and y2 = x2 c2 + x1 s2; back: y1 = x1 c1 + x2 s2 and y2 = x2 c2 - x1 s1. */
template <bool back> void turn(const at::Tensor &x, const at::Tensor &cos, const at::Tensor &sin, const at::Tensor &y)
{
    int64_t heads = x.size(1), n = x.size(2), half = x.size(3) / 2;
    rows_of from(x), c(cos), s(sin), to(y);
    for_rows(x.size(0) * heads * n, 2 * half, [=](int64_t row) {
        int64_t k = row % n, j = row / n % heads, i = row / n / heads;
        auto at = [=](const rows_of &r) { return r.data + i * r.b + j * r.h + k * r.n; };
        const float *a = at(from), *u = at(c), *v = at(s);
        float *out = at(to);
        for (int64_t d = 0; d < half; d++) {
            float first = a[d], second = a[half + d];
            out[d] = back ? first * u[d] + second * v[half + d] : first * u[d] - second * v[d];
            out[half + d] = back ? second * u[half + d] - first * v[d] : second * u[half + d] + first * v[half + d];
        }
    });
}

template <bool back> at::Tensor turned(const at::Tensor &x, const at::Tensor &cos, const at::Tensor &sin)
{
    if (has_rows(x) && cos.dim() <= 4 && sin.dim() <= 4) {
        at::Tensor c = cos.expand_as(x), s = sin.expand_as(x), y = at::empty_like(x);
        if (has_rows(c) && has_rows(s) && has_rows(y)) {
            turn<back>(x, c, s, y);
            return y;
        }
    }
    return back ? x * cos + rotate_half_back(x * sin) : x * cos + rotate_half(x) * sin;
}

struct rope : Function<rope> {
    static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &cos,
                              const at::Tensor &sin)
    {
        context->save_for_backward({ cos, sin });
        return turned<false>(x, cos, sin);
    }

    static variable_list backward(AutogradContext *context, variable_list grads)
    {
        variable_list saved = context->get_saved_variables();
        return { turned<true>(grads[0], saved[0], saved[1]), at::Tensor(), at::Tensor() };
    }
};

at::Tensor run_rope(const at::Tensor &x, const at::Tensor &cos, const at::Tensor &sin)
{
    if (x.dim() < 1 || x.size(-1) % 2 != 0)
        throw th::misuse("the last size of x must be even: it has halves");
    if (wants_gradient(cos) || wants_gradient(sin))
        throw th::misuse("cos and sin get no gradient");
    return wants_gradient(x) ? rope::apply(x, cos, sin) : turned<false>(x, cos, sin);
}

/* ---- softmax under a mask -------------------------------------------------------------------------------------------
 */

at::Tensor hide(const at::Tensor &scores, const at::Tensor &hidden)
{
    return at::softmax(scores.masked_fill_(hidden, -std::numeric_limits<double>::infinity()), -1);
}

/* What is hidden has probability 0, so that softmax's own derivative is 0 there. */
struct masked_softmax : Function<masked_softmax> {
    static at::Tensor forward(AutogradContext *context, const at::Tensor &scores, const at::Tensor &hidden)
    {
        at::Tensor p = hide(scores, hidden);
        context->save_for_backward({ p });
        return p;
    }

    static variable_list backward(AutogradContext *context, variable_list grads)
    {
        at::Tensor p = context->get_saved_variables()[0];
        return { at::_softmax_backward_data(grads[0], p, -1, p.scalar_type()), at::Tensor() };
    }
};

} // namespace

at::Tensor th::masked_softmax_(const at::Tensor &scores, const at::Tensor &hidden)
{
    return wants_gradient(scores) ? masked_softmax::apply(scores, hidden) : hide(scores, hidden);
}

extern "C" {

struct tensor *th_rms_norm(struct tensor *x, struct tensor *w, double eps)
{
    return MAKE([&] {
        const at::Tensor &in = IN(x);
        c10::optional<at::Tensor> weight = OPT(w);
        if (wants_gradient(in) || (weight && wants_gradient(*weight)))
            return rms_norm::apply(in, in, weight, eps);
        return norm(in, weight.value_or(at::Tensor()), eps).y;
    }());
}

struct tensor *th_rope(struct tensor *x, struct tensor *cos, struct tensor *sin)
{
    return MAKE(run_rope(IN(x), IN(cos), IN(sin)));
}

} // extern "C"
