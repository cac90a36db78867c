/* Making tensors, reading them, and random numbers. */
#include "worker/torch/th_impl.h"

#include <ATen/CPUGeneratorImpl.h>
#include <cmath>
#include <cstring>

struct th_rng {
    at::Generator generator;
};

namespace
{

bool is_aligned(const void *data, size_t to)
{
    return (uintptr_t)data % to == 0;
}

at::Tensor wrap(void *data, at::IntArrayRef dims, enum th_dtype t, void (*release)(void *arg), void *arg)
{
    for (int64_t size : dims)
        if (size < 0)
            throw th::misuse("a size is negative");
    bool empty = c10::multiply_integers(dims) == 0;
    if (!data && !empty)
        throw th::misuse("data is NULL");
    if (!is_aligned(data, th_dtype_size(t)))
        throw th::misuse(std::string("data is not aligned to an element of ") + th_dtype_name(t) + "; copy it");
    auto o = at::TensorOptions().dtype(th::scalar_type(t));
    if (!release)
        return at::from_blob(data, dims, o);
    return at::from_blob(
        data, dims, [release, arg](void *) { release(arg); }, o);
}

/* Random numbers come in f32 on the CPU (f64 for f64), so that neither dtype nor device changes the draw. */
template <class F> at::Tensor draw(enum th_dtype t, struct th_device d, F body)
{
    auto drawn = at::TensorOptions().dtype(t == TH_F64 ? at::kDouble : at::kFloat);
    return body(drawn).to(th::device(d), th::scalar_type(t));
}

c10::optional<at::Generator> generator_of(struct th_rng *r)
{
    if (!r)
        throw th::misuse("the random stream is NULL");
    return r->generator;
}

} // namespace

extern "C" {

struct tensor *th_empty(const int64_t *dims, int n, enum th_dtype t, struct th_device d)
{
    return MAKE(at::empty(th::dims(dims, n), th::options(t, d)));
}

struct tensor *th_zeros(const int64_t *dims, int n, enum th_dtype t, struct th_device d)
{
    return MAKE(at::zeros(th::dims(dims, n), th::options(t, d)));
}

struct tensor *th_ones(const int64_t *dims, int n, enum th_dtype t, struct th_device d)
{
    return MAKE(at::ones(th::dims(dims, n), th::options(t, d)));
}

struct tensor *th_full(const int64_t *dims, int n, double value, enum th_dtype t, struct th_device d)
{
    return MAKE(at::full(th::dims(dims, n), value, th::options(t, d)));
}

struct tensor *th_zeros_like(struct tensor *x)
{
    return MAKE(at::zeros_like(IN(x)));
}

struct tensor *th_ones_like(struct tensor *x)
{
    return MAKE(at::ones_like(IN(x)));
}

struct tensor *th_empty_like(struct tensor *x)
{
    return MAKE(at::empty_like(IN(x)));
}

struct tensor *th_arange(double start, double end, double step, enum th_dtype t, struct th_device d)
{
    return MAKE(at::arange(start, end, step, th::options(t, d)));
}

struct tensor *th_linspace(double start, double end, int64_t steps, enum th_dtype t, struct th_device d)
{
    return MAKE(at::linspace(start, end, steps, th::options(t, d)));
}

struct tensor *th_eye(int64_t n, enum th_dtype t, struct th_device d)
{
    return MAKE(at::eye(n, th::options(t, d)));
}

struct tensor *th_from(const void *data, const int64_t *dims, int n, enum th_dtype t, struct th_device d)
{
    return th::make(__func__, [&] {
        at::Tensor x = at::empty(th::dims(dims, n), th::options(t, TH_DEV_CPU == d.type ? d : th_device{}));
        if (!data && x.numel())
            throw th::misuse("data is NULL");
        if (x.numel())
            std::memcpy(x.data_ptr(), data, x.nbytes());
        return d.type == TH_DEV_CPU ? x : x.to(th::device(d));
    });
}

struct tensor *th_wrap(void *data, const int64_t *dims, int n, enum th_dtype t, void (*release)(void *arg), void *arg)
{
    bool taken = false; /* by a tensor that will call release itself */
    struct tensor *x = th::make(__func__, [&] {
        at::Tensor w = wrap(data, th::dims(dims, n), t, release, arg);
        taken = true;
        return w;
    });
    if (!taken && release)
        release(arg);
    return x;
}

bool th_read(struct tensor *x, enum th_dtype t, void *out, int64_t count)
{
    return th::ask(__func__, false, [&] {
        const at::Tensor &from = IN(x);
        if (from.numel() != count)
            throw th::misuse("x has " + std::to_string(from.numel()) + " elements, and " + std::to_string(count) +
                             " are wanted");
        at::Tensor host = from.detach().to(at::kCPU, th::scalar_type(t)).contiguous();
        if (count)
            std::memcpy(out, host.data_ptr(), host.nbytes());
        return true;
    });
}

void *th_data(struct tensor *x)
{
    return th::ask(__func__, (void *)nullptr, [&] {
        const at::Tensor &t = IN(x);
        if (!t.device().is_cpu() || !t.is_contiguous())
            throw th::misuse("x is not a contiguous CPU tensor");
        return t.data_ptr();
    });
}

double th_item(struct tensor *x)
{
    return th::ask(__func__, (double)NAN, [&] { return IN(x).item<double>(); });
}

int64_t th_item_i64(struct tensor *x)
{
    return th::ask(__func__, INT64_MIN, [&] { return IN(x).item<int64_t>(); });
}

/* ---- random numbers -------------------------------------------------------------------------------------------------
 */

struct th_rng *th_rng_create(uint64_t seed, struct err *e)
{
    try {
        return new th_rng{ at::make_generator<at::CPUGeneratorImpl>(seed) };
    } catch (const std::exception &x) {
        FAIL(e, ERR_NOMEM, "random numbers: %s", x.what());
        return nullptr;
    }
}

void th_rng_destroy(struct th_rng *r)
{
    delete r;
}

struct tensor *th_rng_state(struct th_rng *r)
{
    return MAKE(generator_of(r)->get_state());
}

bool th_rng_set_state(struct th_rng *r, struct tensor *state)
{
    return th::ask(__func__, false, [&] {
        generator_of(r)->set_state(IN(state).contiguous());
        return true;
    });
}

struct tensor *th_randn(struct th_rng *r, const int64_t *dims, int n, enum th_dtype t, struct th_device d)
{
    return MAKE(draw(t, d, [&](at::TensorOptions o) { return at::randn(th::dims(dims, n), generator_of(r), o); }));
}

struct tensor *th_rand(struct th_rng *r, const int64_t *dims, int n, enum th_dtype t, struct th_device d)
{
    return MAKE(draw(t, d, [&](at::TensorOptions o) { return at::rand(th::dims(dims, n), generator_of(r), o); }));
}

struct tensor *th_randint(struct th_rng *r, int64_t low, int64_t high, const int64_t *dims, int n, struct th_device d)
{
    return MAKE(at::randint(low, high, th::dims(dims, n), generator_of(r), at::TensorOptions().dtype(at::kLong))
                    .to(th::device(d)));
}

struct tensor *th_randperm(struct th_rng *r, int64_t n, struct th_device d)
{
    return MAKE(at::randperm(n, generator_of(r), at::TensorOptions().dtype(at::kLong)).to(th::device(d)));
}

struct tensor *th_dropout(struct th_rng *r, struct tensor *x, double p)
{
    return th::make(__func__, [&]() -> at::Tensor {
        if (!(p >= 0 && p < 1))
            throw th::misuse("the probability must be in [0, 1)");
        const at::Tensor &in = IN(x);
        if (p == 0)
            return in;
        at::Tensor kept = at::rand(in.sizes(), generator_of(r), at::TensorOptions().dtype(at::kFloat)).ge(p);
        return in * kept.to(in.device(), in.scalar_type()).div_(1 - p);
    });
}

} // extern "C"
