/* Which library multiplies matrices on the CPU, and is it one of those that one wants? Debian's libtorch takes whatever
 * libblas.so.3 is, and is content with the reference implementation, which is 15 to 60 times slower than OpenBLAS. */
#include "worker/torch/th_impl.h"

#include <dlfcn.h>
#include <cstdio>

namespace
{

/* The library that libtorch's calls of sgemm_ go to. */
struct library {
    std::string path;
    void *handle = nullptr;

    library()
    {
        Dl_info info = {};
        void *sgemm = dlsym(RTLD_DEFAULT, "sgemm_");
        if (!sgemm || !dladdr(sgemm, &info) || !info.dli_fname)
            return;
        path = info.dli_fname;
        handle = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    }
    ~library()
    {
        if (handle)
            dlclose(handle);
    }
    library(const library &) = delete;
    library &operator=(const library &) = delete;

    template <class F> F find(const char *symbol) const
    {
        return handle ? (F)dlsym(handle, symbol) : nullptr;
    }
};

const char install[] = "install it with: apt-get install libopenblas0-openmp (and make it the default with: "
                       "update-alternatives --config libblas.so.3-$(uname -m)-linux-gnu)";

/* The flavours differ in who runs the threads; only OpenMP's obey th_set_threads. */
bool describe_openblas(const library &blas, std::string &text)
{
    auto config = blas.find<char *(*)()>("openblas_get_config");
    auto flavour = blas.find<int (*)()>("openblas_get_parallel");
    auto kernels = blas.find<char *(*)()>("openblas_get_corename");
    enum { SEQUENTIAL, PTHREAD, OPENMP };
    int kind = flavour ? flavour() : SEQUENTIAL;
    static const char *const names[] = { "sequential", "pthread", "OpenMP" };
    std::string version = config();
    text = version.substr(0, version.find(' ', version.find(' ') + 1)) + " (" + names[kind] + ", kernels " +
           (kernels ? kernels() : "?") + ")";
    if (kind == OPENMP)
        return true;
    text += kind == PTHREAD ? ": this flavour takes as many threads as it likes; " : ": this flavour uses one core; ";
    text += install;
    return false;
}

bool describe(std::string &text)
{
    if (at::hasMKL()) {
        text = "MKL, built into libtorch";
        return true;
    }
    library blas;
    if (blas.find<void *>("openblas_get_config"))
        return describe_openblas(blas, text);
    if (blas.find<void *>("bli_info_get_version_str")) {
        text = "BLIS (" + blas.path + ")";
        return true;
    }
    if (blas.path.empty()) {
        text = "no BLAS that can be looked at; built into libtorch";
        return true;
    }
    text = blas.path + " is no fast BLAS: matrix products will be 15 to 60 times slower than with OpenBLAS; " +
           std::string(install);
    return false;
}

} // namespace

extern "C" bool th_blas_check(char *text, size_t size)
{
    try {
        std::string found;
        bool good = describe(found);
        std::snprintf(text, size, "%s", found.c_str());
        return good;
    } catch (const std::exception &x) {
        std::snprintf(text, size, "BLAS: %s", x.what());
        return false;
    }
}
