/* Where the raw feature maps of encoders come from.
 *
 * A source gives the map of one picture of a correspondence set at a time. c_features reads them from directories,
 *
 *     DIR/<category>/<picture's name without its ending>.safetensors      tensor "features" [P*P, channels], row by row
 *
 * and keeps files mapped, those used last, up to a budget. All pictures of a directory have the same shape and type, and
 * where the files say how they were made, they say the same. */
#ifndef ACSWEEP_WORKER_SCORE_C_FEATURES_H
#define ACSWEEP_WORKER_SCORE_C_FEATURES_H

#include "common/err.h"
#include "common/own.h"
#include "worker/data/spair.h"
#include "worker/score/c_tokens.h"

struct c_map {
    const void *raw; /* [P * P][channels] of the source's shape, aligned to a byte */
    void *hold;      /* the source's own */
};

struct c_source {
    const char *name; /* in results */
    struct c_shape shape;
    /* `image` counts the set's images. Any thread; each map that was opened is closed. */
    int (*open)(void *arg, size_t image, struct c_map *out, struct err *e);
    void (*close)(void *arg, struct c_map *map);
    void *arg;
};

/* ERR_INPUT names the first source whose shape or type cannot be scored. */
MUST_USE int c_sources_check(const struct c_source *sources, size_t n, enum c_arith arith, struct err *e);

struct c_features;

/* Files are opened for the images of `set`, which must stay. `budget`: bytes of files to keep mapped. */
struct c_features *c_features_create(const struct spair *set, size_t budget, struct err *e);
void c_features_destroy(struct c_features *f);
DEFINE_CLEANUP(c_features_destroy, struct c_features *)
/* Refuse features that say in their metadata that they were made in another geometry; before c_features_add. The text must
 * stay. */
void c_features_expect(struct c_features *f, const char *geometry);
/* Look at the header of every image's file, and fill *out, which lives as long as `f`. `name` and `dir` are copied. Not
 * while maps are open. */
MUST_USE int c_features_add(struct c_features *f, const char *name, const char *dir, struct c_source *out,
                            struct err *e);
/* Bytes that are mapped now. */
size_t c_features_mapped(const struct c_features *f);

struct st_tensor;
struct safetensors;
/* The tensor of a file and its shape; for c_features and its fuzz target. */
MUST_USE int c_features_tensor(const struct safetensors *file, const struct st_tensor **out, struct c_shape *shape,
                               struct err *e);

#endif
