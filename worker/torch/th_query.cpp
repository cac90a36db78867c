/* What a tensor is: shape, dtype, device; and the names of dtypes and devices in libtorch's words. */
#include "worker/torch/th_impl.h"

#include <cstdio>

static const at::ScalarType scalar_types[TH_DTYPES] = {
    at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kLong, at::kInt, at::kShort, at::kChar, at::kByte, at::kBool,
};

at::ScalarType th::scalar_type(enum th_dtype t)
{
    if ((unsigned)t >= TH_DTYPES)
        throw misuse("there is no such dtype");
    return scalar_types[t];
}

enum th_dtype th::dtype_of(at::ScalarType t)
{
    for (int i = 0; i < TH_DTYPES; i++)
        if (scalar_types[i] == t)
            return (enum th_dtype)i;
    return TH_DTYPES;
}

at::Device th::device(struct th_device d)
{
    if (d.type == TH_DEV_CPU)
        return at::Device(at::kCPU);
    return at::Device(at::kCUDA, (c10::DeviceIndex)d.index);
}

namespace
{

/* As th::ask, but also after a failure: a shape is still a shape. */
template <class R, class F> R look(const char *where, struct tensor *x, R otherwise, F body) noexcept
{
    try {
        return body(th::arg(x, "x"));
    } catch (...) {
        th::note_exception(where);
        return otherwise;
    }
}

struct th_device device_value(const at::Tensor &t)
{
    if (!t.is_cuda())
        return { TH_DEV_CPU, 0 };
    return { TH_DEV_CUDA, (int)t.get_device() };
}

std::string describe(const at::Tensor &t)
{
    std::string text = std::string(th_dtype_name(th::dtype_of(t.scalar_type()))) + "[";
    char name[16];
    for (int64_t i = 0; i < t.dim(); i++)
        text += (i ? "," : "") + std::to_string(t.size(i));
    return text + "] " + th_device_name(device_value(t), name);
}

} // namespace

extern "C" {

int th_rank(struct tensor *x)
{
    return look(__func__, x, -1, [](const at::Tensor &t) { return (int)t.dim(); });
}

int64_t th_size(struct tensor *x, int dim)
{
    return look(__func__, x, (int64_t)-1, [&](const at::Tensor &t) { return (int64_t)t.size(dim); });
}

int64_t th_stride(struct tensor *x, int dim)
{
    return look(__func__, x, (int64_t)-1, [&](const at::Tensor &t) { return (int64_t)t.stride(dim); });
}

int64_t th_numel(struct tensor *x)
{
    return look(__func__, x, (int64_t)-1, [](const at::Tensor &t) { return (int64_t)t.numel(); });
}

int64_t th_bytes(struct tensor *x)
{
    return look(__func__, x, (int64_t)-1, [](const at::Tensor &t) { return (int64_t)(t.numel() * t.element_size()); });
}

enum th_dtype th_dtype_of(struct tensor *x)
{
    return look(__func__, x, TH_DTYPES, [](const at::Tensor &t) { return th::dtype_of(t.scalar_type()); });
}

struct th_device th_device_of(struct tensor *x)
{
    return look(__func__, x, th_device{ TH_DEV_CPU, 0 }, device_value);
}

bool th_is_contiguous(struct tensor *x)
{
    return look(__func__, x, false, [](const at::Tensor &t) { return t.is_contiguous(); });
}

bool th_is_shape(struct tensor *x, const int64_t *dims, int n)
{
    return look(__func__, x, false, [&](const at::Tensor &t) {
        bool same = t.dim() == n;
        for (int i = 0; same && i < n; i++)
            same = dims[i] == -1 || dims[i] == t.size(i);
        return same;
    });
}

const char *th_describe(struct tensor *x, char *buf, size_t size)
{
    std::snprintf(buf, size, "no tensor");
    if (x)
        look(__func__, x, 0, [&](const at::Tensor &t) { return std::snprintf(buf, size, "%s", describe(t).c_str()); });
    return buf;
}

} // extern "C"
