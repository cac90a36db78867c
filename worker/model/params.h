/* The named parameters of a model. A model first declares all of them, by name, shape and the place where it wants the
 * tensor; then they are compared with a checkpoint as a whole, so that what does not fit is told in one list; only then
 * is anything loaded.
 *
 *     params_enter(p, "encoder.layers.%d.", i);
 *     params_want(p, &b->fc1.w, PARAM_WEIGHT, TH_DIMS(4096, 1024), "mlp.fc1.weight");
 *     params_leave(p);
 *     ...
 *     TRY(params_check(p, weights, "config.json", e));
 *     TRY(params_load(p, weights, TH_BF16, device, e));
 *
 * Declaring and checking need no libtorch (params.c); params_load.c does. Failures while declaring (memory) are kept
 * and come out of the next function that can fail. */
#ifndef ACSWEEP_WORKER_MODEL_PARAMS_H
#define ACSWEEP_WORKER_MODEL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/own.h"
#include "worker/torch/th.h"
#include "worker/torch/weights.h"

#define PARAM_MAX_RANK 4

/* What a parameter is for: its values in a model that begins at random. */
enum param_kind {
    PARAM_WEIGHT, /* N(0, 0.02) */
    PARAM_BIAS,   /* 0 */
    PARAM_GAIN,   /* 1 */
};

struct params;

struct params *params_create(struct err *e);
/* Frees the tensors too. NULL is fine. */
void params_destroy(struct params *p);

/* ---- declaring ------------------------------------------------------------------------------------------------------
 */

/* Where the model's names begin in the checkpoint, e.g. "vision_model."; what does not begin so is another model's and
 * is left alone. Before everything else. */
void params_root(struct params *p, const char *prefix);
/* The first of the roots under which the checkpoint has `name`, or the first of all: published classes differ in what
 * they wrap around the same model. `roots` ends with NULL. */
const char *params_find_root(const struct weights *w, const char *const *roots, const char *name);

/* From here to params_leave, names begin with this too. At most 8 deep. */
void params_enter(struct params *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void params_leave(struct params *p);

/* A parameter that must be there. params_load sets *slot. */
void params_want(struct params *p, struct tensor **slot, enum param_kind kind, const int64_t *dims, int rank,
                 const char *name);
/* From here on, what is declared is not needed and not loaded, and no slot is touched (true), or is as usual (false);
 * where it is there, it must have its shape all the same: for blocks behind the last one that is used. */
void params_unused(struct params *p, bool on);
/* Names that may be there and are never looked at: one name, or "head.*" for all that begin with "head.". The text must
 * stay. */
void params_allow(struct params *p, const char *pattern);

/* ---- comparing and loading ------------------------------------------------------------------------------------------
 */

/* 0, or ERR_INPUT with the list of tensors that are missing, of another shape or type, or unknown. `config` is the file
 * that asked for them. As much of the list as an error's text holds; the whole of it is params_problems'. */
MUST_USE int params_check(struct params *p, const struct weights *w, const char *config, struct err *e);
/* Every problem on a line of its own, and their number. */
MUST_USE int params_problems(struct params *p, const struct weights *w, struct buf *out, size_t *n, struct err *e);

/* Fill the slots from a checkpoint that params_check has passed. Memory is shared with the file where neither dtype nor
 * device ask for a change; so the file must not change afterwards. */
MUST_USE int params_load(struct params *p, const struct weights *w, enum th_dtype t, struct th_device d, struct err *e);
/* Fill the slots at random: the same seed, the same model. */
MUST_USE int params_fresh(struct params *p, uint64_t seed, enum th_dtype t, struct th_device d, struct err *e);

/* Want gradients for the parameters whose names, below the root, match (as params_allow's), or want none: everything is
 * frozen until it is asked for. ERR_BUG when nothing matches. */
MUST_USE int params_train(struct params *p, const char *pattern, bool on, struct err *e);
/* Everything that is loaded as a safetensors file, in that dtype, whole or not at all. */
MUST_USE int params_save(const struct params *p, const char *path, enum th_dtype t, struct err *e);

/* ---- what there is --------------------------------------------------------------------------------------------------
 */

/* for (size_t i = 0; (x = params_next(p, &i, &name));) visits the tensors that are loaded, in the order of their
 * declaration. */
struct tensor *params_next(const struct params *p, size_t *i, const char **name);
/* Numbers in all parameters that are or would be loaded. */
int64_t params_elements(const struct params *p);

DEFINE_CLEANUP(params_destroy, struct params *)

#endif
