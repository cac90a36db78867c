/* A vision representation at work: its frozen encoders, each with its own preprocessing, their tokens side by side.
 * From pictures, or from features that were kept in files; the numbers are the same.
 *
 * Each encoder's tokens are rounded to `dtype`, the type that files keep. A member whose grid differs from the target
 * is resampled on it, (d,h,w), bilinear in f32 without aligned corners, and rounded again; one that has the target's
 * grid is left untouched. Then channels are put side by side in the order of the members, raw: nothing is normalised.
 */
#ifndef ACSWEEP_WORKER_EXTRACT_REPRESENTATION_H
#define ACSWEEP_WORKER_EXTRACT_REPRESENTATION_H

#include "worker/extract/extractor.h"

struct representation_member {
    const char *name; /* for messages; NULL: the checkpoint's path */
    /* Its options; `dtype`, `device` and `batch` are the representation's. all_tokens must be false. */
    struct extract_options encoder;
    /* Feature files of this member instead of its checkpoint (see feature_file.h): files, or directories of them. */
    const char *const *features;
    size_t n_features;
};

struct representation_options {
    const struct representation_member *members;
    size_t n;
    int64_t grid; /* target: grid x grid tokens; 0 = the finest member's */
    enum th_dtype dtype;
    struct th_device device;
    int batch; /* pictures that an encoder takes at a time; 0 = 8 */
};

struct representation;

/* ERR_INPUT names the member that cannot be used. */
struct representation *representation_open(const struct representation_options *o, struct err *e);
void representation_close(struct representation *r);

struct representation_shape {
    int64_t tokens, channels, grid; /* grid * grid tokens; the sum of the members' channels */
    enum th_dtype dtype;
};
struct representation_shape representation_shape(const struct representation *r);

/* (n, tokens, channels) on the representation's device, in the innermost scope; NULL with the error in `e`.
 * ..._pictures: pictures as image_load gives them. ..._files: read from these files. ..._stored: by the names that they
 * have in the feature files (paths in their image set); ERR_INPUT for one that is in none. */
struct tensor *representation_pictures(const struct representation *r, const struct image *pictures, size_t n,
                                       struct err *e);
struct tensor *representation_files(const struct representation *r, const char *const *paths, size_t n, struct err *e);
struct tensor *representation_stored(const struct representation *r, const char *const *names, size_t n, struct err *e);
/* Where some members have features and others have not: names[i] and pictures[i] are the same picture. What no member
 * needs may be NULL. */
struct tensor *representation_mixed(const struct representation *r, const struct image *pictures,
                                    const char *const *names, size_t n, struct err *e);
/* Does a member need pictures? */
bool representation_needs_pictures(const struct representation *r);

/* The combination by itself: parts[i] (B, g_i * g_i, d_i) -> (B, grid * grid, sum d_i) of type t. Errors are the
 * thread's. */
struct tensor *representation_combine(struct tensor *const *parts, size_t n, int64_t grid, enum th_dtype t);

DEFINE_CLEANUP(representation_close, struct representation *)

#endif
