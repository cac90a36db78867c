/* The library and its devices. */
#include "worker/torch/th_impl.h"

#include <ATen/Parallel.h>
#include <torch/version.h>
#ifdef ACSWEEP_TORCH_CUDA
#include <c10/core/DeviceGuard.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <dlfcn.h>
#endif

namespace
{

/* libtorch lets cuDNN round the factors of f32 convolutions to TF32 unless told otherwise: goldens would not hold. */
const bool full_precision = (th_tf32(false), true);

#ifdef ACSWEEP_TORCH_CUDA
/* The one call of the CUDA runtime that libtorch does not wrap; found in the runtime that libtorch brought, so that no
 * other one has to be linked. Only names that libtorch itself exports may be used here: no c10/cuda/CUDAGuard.h. */
void free_and_total(int index, size_t *free, size_t *total)
{
    auto ask = (int (*)(size_t *, size_t *))dlsym(RTLD_DEFAULT, "cudaMemGetInfo");
    c10::DeviceGuard on(at::Device(at::kCUDA, (c10::DeviceIndex)index));
    int rc = ask ? ask(free, total) : -1;
    if (rc != 0)
        throw std::runtime_error("CUDA error " + std::to_string(rc) + " from cudaMemGetInfo");
}

void read_memory(int index, struct th_memory *m)
{
    size_t free = 0, total = 0;
    free_and_total(index, &free, &total);
    auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats((c10::DeviceIndex)index);
    *m = { (int64_t)free, (int64_t)total, stats.allocated_bytes[0].current, stats.allocated_bytes[0].peak };
}

void reset_peak(int index)
{
    c10::cuda::CUDACachingAllocator::resetPeakStats((c10::DeviceIndex)index);
}

void empty_cache()
{
    c10::cuda::CUDACachingAllocator::emptyCache();
}

void wait_for(int index)
{
    c10::DeviceGuard on(at::Device(at::kCUDA, (c10::DeviceIndex)index));
    c10::cuda::device_synchronize();
}
#else
void read_memory(int, struct th_memory *)
{
    throw th::misuse("this program was built without CUDA");
}

void reset_peak(int)
{
}

void empty_cache()
{
}

void wait_for(int)
{
    throw th::misuse("this program was built without CUDA");
}
#endif

} // namespace

extern "C" {

bool th_available(void)
{
    return true;
}

const char *th_version(void)
{
    return "libtorch " TORCH_VERSION;
}

void th_set_threads(int n)
{
    th::ask(__func__, 0, [&] {
        at::set_num_threads(n);
        return 0;
    });
}

int th_threads(void)
{
    return at::get_num_threads();
}

int th_cuda_count(void)
{
#ifdef ACSWEEP_TORCH_CUDA
    return (int)c10::cuda::device_count();
#else
    return 0;
#endif
}

int th_device_check(struct th_device d, struct err *e)
{
    char name[16];
    if (d.type == TH_DEV_CPU)
        return 0;
    th_device_name(d, name);
#ifndef ACSWEEP_TORCH_CUDA
    return FAIL(e, ERR_ENV,
                "%s: this program was built with a libtorch without CUDA; build it with CMAKE_PREFIX_PATH set "
                "to a PyTorch with CUDA, or use the device cpu",
                name);
#endif
    int n = th_cuda_count();
    if (d.index < 0 || d.index >= n)
        return FAIL(e, ERR_ENV, "%s: there are %d CUDA devices here (CUDA_VISIBLE_DEVICES limits them)", name, n);
    return 0;
}

void th_synchronize(struct th_device d)
{
    if (d.type == TH_DEV_CUDA)
        th::ask(__func__, 0, [&] { return wait_for(d.index), 0; });
}

int th_device_memory(struct th_device d, struct th_memory *out, struct err *e)
{
    *out = {};
    if (d.type == TH_DEV_CPU)
        return 0;
    if (th_device_check(d, e) < 0)
        return -1;
    try {
        read_memory(d.index, out);
        return 0;
    } catch (const std::exception &x) {
        return FAIL(e, ERR_GPU, "memory of device %d: %s", d.index, x.what());
    }
}

void th_device_memory_reset_peak(struct th_device d)
{
    if (d.type == TH_DEV_CUDA)
        th::ask(__func__, 0, [&] { return reset_peak(d.index), 0; });
}

void th_device_empty_cache(struct th_device d)
{
    if (d.type == TH_DEV_CUDA)
        th::ask(__func__, 0, [&] { return empty_cache(), 0; });
}

void th_tf32(bool on)
{
    at::globalContext().setAllowTF32CuBLAS(on);
    at::globalContext().setAllowTF32CuDNN(on);
}

void th_deterministic(bool on)
{
    at::globalContext().setDeterministicAlgorithms(on, true);
    at::globalContext().setBenchmarkCuDNN(!on);
}

} // extern "C"
