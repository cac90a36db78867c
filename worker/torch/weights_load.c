/* Weights as tensors. */
#include "worker/torch/weights.h"

static void release_file(void *file)
{
    safetensors_release(file);
}

static struct tensor *no_such_tensor(const struct weights *w, const char *name)
{
    return TH_FAIL(ERR_INPUT, "%s: there is no tensor '%s' in it", weights_path(w), name);
}

static struct tensor *view(const struct weights *w, const struct st_tensor *t)
{
    if (t->type == TH_DTYPES)
        return TH_FAIL(ERR_INPUT, "%s: tensor '%s' is of type %s, which this program cannot compute with; convert it",
                       weights_path(w), t->name, t->type_name);
    if ((uintptr_t)t->data % th_dtype_size(t->type) != 0)
        return th_from(t->data, t->dims, t->rank, t->type, TH_CPU);
    return th_wrap(t->data, t->dims, t->rank, t->type, release_file, safetensors_hold(weights_file(w, t)));
}

struct tensor *weights_view(const struct weights *w, const char *name)
{
    const struct st_tensor *t = weights_find(w, name);
    return t ? view(w, t) : no_such_tensor(w, name);
}

static bool has_shape(const struct st_tensor *t, const int64_t *dims, int n)
{
    bool same = t->rank == n;
    for (int i = 0; same && i < n; i++)
        same = dims[i] == -1 || dims[i] == t->dims[i];
    return same;
}

static struct tensor *wrong_shape(const struct weights *w, const struct st_tensor *t, const int64_t *dims, int n)
{
    struct st_tensor wanted = { .rank = n < ST_MAX_RANK ? n : ST_MAX_RANK, .type_name = "" };
    char is[200], want[200];
    for (int i = 0; i < wanted.rank; i++)
        wanted.dims[i] = dims[i];
    return TH_FAIL(ERR_INPUT, "%s: tensor '%s' is %s, but the model's configuration asks for %s", weights_path(w),
                   t->name, st_describe(t, is, sizeof is), st_describe(&wanted, want, sizeof want));
}

struct tensor *weights_load(const struct weights *w, const char *name, const int64_t *dims, int n, enum th_dtype type,
                            struct th_device d)
{
    const struct st_tensor *t = weights_find(w, name);
    if (!t)
        return no_such_tensor(w, name);
    if (!has_shape(t, dims, n))
        return wrong_shape(w, t, dims, n);
    TH_SCOPE(s);
    return th_return(&s, th_to_device(th_to(view(w, t), type), d));
}
