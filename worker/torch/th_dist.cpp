/* Process groups. gloo is compiled in where its headers are (ACSWEEP_GLOO), NCCL where this libtorch has CUDA and nccl.h
 * is found (ACSWEEP_NCCL); find_torch.cmake decides. */

/* libtorch's headers first: they use the names of our macros. */
#if defined(ACSWEEP_GLOO) && !defined(USE_C10D_GLOO)
#define USE_C10D_GLOO
#endif
#if defined(ACSWEEP_NCCL) && !defined(USE_C10D_NCCL)
#define USE_C10D_NCCL
#endif
#if defined(ACSWEEP_GLOO) || defined(ACSWEEP_NCCL)
#define ACSWEEP_DIST
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#endif
#ifdef ACSWEEP_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
#ifdef ACSWEEP_NCCL
#include <c10/core/DeviceGuard.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#include <chrono>
#include <memory>
#include <string>
#include <torch/version.h>

#include "worker/torch/th_dist.hpp"

namespace
{

constexpr int64_t DEFAULT_TIMEOUT_MS = 600000;
constexpr int64_t BUCKET_BYTES = 64 << 20; /* small tensors travel together, up to this */

/* Anything that goes wrong between processes is the surroundings' fault. */
[[noreturn]] void lost(const char *doing, const char *why)
{
    struct err e = {};
    FAIL(&e, ERR_ENV, "%s: another process of the group has ended or does not answer: %.600s", doing, why);
    throw th::failure(e);
}

#ifdef ACSWEEP_DIST
#if TORCH_VERSION_MAJOR >= 2
using backend = c10d::Backend;
#else
using backend = c10d::ProcessGroup;
#endif

void wait_for(const char *doing, const c10::intrusive_ptr<c10d::Work> &work)
{
    bool good = false;
    try {
        good = work->wait();
    } catch (const std::exception &x) {
        lost(doing, x.what());
    }
    if (!good)
        lost(doing, "the call was given up");
}
#else
struct backend;
#endif

const char *no_gloo = "this program was built without gloo, which joins processes that compute on the CPU; install it "
                      "(Debian: apt-get install libgloo-dev) and build again, or use one process";
const char *no_nccl = "this program was built without NCCL, which joins processes that compute on CUDA devices; build it "
                      "with a PyTorch with CUDA that has nccl.h beside it, or use one device";

} // namespace

struct th_dist {
    int rank, size;
#ifdef ACSWEEP_DIST
    c10::intrusive_ptr<c10d::Store> store;
    c10::intrusive_ptr<backend> group;
#endif
};

#ifdef ACSWEEP_DIST
namespace
{

/* The same number in every process: tensors [from, to) that travel together, of one type. */
size_t bucket_end(const std::vector<at::Tensor> &list, size_t from)
{
    int64_t bytes = 0;
    size_t to = from;
    while (to < list.size() && list[to].scalar_type() == list[from].scalar_type()) {
        bytes += (int64_t)list[to].nbytes();
        if (to > from && bytes > BUCKET_BYTES)
            break;
        to++;
    }
    return to;
}

bool is_half(const at::Tensor &t)
{
    return t.scalar_type() == at::kBFloat16 || t.scalar_type() == at::kHalf;
}

/* `exchange` one flat tensor out of several, made by `pack`, and copy what comes out of it back. Tensors that need no
 * packing go as they are. */
template <class P, class F> void in_buckets(std::vector<at::Tensor> &list, P pack, F exchange)
{
    c10::NoGradGuard unrecorded;
    for (size_t from = 0, to; from < list.size(); from = to) {
        to = bucket_end(list, from);
        std::vector<at::Tensor> flat;
        for (size_t i = from; i < to; i++)
            flat.push_back(list[i].detach().reshape({ -1 }));
        at::Tensor all = pack(flat.size() > 1 ? at::cat(flat) : flat[0]);
        exchange(all);
        if (all.data_ptr() == list[from].data_ptr())
            continue;
        at::Tensor back = all.scalar_type() == at::kByte ? all.view(list[from].scalar_type()) : all;
        int64_t at = 0;
        for (size_t i = from; i < to; at += list[i].numel(), i++)
            list[i].detach().copy_(back.narrow(0, at, list[i].numel()).view(list[i].sizes()));
    }
}

c10::intrusive_ptr<backend> make_group(const th_dist_options &o, const c10::intrusive_ptr<c10d::Store> &store,
                                       std::chrono::milliseconds timeout)
{
#ifdef ACSWEEP_NCCL
    if (o.device.type == TH_DEV_CUDA) {
        c10::DeviceGuard on(th::device(o.device));
        auto options = c10d::ProcessGroupNCCL::Options::create();
        options->timeout = timeout;
        return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, o.rank, o.size, options);
    }
#endif
#ifdef ACSWEEP_GLOO
    if (o.device.type == TH_DEV_CPU) {
        auto options = c10d::ProcessGroupGloo::Options::create(timeout);
        options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
        options->threads = 1;
        return c10::make_intrusive<c10d::ProcessGroupGloo>(store, o.rank, o.size, options);
    }
#endif
    throw th::misuse("th_dist_check would have said it");
}

/* gloo meets in its constructor; NCCL at the first call, which must be one that all make. */
void meet(th_dist &d, const th_dist_options &o)
{
    std::vector<at::Tensor> hello = { at::ones({ 1 }, th::options(TH_F32, o.device)) };
    th::sum_over(&d, hello);
    if (hello[0].item<double>() != o.size)
        throw th::misuse("the processes of the group do not agree on its size");
}

void open_group(th_dist &d, const th_dist_options &o)
{
    auto timeout = std::chrono::milliseconds(o.timeout_ms > 0 ? o.timeout_ms : DEFAULT_TIMEOUT_MS);
    d.store = c10::make_intrusive<c10d::FileStore>(o.rendezvous, o.size);
    d.store->setTimeout(timeout);
    d.group = make_group(o, d.store, timeout);
    meet(d, o);
}

} // namespace

void th::sum_over(struct th_dist *d, std::vector<at::Tensor> &list)
{
    if (!d || d->size == 1)
        return;
    /* gloo knows no bf16; and sums want more digits anyway. */
    auto widen = [](const at::Tensor &x) { return x.is_cpu() && is_half(x) ? x.to(at::kFloat) : x; };
    in_buckets(list, widen, [&](at::Tensor &x) {
        std::vector<at::Tensor> one = { x };
        try {
            wait_for("sum", d->group->allreduce(one));
        } catch (const std::runtime_error &why) {
            lost("sum", why.what());
        }
    });
}

void th::broadcast_over(struct th_dist *d, std::vector<at::Tensor> &list, int root)
{
    if (!d || d->size == 1)
        return;
    c10d::BroadcastOptions from;
    from.rootRank = root;
    auto as_bytes = [](const at::Tensor &x) { return x.is_cpu() ? x.view(at::kByte) : x; };
    in_buckets(list, as_bytes, [&](at::Tensor &x) {
        std::vector<at::Tensor> one = { x };
        try {
            wait_for("broadcast", d->group->broadcast(one, from));
        } catch (const std::runtime_error &why) {
            lost("broadcast", why.what());
        }
    });
}
#else
namespace
{

void open_group(th_dist &, const th_dist_options &)
{
    throw th::misuse("th_dist_check would have said it");
}

} // namespace

void th::sum_over(struct th_dist *d, std::vector<at::Tensor> &)
{
    if (d && d->size > 1)
        lost("sum", "there is no backend");
}

void th::broadcast_over(struct th_dist *d, std::vector<at::Tensor> &, int)
{
    if (d && d->size > 1)
        lost("broadcast", "there is no backend");
}
#endif

extern "C" {

int th_dist_check(struct th_device d, struct err *e)
{
    (void)no_gloo;
    (void)no_nccl;
#ifndef ACSWEEP_GLOO
    if (d.type == TH_DEV_CPU)
        return FAIL(e, ERR_ENV, "%s", no_gloo);
#endif
#ifndef ACSWEEP_NCCL
    if (d.type == TH_DEV_CUDA)
        return FAIL(e, ERR_ENV, "%s", no_nccl);
#endif
    return th_device_check(d, e);
}

struct th_dist *th_dist_open(const struct th_dist_options *o, struct err *e)
{
    if (o->size < 1 || o->rank < 0 || o->rank >= o->size || !o->rendezvous)
        return FAIL(e, ERR_BUG, "there is no process %d of %d", o->rank, o->size), nullptr;
    if (th_dist_check(o->device, e) < 0)
        return nullptr;
    try {
        auto d = std::make_unique<th_dist>();
        d->rank = o->rank;
        d->size = o->size;
        open_group(*d, *o);
        return d.release();
    } catch (const th::failure &x) {
        FAIL(e, x.why.kind, "%s", x.why.text);
    } catch (const std::exception &x) {
        FAIL(e, ERR_ENV, "process %d of %d: the others did not come together: %.600s", o->rank, o->size, x.what());
    }
    return nullptr;
}

void th_dist_close(struct th_dist *d)
{
    try {
        delete d;
    } catch (...) { /* a connection that cannot be closed is closed by the end of the process */
    }
}

int th_dist_rank(const struct th_dist *d)
{
    return d ? d->rank : 0;
}

int th_dist_size(const struct th_dist *d)
{
    return d ? d->size : 1;
}

bool th_dist_sum_(struct th_dist *d, struct tensor *const *list, int n)
{
    return th::ask(__func__, false, [&] {
        std::vector<at::Tensor> all = th::list(list, n);
        th::sum_over(d, all);
        return true;
    });
}

bool th_dist_broadcast_(struct th_dist *d, struct tensor *const *list, int n, int root)
{
    return th::ask(__func__, false, [&] {
        std::vector<at::Tensor> all = th::list(list, n);
        th::broadcast_over(d, all, root);
        return true;
    });
}

bool th_dist_barrier(struct th_dist *d)
{
    return th::ask(__func__, false, [&] {
        if (!d || d->size == 1)
            return true;
#ifdef ACSWEEP_DIST
        wait_for("barrier", d->group->barrier());
#endif
        return true;
    });
}

} // extern "C"
