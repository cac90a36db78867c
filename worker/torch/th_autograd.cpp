/* Gradients, and blocks that are computed twice instead of remembered. */
#include "worker/torch/th_impl.h"
#include "worker/torch/th_train.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/function.h>

namespace
{

using block = struct tensor *(*)(struct tensor *x, void *arg);

void run_backward(const at::Tensor &loss)
{
    if (loss.numel() != 1)
        throw th::misuse("loss must be one number");
    if (!loss.requires_grad())
        throw th::misuse("loss depends on nothing that wants a gradient; is th_grad on?");
    torch::autograd::backward({ loss }, {});
}

/* Call f in a scope of its own, on whichever thread this is; its error becomes an exception. */
at::Tensor call(block f, const at::Tensor &x, void *arg, bool grad)
{
    struct scope {
        struct th_scope s = th_scope_begin();
        ~scope()
        {
            th_scope_end(&s);
        }
    } inside;
    c10::AutoGradMode mode(grad);
    at::Tensor y;
    struct tensor *result = f(th::own(x), arg);
    if (!th_failed())
        y = th::arg(result, "the result of the block");
    struct err why = {};
    if (th_check(&why) < 0)
        throw th::failure(why);
    return y;
}

/* As torch.utils.checkpoint with use_reentrant: parameters get their gradients from the inner backward pass. */
struct recompute : torch::autograd::Function<recompute> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, int64_t f, int64_t arg)
    {
        context->save_for_backward({ x });
        context->saved_data["f"] = f;
        context->saved_data["arg"] = arg;
        return call((block)f, x, (void *)arg, false);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                   torch::autograd::variable_list grads)
    {
        at::Tensor x = context->get_saved_variables()[0].detach();
        x.requires_grad_(true);
        at::Tensor y =
            call((block)context->saved_data["f"].toInt(), x, (void *)context->saved_data["arg"].toInt(), true);
        torch::autograd::backward({ y }, { grads[0] });
        return { x.grad(), at::Tensor(), at::Tensor() };
    }
};

at::Tensor run_recompute(block f, const at::Tensor &x, void *arg)
{
    if (!f)
        throw th::misuse("there is no function");
    if (!c10::GradMode::is_enabled())
        return call(f, x, arg, false);
    if (!x.requires_grad())
        throw th::misuse("x wants no gradient, so nothing would be computed again; th_requires_grad_ it");
    return recompute::apply(x, (int64_t)f, (int64_t)arg);
}

} // namespace

extern "C" {

void th_grad(bool on)
{
    c10::GradMode::set_enabled(on);
}

bool th_grad_is_on(void)
{
    return c10::GradMode::is_enabled();
}

struct tensor *th_requires_grad_(struct tensor *x, bool on)
{
    return th::change(__func__, x, [&] { IN(x).requires_grad_(on); });
}

bool th_requires_grad(struct tensor *x)
{
    return th::ask(__func__, false, [&] { return IN(x).requires_grad(); });
}

struct tensor *th_detach(struct tensor *x)
{
    return MAKE(IN(x).detach());
}

bool th_backward(struct tensor *loss)
{
    return th::ask(__func__, false, [&] {
        run_backward(IN(loss));
        return true;
    });
}

struct tensor *th_grad_of(struct tensor *x)
{
    return th::ask(__func__, (struct tensor *)nullptr, [&] {
        const at::Tensor &grad = IN(x).grad();
        return grad.defined() ? th::own(grad) : nullptr;
    });
}

void th_grad_clear(struct tensor *x)
{
    th::ask(__func__, 0, [&] {
        IN(x).mutable_grad().reset();
        return 0;
    });
}

struct tensor *th_recompute(block f, struct tensor *x, void *arg)
{
    return MAKE(run_recompute(f, IN(x), arg));
}

} // extern "C"
