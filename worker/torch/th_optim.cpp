/* AdamW and SGD. Contiguous f32 parameters on the CPU, which is most of what the CPU trains, are updated in one pass
 * over their memory; all others tensor by tensor with the same formulas. */
#include "worker/torch/th_dist.hpp"
#include "worker/torch/th_train.h"

#include <ATen/Parallel.h>
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

namespace
{

/* A named piece of state. */
struct piece {
    std::string name;
    at::Tensor value;
};

struct parameter {
    at::Tensor value;
    double weight_decay, lr_scale;
    at::Tensor step;          /* i64, one element, on the CPU */
    at::Tensor first, second; /* exp_avg, exp_avg_sq; or momentum_buffer and nothing */
    at::Tensor master;        /* f32 copy of a value in half precision; undefined for others */
    at::Tensor sum;           /* gradients that th_optim_take_grad has taken, f32; undefined when it has not */
    int owner;                /* the process that has the state and updates the value */

    /* Undefined when there is none. */
    const at::Tensor &gradient() const
    {
        return sum.defined() ? sum : value.grad();
    }
};

bool is_half(const at::Tensor &t)
{
    return t.scalar_type() == at::kBFloat16 || t.scalar_type() == at::kHalf;
}

/* Numbers of one update of one parameter. */
struct rates {
    double lr, decay, beta1, beta2, eps, correction1, correction2;
};

/* torch.optim.AdamW, in its order of operations:
 *     p <- p (1 - lr decay);  m <- m + (g - m) (1 - beta1);  v <- beta2 v + (1 - beta2) g g
 *     p <- p - lr / correction1 * m / (sqrt(v) / sqrt(correction2) + eps) */
void adamw_loop(float *p, float *m, float *v, const float *g, int64_t n, const rates &r)
{
    const float keep = (float)(1 - r.lr * r.decay), w1 = (float)(1 - r.beta1), beta2 = (float)r.beta2,
                w2 = (float)(1 - r.beta2), root = (float)std::sqrt(r.correction2), eps = (float)r.eps,
                size = (float)(-r.lr / r.correction1);
    at::parallel_for(0, n, 1 << 15, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            m[i] += (g[i] - m[i]) * w1;
            v[i] = v[i] * beta2 + w2 * g[i] * g[i];
            p[i] = p[i] * keep + size * m[i] / (std::sqrt(v[i]) / root + eps);
        }
    });
}

void adamw_tensor(at::Tensor &p, at::Tensor &m, at::Tensor &v, const at::Tensor &g, const rates &r)
{
    p.mul_(1 - r.lr * r.decay);
    m.lerp_(g, 1 - r.beta1);
    v.mul_(r.beta2).addcmul_(g, g, 1 - r.beta2);
    at::Tensor below = (v.sqrt() / std::sqrt(r.correction2)).add_(r.eps);
    p.addcdiv_(m, below, -r.lr / r.correction1);
}

bool is_plain(const at::Tensor &t)
{
    return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous();
}

class optimiser
{
  public:
    virtual ~optimiser() = default;
    virtual void update(parameter &p, at::Tensor &value, const at::Tensor &grad, double lr) = 0;
    virtual const char *first_name() const = 0;
    virtual const char *second_name() const = 0; /* NULL: there is none */

    std::vector<parameter> parameters;
    std::vector<piece> state;
    struct th_dist *group = nullptr;
    bool taking = false; /* gradients in half precision are summed in f32 */
    std::vector<int64_t> load; /* numbers that each process of the group owns */

    void share(struct th_dist *d);
    void add(const std::string &name, const at::Tensor &t, double weight_decay, double lr_scale);
    void step(double lr);
    void take_gradients();
    void sum_gradients();
    std::vector<at::Tensor> gradients() const;

  private:
    int take_owner(const at::Tensor &t);
    void hand_out();
    at::Tensor keep(const std::string &name, at::Tensor value)
    {
        state.push_back({ name, value });
        return value;
    }
};

class adamw final : public optimiser
{
  public:
    explicit adamw(struct th_adamw o) : options(o)
    {
        if (o.beta1 == 0 && o.beta2 == 0 && o.eps == 0)
            options = { 0.9, 0.999, 1e-8 };
    }
    const char *first_name() const override
    {
        return "exp_avg";
    }
    const char *second_name() const override
    {
        return "exp_avg_sq";
    }
    void update(parameter &p, at::Tensor &value, const at::Tensor &grad, double lr) override
    {
        double t = (double)*p.step.data_ptr<int64_t>();
        rates r = { lr,
                    p.weight_decay,
                    options.beta1,
                    options.beta2,
                    options.eps,
                    1 - std::pow(options.beta1, t),
                    1 - std::pow(options.beta2, t) };
        if (is_plain(value) && is_plain(grad))
            adamw_loop(value.data_ptr<float>(), p.first.data_ptr<float>(), p.second.data_ptr<float>(),
                       grad.data_ptr<float>(), value.numel(), r);
        else
            adamw_tensor(value, p.first, p.second, grad, r);
    }

  private:
    struct th_adamw options;
};

/* torch.optim.SGD:  g <- g + decay p;  b <- momentum b + g;  p <- p - lr (b, or g + momentum b with Nesterov's) */
class sgd final : public optimiser
{
  public:
    explicit sgd(struct th_sgd o) : options(o)
    {
    }
    const char *first_name() const override
    {
        return "momentum_buffer";
    }
    const char *second_name() const override
    {
        return nullptr;
    }
    void update(parameter &p, at::Tensor &value, const at::Tensor &grad, double lr) override
    {
        at::Tensor g = p.weight_decay != 0 ? grad.add(value, p.weight_decay) : grad;
        if (options.momentum != 0) {
            p.first.mul_(options.momentum).add_(g);
            g = options.nesterov ? g.add(p.first, options.momentum) : p.first;
        }
        value.add_(g, -lr);
    }

  private:
    struct th_sgd options;
};

void optimiser::share(struct th_dist *d)
{
    if (!parameters.empty())
        throw th::misuse("an optimiser is shared before it is given parameters");
    group = d;
}

/* Who has least so far, so that all come to the same shares without asking. */
int optimiser::take_owner(const at::Tensor &t)
{
    load.resize((size_t)th_dist_size(group));
    auto least = std::min_element(load.begin(), load.end());
    *least += t.numel();
    return (int)(least - load.begin());
}

void optimiser::add(const std::string &name, const at::Tensor &t, double weight_decay, double lr_scale)
{
    if (!t.is_leaf() || !t.requires_grad() || !t.is_floating_point())
        throw th::misuse("parameter " + name + " is not a leaf of floating point that wants a gradient");
    for (const piece &s : state)
        if (s.name == name + ".step")
            throw th::misuse("there are two parameters named " + name);
    auto wide = t.options().dtype(t.scalar_type() == at::kDouble ? at::kDouble : at::kFloat).requires_grad(false);
    parameter p = { t, weight_decay, lr_scale, {}, {}, {}, {}, {}, take_owner(t) };
    if (p.owner != th_dist_rank(group)) {
        parameters.push_back(p);
        return;
    }
    p.step = keep(name + ".step", at::zeros({}, at::TensorOptions().dtype(at::kLong)));
    p.first = keep(name + "." + first_name(), at::zeros(t.sizes(), wide));
    if (second_name())
        p.second = keep(name + "." + second_name(), at::zeros(t.sizes(), wide));
    if (is_half(t))
        p.master = keep(name + ".master", t.detach().to(at::kFloat).contiguous());
    parameters.push_back(p);
}

void optimiser::step(double lr)
{
    c10::NoGradGuard unrecorded;
    for (parameter &p : parameters) {
        const at::Tensor &grad = p.gradient();
        if (!grad.defined() || p.owner != th_dist_rank(group))
            continue;
        ++*p.step.data_ptr<int64_t>();
        at::Tensor value = p.master.defined() ? p.master : p.value.detach();
        update(p, value, grad.to(value.scalar_type()), lr * p.lr_scale);
        if (p.master.defined())
            p.value.detach().copy_(p.master);
    }
    hand_out();
}

/* Every process gets what the owners have made. */
void optimiser::hand_out()
{
    for (int owner = 0; owner < th_dist_size(group) && th_dist_size(group) > 1; owner++) {
        std::vector<at::Tensor> values;
        for (const parameter &p : parameters)
            if (p.owner == owner)
                values.push_back(p.value.detach());
        th::broadcast_over(group, values, owner);
    }
}

/* Gradients in half precision would lose the small ones of many micro-batches. */
void optimiser::take_gradients()
{
    c10::NoGradGuard unrecorded;
    taking = true;
    for (parameter &p : parameters) {
        const at::Tensor &grad = p.value.grad();
        if (!is_half(p.value) || !grad.defined())
            continue;
        if (p.sum.defined())
            p.sum.add_(grad);
        else
            p.sum = grad.to(at::kFloat);
        p.value.mutable_grad().reset();
    }
}

void optimiser::sum_gradients()
{
    c10::NoGradGuard unrecorded;
    for (parameter &p : parameters) {
        if (p.gradient().defined())
            continue;
        if (taking && is_half(p.value))
            p.sum = at::zeros(p.value.sizes(), p.value.options().dtype(at::kFloat).requires_grad(false));
        else
            p.value.mutable_grad() = at::zeros_like(p.value.detach());
    }
    std::vector<at::Tensor> all = gradients();
    th::sum_over(group, all);
}

std::vector<at::Tensor> optimiser::gradients() const
{
    std::vector<at::Tensor> all;
    for (const parameter &p : parameters)
        if (p.gradient().defined())
            all.push_back(p.gradient());
    return all;
}

/* In f32 at least; on each device one number per tensor, and one transfer per device. */
double norm_of(const std::vector<at::Tensor> &grads)
{
    c10::NoGradGuard unrecorded;
    std::vector<at::Tensor> squares;
    for (const at::Tensor &g : grads) {
        at::Tensor n = at::linalg_vector_norm(g, 2, c10::nullopt, false, is_half(g) ? at::kFloat : g.scalar_type());
        squares.push_back(n.to(at::kDouble).square());
    }
    double total = 0;
    for (size_t i = 0; i < squares.size();) {
        size_t from = i;
        while (i < squares.size() && squares[i].device() == squares[from].device())
            i++;
        total += at::stack(at::TensorList(squares).slice(from, i - from)).sum().item<double>();
    }
    return std::sqrt(total);
}

double clip(const std::vector<at::Tensor> &grads, double max)
{
    c10::NoGradGuard unrecorded;
    double norm = norm_of(grads), factor = max / (norm + 1e-6);
    if (std::isfinite(norm) && factor < 1)
        for (at::Tensor g : grads)
            g.mul_(factor);
    return norm;
}

void set_state(piece &s, const at::Tensor &value, const char *name)
{
    if (s.value.sizes() != value.sizes()) {
        struct err why = {};
        FAIL(&why, ERR_INPUT, "the state %s has another shape than the parameter", name);
        throw th::failure(why);
    }
    c10::NoGradGuard unrecorded;
    s.value.copy_(value);
}

} // namespace

struct th_optim {
    std::unique_ptr<optimiser> it;
};

static optimiser &of(const struct th_optim *o)
{
    if (!o)
        throw th::misuse("the optimiser is NULL");
    return *o->it;
}

template <class T, class O> static struct th_optim *create(O options, struct err *e)
{
    try {
        return new th_optim{ std::make_unique<T>(options) };
    } catch (const std::exception &x) {
        FAIL(e, ERR_NOMEM, "optimiser: %s", x.what());
        return nullptr;
    }
}

extern "C" {

struct th_optim *th_optim_adamw(struct th_adamw options, struct err *e)
{
    return create<adamw>(options, e);
}

struct th_optim *th_optim_sgd(struct th_sgd options, struct err *e)
{
    return create<sgd>(options, e);
}

void th_optim_destroy(struct th_optim *o)
{
    delete o;
}

bool th_optim_add(struct th_optim *o, const char *name, struct tensor *parameter, double weight_decay, double lr_scale)
{
    return th::ask(__func__, false, [&] {
        of(o).add(name, IN(parameter), weight_decay, lr_scale);
        return true;
    });
}

bool th_optim_share(struct th_optim *o, struct th_dist *group)
{
    return th::ask(__func__, false, [&] {
        of(o).share(group);
        return true;
    });
}

int64_t th_optim_count(const struct th_optim *o)
{
    return o ? (int64_t)o->it->parameters.size() : -1;
}

bool th_optim_step(struct th_optim *o, double lr)
{
    return th::ask(__func__, false, [&] {
        of(o).step(lr);
        return true;
    });
}

bool th_optim_take_grad(struct th_optim *o)
{
    return th::ask(__func__, false, [&] {
        of(o).take_gradients();
        return true;
    });
}

bool th_optim_sum_grad(struct th_optim *o)
{
    return th::ask(__func__, false, [&] {
        of(o).sum_gradients();
        return true;
    });
}

void th_optim_zero_grad(struct th_optim *o)
{
    th::ask(__func__, 0, [&] {
        for (auto &p : of(o).parameters) {
            p.value.mutable_grad().reset();
            p.sum.reset();
        }
        return 0;
    });
}

double th_optim_grad_norm(struct th_optim *o)
{
    return th::ask(__func__, (double)NAN, [&] { return norm_of(of(o).gradients()); });
}

double th_optim_clip_grad(struct th_optim *o, double max)
{
    return th::ask(__func__, (double)NAN, [&] { return clip(of(o).gradients(), max); });
}

int64_t th_optim_state_count(const struct th_optim *o)
{
    return o ? (int64_t)o->it->state.size() : -1;
}

struct tensor *th_optim_state_at(struct th_optim *o, int64_t i, const char **name)
{
    return th::make(__func__, [&] {
        piece &s = of(o).state.at((size_t)i);
        if (name)
            *name = s.name.c_str();
        return s.value;
    });
}

bool th_optim_set_state(struct th_optim *o, const char *name, struct tensor *value)
{
    return th::ask(__func__, false, [&] {
        for (piece &s : of(o).state)
            if (s.name == name)
                return set_state(s, IN(value), name), true;
        struct err why = {};
        FAIL(&why, ERR_INPUT, "there is no state %s in this optimiser", name);
        throw th::failure(why);
    });
}

} // extern "C"
