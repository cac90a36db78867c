/* Inside worker/tool: one call of `acsweep extract`, and its two kinds of output. */
#ifndef ACSWEEP_WORKER_TOOL_EXTRACT_JOB_H
#define ACSWEEP_WORKER_TOOL_EXTRACT_JOB_H

#include <jansson.h>

#include "common/digest.h"
#include "common/opts.h"
#include "worker/extract/extractor.h"

struct extract_job {
    const struct opts *o;
    const char *out;
    struct extractor *x;
    json_t *settings; /* text -> text: what decides the numbers; metadata of every file */
    /* Counted while it runs. */
    size_t total, kept, computed; /* pictures; kept: found from an earlier run */
    int64_t began, shown, ended;  /* ns; the computing only */
};

/* All pictures of --image and the arguments into one file: a tensor for each, named by its path. */
MUST_USE int extract_to_file(struct extract_job *j, struct err *e);
/* The pictures of --spair, a file for each. */
MUST_USE int extract_to_directory(struct extract_job *j, struct err *e);

/* Compute the pictures of `set`, with the clock running. */
MUST_USE int extract_compute(struct extract_job *j, const struct image_set *set, extract_take_fn *take, void *arg,
                             struct err *e);
/* After each picture: counts it, shows progress; ERR_INTERRUPTED when a signal came. */
MUST_USE int extract_tick(struct extract_job *j, struct err *e);
/* ERR_ENV when `dir` lies on a file system with less room than `bytes`. */
MUST_USE int extract_check_room(const char *dir, uint64_t bytes, struct err *e);
/* Write the settings into a file's metadata. */
struct st_writer;
MUST_USE int extract_write_settings(const struct extract_job *j, struct st_writer *w, struct err *e);

#endif
