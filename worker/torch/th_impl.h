/* For th_*.cpp only: handles to at::Tensor and back, and the border that no exception crosses. */
#ifndef ACSWEEP_WORKER_TORCH_TH_IMPL_H
#define ACSWEEP_WORKER_TORCH_TH_IMPL_H

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <stdexcept>
#include <vector>

#include "worker/torch/th.h"
extern "C" {
#include "worker/torch/th_value.h"
}

namespace th
{

/* A mistake of the caller that is found before libtorch sees it. */
struct misuse : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/* An error that a callback in C left behind, on its way through libtorch to the thread that asked. */
struct failure : std::exception {
    struct err why;
    explicit failure(const struct err &e) : why(e)
    {
    }
    const char *what() const noexcept override
    {
        return why.text;
    }
};

/* A new handle for `t` in the innermost scope. Throws misuse when no scope is open. */
struct tensor *own(at::Tensor t);
/* The tensor of a live handle; throws misuse that names the argument when it is NULL or dead. Valid while the handle
 * is. */
const at::Tensor &arg(struct tensor *h, const char *name);
/* NULL is an absent tensor. */
c10::optional<at::Tensor> opt(struct tensor *h, const char *name);
std::vector<at::Tensor> list(struct tensor *const *handles, int n);
/* Turn the exception being handled into the thread's error; `where` is the function of th.h. Call in a catch block. */
void note_exception(const char *where) noexcept;

at::ScalarType scalar_type(enum th_dtype t);
enum th_dtype dtype_of(at::ScalarType t); /* TH_DTYPES for types without a name */
at::Device device(struct th_device d);
inline at::TensorOptions options(enum th_dtype t, struct th_device d)
{
    return at::TensorOptions().dtype(scalar_type(t)).device(device(d));
}
inline at::IntArrayRef dims(const int64_t *d, int n)
{
    if (n < 0 || (n > 0 && !d))
        throw misuse("the list of sizes is NULL");
    return at::IntArrayRef(d, (size_t)n);
}

/* The border: a body that makes a tensor, and one that answers something else. Neither runs once the thread has failed.
 */
template <class F> struct tensor *make(const char *where, F body) noexcept
{
    if (th_failed())
        return nullptr;
    try {
        return own(body());
    } catch (...) {
        note_exception(where);
        return nullptr;
    }
}

template <class R, class F> R ask(const char *where, R otherwise, F body) noexcept
{
    if (th_failed())
        return otherwise;
    try {
        return body();
    } catch (...) {
        note_exception(where);
        return otherwise;
    }
}

/* In place: the body changes the tensor, the handle stays. */
template <class F> struct tensor *change(const char *where, struct tensor *x, F body) noexcept
{
    return ask(where, (struct tensor *)nullptr, [&] {
        body();
        return x;
    });
}

} // namespace th

/* `make` under the name of the function around it, and an argument that knows its name. */
#define MAKE(...) th::make(__func__, [&]() -> at::Tensor { return __VA_ARGS__; })
#define IN(x) th::arg((x), #x)
#define OPT(x) th::opt((x), #x)

#endif
