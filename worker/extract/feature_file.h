/* Features in files: safetensors with one tensor [tokens, channels] for each picture, named by its path, and in the
 * metadata what they are ("grid", and what the writer adds).
 *
 * A shard is written in parts, each whole or not at all, so that an interrupted extraction goes on after its last part;
 * at the end the parts become one file. */
#ifndef ACSWEEP_WORKER_EXTRACT_FEATURE_FILE_H
#define ACSWEEP_WORKER_EXTRACT_FEATURE_FILE_H

#include "worker/extract/extractor.h"
#include "worker/torch/safetensors.h"

#define FEATURE_PART 64 /* pictures */

struct feature_job {
    const struct extractor *x;
    const struct image_set *set;
    size_t first, count;
    const char *parts; /* an existing directory for parts; what is in it from an earlier try of the same job is used */
    const char *out;   /* the file */
    const char *const (*metadata)[2]; /* more of it, ended by { NULL } ; may be NULL */
    /* After every picture; -1 ends the run with what `e` says; whole parts stay in `parts`. May be NULL. */
    int (*progress)(void *arg, size_t done, size_t count, struct err *e);
    void *arg;
};
/* *computed (may be NULL): pictures that were not found in parts. The parts are left for the caller to remove. */
MUST_USE int feature_file_write(const struct feature_job *j, size_t *computed, struct err *e);

#endif
