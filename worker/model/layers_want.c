#include "worker/model/layers.h"

#include <stdio.h>

void linear_want(struct params *p, struct linear *l, int64_t out, int64_t in, bool bias, const char *name)
{
    params_enter(p, "%s.", name);
    params_want(p, &l->w, PARAM_WEIGHT, TH_DIMS(out, in), "weight");
    if (bias)
        params_want(p, &l->b, PARAM_BIAS, TH_DIMS(out), "bias");
    params_leave(p);
}

void norm_want(struct params *p, struct norm *n, int64_t width, const char *name)
{
    params_enter(p, "%s.", name);
    params_want(p, &n->w, PARAM_GAIN, TH_DIMS(width), "weight");
    params_want(p, &n->b, PARAM_BIAS, TH_DIMS(width), "bias");
    params_leave(p);
}

const char *activation_name(enum activation a)
{
    static const char *const names[] = {
        [ACT_GELU] = "gelu",
        [ACT_GELU_TANH] = "gelu_pytorch_tanh",
        [ACT_QUICK_GELU] = "quick_gelu",
        [ACT_RELU] = "relu",
        [ACT_SILU] = "silu",
    };
    return names[a];
}
