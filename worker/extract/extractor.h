/* A frozen encoder at work: pictures of an image set in, tokens out. Pictures are decoded and resized by threads ahead
 * of the computing.
 *
 * What a token is worth does not depend on how the work is cut: features are rounded to `dtype` here, whether they are
 * then kept in files or used at once. */
#ifndef ACSWEEP_WORKER_EXTRACT_EXTRACTOR_H
#define ACSWEEP_WORKER_EXTRACT_EXTRACTOR_H

#include "worker/data/image_set.h"
#include "worker/data/preprocess.h"
#include "worker/model/vit.h"

/* How a picture becomes the encoder's square. The last three are those of the C score (worker/score/c_frame.h). */
enum extract_geometry {
    EXTRACT_OWN,              /* as the checkpoint's preprocessor_config.json says */
    EXTRACT_LETTERBOX,        /* whole picture, padded to a square; the encoder's own mean and std */
    EXTRACT_STRETCH_MISMATCH, /* stretched, (x / 255 - 0.5) * 2 whatever the encoder: the authors' code */
    EXTRACT_STRETCH_BOTH,     /* stretched; the encoder's own mean and std */
};
/* "own", "letterbox", "stretch_mismatch", "stretch_both". */
MUST_USE int extract_geometry_parse(const char *name, enum extract_geometry *out, struct err *e);

struct extract_options {
    const char *checkpoint; /* directory in Hugging Face layout */
    enum extract_geometry geometry;
    uint32_t resolution; /* edge of the square in pixels; 0 = the checkpoint's own */
    int layer;           /* hidden state, as vit_options.layer */
    bool final_norm, all_tokens;
    enum vit_positions positions;
    bool pad; /* with EXTRACT_OWN: first to a square, on the encoder's mean colour (LLaVA's image_aspect_ratio = pad) */
    enum th_dtype compute, dtype; /* computed in; rounded to at the end */
    struct th_device device;
    int batch;        /* pictures at a time; 0 = 8 */
    unsigned threads; /* that decode; 0 = one for each processor */
    struct image_options images;
};
#define EXTRACT_DEFAULTS ((struct extract_options){ .layer = -2, .compute = TH_F32, .dtype = TH_F32, .device = TH_CPU })

struct extractor;

/* ERR_INPUT when the checkpoint or its preprocessor file is not one that can be used, with place and remedy. */
struct extractor *extractor_open(const struct extract_options *o, struct err *e);
void extractor_close(struct extractor *x);
DEFINE_CLEANUP(extractor_close, struct extractor *)

struct extract_shape {
    int64_t tokens, channels;
    int64_t grid; /* tokens of the patches are grid x grid, row by row, behind class and register tokens if wanted */
    enum th_dtype dtype;
};
struct extract_shape extractor_shape(const struct extractor *x);
/* Bytes of one picture's features. */
size_t extractor_bytes(const struct extractor *x);

/* Features of the pictures first .. first+count-1 of `set`, in order. `take` is given each picture's number in the set
 * and its [tokens][channels]; -1 from it ends the run. */
typedef int extract_take_fn(void *arg, size_t image, const void *features, struct err *e);
MUST_USE int extractor_run(const struct extractor *x, const struct image_set *set, size_t first, size_t count,
                           extract_take_fn *take, void *arg, struct err *e);

/* Features of `n` pictures in memory, (n, tokens, channels) of type `dtype` on the encoder's device, in the innermost
 * scope; the same numbers. NULL with the error in `e`. */
struct tensor *extractor_pictures(const struct extractor *x, const struct image *pictures, size_t n, struct err *e);

#endif
