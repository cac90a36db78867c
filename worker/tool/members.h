/* The representation of a command: its encoders, as `--encoder DIR[,DIR...]` (also given again and again) names them, and
 * the options --layer, --pad, --grid, and --resolution where the command has it. */
#ifndef ACSWEEP_WORKER_TOOL_MEMBERS_H
#define ACSWEEP_WORKER_TOOL_MEMBERS_H

#include "common/opts.h"
#include "worker/extract/representation.h"
#include "worker/model/vlm.h"

#define TOOL_MEMBERS_MAX 32

struct tool_members {
    struct representation_member list[TOOL_MEMBERS_MAX];
    size_t n;
    char *texts[TOOL_MEMBERS_MAX]; /* their directories */
};
void tool_members_free(struct tool_members *m);
static inline UNUSED void tool_members_free_cleanup(struct tool_members *m)
{
    tool_members_free(m);
}

/* Fills m->list; each encoder computes in `compute`. A text that is a directory as it stands is not cut at its commas.
 * ERR_USAGE names what is no directory. */
MUST_USE int tool_members_read(const struct opts *o, enum th_dtype compute, struct tool_members *m, struct err *e);
/* The whole representation, at work on `device`; tokens are rounded to `compute`. NULL on error. */
struct representation *tool_representation(const struct opts *o, const struct tool_members *m, enum th_dtype compute,
                                           struct th_device device, struct err *e);

/* The whole model in `dir`; or, with `llm`, its decoder with the connector, and the adapter if there is one, of `dir`. */
struct vlm *tool_model(const char *dir, const char *llm, enum th_dtype compute, struct th_device device, struct err *e);

/* Warn on standard error where the model says that it was trained with another grid or layer than `r`, made of `m`, has. */
void tool_compare(const struct vlm *v, const struct tool_members *m, const struct representation *r, const char *command);

/* --compute fp32|bf16|fp16, --device, --threads (else the processors this process may use). */
enum th_dtype tool_dtype(const struct opts *o, const char *option);
MUST_USE int tool_device(const struct opts *o, struct th_device *out, struct err *e);
int tool_processors(const struct opts *o);
/* Threads are set; ERR_ENV without libtorch; a warning on standard error when its BLAS is a slow one. */
MUST_USE int tool_begin(const struct opts *o, const char *command, struct th_device device, struct err *e);

#endif
