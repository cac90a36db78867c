/* Losses over large vocabularies, without their logits. */
#include "worker/torch/th_impl.h"
#include "worker/torch/th_train.h"

#include <torch/csrc/autograd/custom_function.h>

namespace
{

constexpr int64_t ROWS = 512;

struct problem {
    at::Tensor x, w, target; /* (T,D), (V,D), (T) */
    at::Tensor weight;       /* (T) of f32; undefined: 1 / T for each */
    int64_t rows;
};

struct solution {
    at::Tensor loss, by_x, by_w; /* derivatives undefined where nobody wants them */
};

/* From softmax minus the target's unit vector come both derivatives; `scores` is used up. */
void derive(const problem &p, at::Tensor scores, const at::Tensor &target, int64_t from, solution &out)
{
    int64_t n = target.size(0);
    scores.scatter_add_(1, target, at::full({ n, 1 }, -1.0, scores.options()));
    if (p.weight.defined())
        scores.mul_(p.weight.slice(0, from, from + n).unsqueeze(1));
    else
        scores.div_((double)p.x.size(0));
    at::Tensor d = scores.to(p.x.scalar_type()); /* (n,V) */
    if (out.by_x.defined())
        out.by_x.slice(0, from, from + n).copy_(at::matmul(d, p.w));
    if (out.by_w.defined())
        out.by_w.add_(at::matmul(d.t(), p.x.slice(0, from, from + n)));
}

solution solve(const problem &p, bool want_x, bool want_w)
{
    solution s;
    at::Tensor sum = at::zeros({}, p.x.options().dtype(at::kDouble));
    if (want_x)
        s.by_x = at::empty_like(p.x);
    if (want_w)
        s.by_w = at::zeros(p.w.sizes(), p.w.options().dtype(at::kFloat));
    for (int64_t from = 0; from < p.x.size(0); from += p.rows) {
        at::Tensor target = p.target.slice(0, from, from + p.rows).unsqueeze(1);                   /* (n,1) */
        at::Tensor logits = at::matmul(p.x.slice(0, from, from + p.rows), p.w.t()).to(at::kFloat); /* (n,V) */
        at::Tensor total = at::logsumexp(logits, { 1 }, true);
        at::Tensor losses = total - logits.gather(1, target); /* (n,1) */
        if (p.weight.defined())
            losses.mul_(p.weight.slice(0, from, from + p.rows).unsqueeze(1));
        sum.add_(losses.sum(at::kDouble));
        if (want_x || want_w)
            derive(p, logits.sub_(total).exp_(), target, from, s);
    }
    s.loss = (p.weight.defined() ? sum : sum.div_((double)p.x.size(0))).to(at::kFloat);
    return s;
}

struct linear_cross_entropy : torch::autograd::Function<linear_cross_entropy> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, const at::Tensor &w,
                              const at::Tensor &target, const c10::optional<at::Tensor> &weights, int64_t rows)
    {
        solution s = solve({ x, w, target, weights.value_or(at::Tensor()), rows }, x.requires_grad(), w.requires_grad());
        if (s.by_w.defined())
            s.by_w = s.by_w.to(w.scalar_type());
        context->save_for_backward({ s.by_x, s.by_w });
        return s.loss;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                   torch::autograd::variable_list grads)
    {
        auto saved = context->get_saved_variables();
        auto times = [&](const at::Tensor &d) { return d.defined() ? d * grads[0].to(d.scalar_type()) : at::Tensor(); };
        return { times(saved[0]), times(saved[1]), at::Tensor(), at::Tensor(), at::Tensor() };
    }
};

at::Tensor run_linear_cross_entropy(const at::Tensor &x, const at::Tensor &w, const at::Tensor &target,
                                    const c10::optional<at::Tensor> &weights, int64_t rows)
{
    if (x.dim() != 2 || w.dim() != 2 || target.dim() != 1 || x.size(1) != w.size(1) || x.size(0) != target.size(0))
        throw th::misuse("x must be (T,D), w (V,D) and target (T)");
    if (x.size(0) < 1)
        throw th::misuse("there is no target, and so no mean");
    if (weights && (weights->dim() != 1 || weights->size(0) != x.size(0) || weights->scalar_type() != at::kFloat))
        throw th::misuse("weights must be (T) of f32");
    rows = rows > 0 ? rows : ROWS;
    bool wanted = c10::GradMode::is_enabled() && (x.requires_grad() || w.requires_grad());
    return wanted ? linear_cross_entropy::apply(x, w, target, weights, rows)
                  : solve({ x, w, target, weights.value_or(at::Tensor()), rows }, false, false).loss;
}

} // namespace

extern "C" struct tensor *th_linear_cross_entropy(struct tensor *x, struct tensor *w, struct tensor *target,
                                                  struct tensor *weights, int64_t rows)
{
    return MAKE(run_linear_cross_entropy(IN(x), IN(w), IN(target), th::opt(weights, "weights"), rows));
}
