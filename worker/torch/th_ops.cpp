/* Arithmetic, element by element. */
#include "worker/torch/th_impl.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <cmath>

namespace
{

/* Integers with a number of floating point become f32, as the header promises, in every version of libtorch. */
at::Tensor float_or_itself(const at::Tensor &t)
{
    return at::isIntegralType(t.scalar_type(), true) ? t.to(at::kFloat) : t;
}

at::Tensor clamp(const at::Tensor &t, double low, double high)
{
    at::Tensor from_below = low != -INFINITY ? at::clamp_min(t, low) : t;
    return high != INFINITY ? at::clamp_max(from_below, high) : from_below;
}

/* Three passes; on the CPU over what the cache holds rather than over memory. */
at::Tensor quick_gelu(const at::Tensor &x)
{
    const int64_t part = 32768 * at::get_num_threads();
    if (at::GradMode::is_enabled() || !x.is_cpu() || !x.is_contiguous() || x.numel() <= part)
        return at::sigmoid(x * 1.702).mul(x);
    at::Tensor y = at::empty_like(x), from = x.view(-1), to = y.view(-1);
    for (int64_t i = 0; i < x.numel(); i += part) {
        at::Tensor in = from.slice(0, i, i + part), out = to.slice(0, i, i + part);
        at::mul_out(out, in, at::scalar_tensor(1.702)).sigmoid_().mul_(in);
    }
    return y;
}

const at::Tensor &integers(const at::Tensor &t)
{
    if (!at::isIntegralType(t.scalar_type(), false))
        throw th::misuse("x is not of integers");
    return t;
}

} // namespace

/* One line for each function of the same form. */
#define UNARY(name, expression)           \
    struct tensor *name(struct tensor *x) \
    {                                     \
        return MAKE(expression);          \
    }
#define BINARY(name, expression)                            \
    struct tensor *name(struct tensor *a, struct tensor *b) \
    {                                                       \
        return MAKE(expression);                            \
    }
#define WITH_NUMBER(name, expression)               \
    struct tensor *name(struct tensor *x, double s) \
    {                                               \
        return MAKE(expression);                    \
    }
#define WITH_INTEGER(name, expression)               \
    struct tensor *name(struct tensor *x, int64_t s) \
    {                                                \
        return MAKE(expression);                     \
    }

extern "C" {

BINARY(th_add, IN(a) + IN(b))
BINARY(th_sub, IN(a) - IN(b))
BINARY(th_mul, IN(a) * IN(b))
BINARY(th_div, IN(a) / IN(b))
BINARY(th_pow, at::pow(IN(a), IN(b)))
BINARY(th_minimum, at::minimum(IN(a), IN(b)))
BINARY(th_maximum, at::maximum(IN(a), IN(b)))

WITH_NUMBER(th_add_s, float_or_itself(IN(x)).add(s))
WITH_NUMBER(th_mul_s, float_or_itself(IN(x)).mul(s))
WITH_NUMBER(th_div_s, float_or_itself(IN(x)).div(s))
WITH_NUMBER(th_rsub_s, at::rsub(float_or_itself(IN(x)), s))
WITH_NUMBER(th_pow_s, float_or_itself(IN(x)).pow(s))

WITH_INTEGER(th_add_i, integers(IN(x)).add(s))
WITH_INTEGER(th_mul_i, integers(IN(x)).mul(s))
WITH_INTEGER(th_floor_div_i, integers(IN(x)).div(s, "floor"))
WITH_INTEGER(th_rem_i, integers(IN(x)).remainder(s))

struct tensor *th_add_scaled(struct tensor *x, struct tensor *y, double s)
{
    return MAKE(at::add(IN(x), IN(y), s));
}

struct tensor *th_lerp(struct tensor *a, struct tensor *b, double w)
{
    return MAKE(at::lerp(IN(a), IN(b), w));
}

struct tensor *th_add_(struct tensor *x, struct tensor *y)
{
    return th::change(__func__, x, [&] { IN(x).add_(IN(y)); });
}

struct tensor *th_add_scaled_(struct tensor *x, struct tensor *y, double s)
{
    return th::change(__func__, x, [&] { IN(x).add_(IN(y), s); });
}

struct tensor *th_mul_(struct tensor *x, struct tensor *y)
{
    return th::change(__func__, x, [&] { IN(x).mul_(IN(y)); });
}

struct tensor *th_add_s_(struct tensor *x, double s)
{
    return th::change(__func__, x, [&] { IN(x).add_(s); });
}

struct tensor *th_mul_s_(struct tensor *x, double s)
{
    return th::change(__func__, x, [&] { IN(x).mul_(s); });
}

struct tensor *th_clamp(struct tensor *x, double low, double high)
{
    return MAKE(clamp(IN(x), low, high));
}

UNARY(th_neg, at::neg(IN(x)))
UNARY(th_abs, at::abs(IN(x)))
UNARY(th_exp, at::exp(IN(x)))
UNARY(th_log, at::log(IN(x)))
UNARY(th_sqrt, at::sqrt(IN(x)))
UNARY(th_rsqrt, at::rsqrt(IN(x)))
UNARY(th_square, at::square(IN(x)))
UNARY(th_reciprocal, at::reciprocal(IN(x)))
UNARY(th_sin, at::sin(IN(x)))
UNARY(th_cos, at::cos(IN(x)))
UNARY(th_tanh, at::tanh(IN(x)))
UNARY(th_erf, at::erf(IN(x)))
UNARY(th_floor, at::floor(IN(x)))
UNARY(th_round, at::round(IN(x)))
UNARY(th_sigmoid, at::sigmoid(IN(x)))
UNARY(th_relu, at::relu(IN(x)))
UNARY(th_silu, at::silu(IN(x)))
UNARY(th_gelu, at::gelu(IN(x), "none"))
UNARY(th_gelu_tanh, at::gelu(IN(x), "tanh"))
UNARY(th_quick_gelu, quick_gelu(IN(x)))

BINARY(th_eq, at::eq(IN(a), IN(b)))
BINARY(th_ne, at::ne(IN(a), IN(b)))
BINARY(th_lt, at::lt(IN(a), IN(b)))
BINARY(th_le, at::le(IN(a), IN(b)))
WITH_NUMBER(th_eq_s, at::eq(IN(x), s))
WITH_NUMBER(th_ne_s, at::ne(IN(x), s))
WITH_NUMBER(th_lt_s, at::lt(IN(x), s))
WITH_NUMBER(th_le_s, at::le(IN(x), s))
WITH_NUMBER(th_gt_s, at::gt(IN(x), s))
WITH_NUMBER(th_ge_s, at::ge(IN(x), s))
BINARY(th_and, at::logical_and(IN(a), IN(b)))
BINARY(th_or, at::logical_or(IN(a), IN(b)))
UNARY(th_not, at::logical_not(IN(x)))
UNARY(th_isfinite, at::isfinite(IN(x)))

} // extern "C"
