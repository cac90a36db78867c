/* A world while it is made: where its files go, what was drawn so far. All paths are below the root. */
#ifndef ACSWEEP_WORLD_MAKING_H
#define ACSWEEP_WORLD_MAKING_H

#include <limits.h>
#include <stdio.h>

#include <jansson.h>
#include <sodium.h>

#include "common/buf.h"
#include "worker/data/image.h"
#include "world/art.h"

struct world_sizes {
    uint64_t seed;
    uint32_t edge, pair_edge;
    size_t pretrain, stage1, stage2, questions, pairs;
};

struct making {
    struct art *art;
    struct world_sizes sizes;
    char root[PATH_MAX];
    size_t pictures;
    struct buf png;                  /* of the last picture; its memory is used again */
    crypto_hash_sha256_state pixels; /* of all pictures, in the order in which they were drawn */
};

/* Directories on the way are made. */
MUST_USE int making_dir(struct making *m, const char *path, struct err *e);
MUST_USE int making_picture(struct making *m, const char *path, const struct image *im, struct err *e);
/* A file of JSON: open, put, close; close says whether everything was written. */
MUST_USE FILE *making_open(struct making *m, const char *path, struct err *e);
MUST_USE int making_put(FILE *f, json_t *line, const char *behind, struct err *e); /* takes `line` */
MUST_USE int making_close(struct making *m, FILE **f, const char *path, struct err *e);

struct asked;
struct benchmark_family;
/* A question of `family` as a line of its file; `group` and `image` (below the file's directory) may be NULL. */
MUST_USE int making_question(FILE *f, const struct benchmark_family *family, const char *id, const char *group,
                             const char *image, const struct asked *a, struct err *e);

const char *caption_please(size_t i); /* asks for a caption, in one of several ways */

/* The parts of a world. */
MUST_USE int make_pretrain(struct making *m, struct err *e);
MUST_USE int make_facts(struct making *m, struct err *e);
MUST_USE int make_stage1(struct making *m, struct err *e);
MUST_USE int make_lessons(struct making *m, struct err *e);
MUST_USE int make_described(struct making *m, struct err *e);
MUST_USE int make_stage2(struct making *m, struct err *e);
MUST_USE int make_benchmarks(struct making *m, struct err *e);
MUST_USE int make_held_out(struct making *m, struct err *e);
MUST_USE int make_warps(struct making *m, struct err *e);
MUST_USE int make_parts(struct making *m, struct err *e);
MUST_USE int make_contact_sheet(struct art *a, uint64_t seed, const char *path, struct err *e);

/* Everything, into a directory `dir` that appears whole. 0: made; 1: the same world is there already. ERR_USAGE where
 * it holds something else; `force` replaces another world, never anything but a world. *summary is what world.json
 * says. */
MUST_USE int world_make(struct art *a, const struct world_sizes *sizes, const char *dir, bool force, json_t **summary,
                        struct err *e);

#endif
