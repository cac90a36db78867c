/* The connector between vision and language, LLaVA's mlp2x_gelu: Linear(d -> D), GELU with erf, Linear(D -> D), both
 * with bias. d is the sum of the channels of a representation, D the decoder's width. */
#ifndef ACSWEEP_WORKER_MODEL_CONNECTOR_H
#define ACSWEEP_WORKER_MODEL_CONNECTOR_H

#include "worker/model/params.h"

struct connector_options {
    enum th_dtype dtype;
    struct th_device device;
};
#define CONNECTOR_DEFAULTS ((struct connector_options){ .dtype = TH_F32, .device = TH_CPU })

struct connector;

/* At random, as PyTorch begins with torch.nn.Linear: weights and biases uniform within 1 / sqrt(inputs). The numbers
 * are those of torch.manual_seed(seed) and nn.Sequential(Linear, GELU, Linear). */
struct connector *connector_create(int64_t in, int64_t out, const struct connector_options *o, uint64_t seed,
                                   struct err *e);
/* `path` is a file (safetensors, or LLaVA's mm_projector.bin), or a directory in which mm_projector.safetensors,
 * mm_projector.bin, or the tensors of a whole LLaVA checkpoint are looked for, in this order. Tensors are
 * model.mm_projector.{0,2}.{weight,bias}; sizes are what they say. */
struct connector *connector_open(const char *path, const struct connector_options *o, struct err *e);
void connector_destroy(struct connector *c);
/* Write dir/mm_projector.safetensors and, with the same numbers, dir/mm_projector.bin, which LLaVA's code reads. */
MUST_USE int connector_save(const struct connector *c, const char *dir, enum th_dtype t, struct err *e);

int64_t connector_in(const struct connector *c);
int64_t connector_out(const struct connector *c);
struct params *connector_params(const struct connector *c);

/* x (...,d) -> (...,D); in the connector's dtype. Errors are the thread's. */
struct tensor *connector_forward(const struct connector *c, struct tensor *x);

DEFINE_CLEANUP(connector_destroy, struct connector *)

#endif
