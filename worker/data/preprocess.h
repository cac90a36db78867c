/* From a picture to what an encoder is given: float (3, height, width), as the encoder's own processor makes it.
 *
 * Read from the preprocessor_config.json that lies beside a checkpoint. The reference are the processors of
 * transformers 4 that work with PIL and numpy (`use_fast=False`): CLIPImageProcessor (also OpenCLIP's),
 * BitImageProcessor (DINOv2's), SiglipImageProcessor and ViTImageProcessor, under these names, the names ending in Fast
 * or Pil, and the older CLIPFeatureExtractor and so on. Values are the same to the last bit.
 *
 * Steps: pad to a square if asked; resize (Pillow's numbers); centre crop, black where the picture is too small; times
 * rescale_factor in double, rounded to float; minus mean, by std in float. The resized picture is built only as far as
 * the crop sees it, so a picture of 100,000 x 1 pixels costs no more than another. */
#ifndef ACSWEEP_WORKER_DATA_PREPROCESS_H
#define ACSWEEP_WORKER_DATA_PREPROCESS_H

#include "worker/data/image.h"
#include "worker/data/resize.h"

#define PREPROCESS_MAX_EDGE 8192u /* of sizes in the file and in the options */

enum preprocess_geometry {
    PREPROCESS_OWN,       /* as the file says */
    PREPROCESS_STRETCH,   /* to size x size whatever the shape: the C score's and the diffusion encoders' way */
    PREPROCESS_LETTERBOX, /* the longer edge to `size`, the rest black, in the middle (preprocess_letterbox) */
};

/* What a sweep may ask on top of the file; {0} is the file alone. */
struct preprocess_options {
    /* Edge of the output; 0 = the file's own. With PREPROCESS_OWN the field of view stays: shortest_edge 256 and crop
     * 224 become 384 and 336. */
    uint32_t size;
    enum preprocess_geometry geometry;
    bool other_resample; /* use `resample` instead of the file's */
    enum resample resample;
    bool half; /* (x / 255 - 0.5) * 2 in float, instead of the file's factor, mean and std: the C score's way */
    bool pad;  /* first to a square, centred on the file's mean colour: LLaVA's image_aspect_ratio=pad */
};

/* Plain memory, made by the functions below; may be copied, and used by several threads at once. */
struct preprocess {
    enum preprocess_fit { PREPROCESS_KEEP, PREPROCESS_TO_SHORTEST, PREPROCESS_TO_SIZE, PREPROCESS_TO_BOX } fit;
    enum resample resample;
    uint32_t shortest;      /* of PREPROCESS_TO_SHORTEST */
    uint32_t width, height; /* of PREPROCESS_TO_SIZE, and the box */
    bool crop;
    uint32_t crop_width, crop_height;
    bool pad;
    uint8_t pad_colour[3];
    double factor; /* 1 = no rescaling */
    float mean[3], std[3];
    float value[3][256]; /* what each level of a channel becomes */
};

/* Read the file; ERR_INPUT names it and the key. Refused: other processors, keys that would change pixels in ways not
 * done here, and settings under which pictures would come out with different sizes. */
MUST_USE int preprocess_load(const char *path, const struct preprocess_options *o, struct preprocess *p, struct err *e);
MUST_USE int preprocess_parse(const char *text, size_t len, const char *name, const struct preprocess_options *o,
                              struct preprocess *p, struct err *e);
/* For encoders without such a file (diffusion): stretched to o->size (which must be set; or the letter-box), bicubic,
 * (x / 255 - 0.5) * 2. */
MUST_USE int preprocess_without_file(const struct preprocess_options *o, struct preprocess *p, struct err *e);

/* Size of every output. */
void preprocess_output(const struct preprocess *p, uint32_t *width, uint32_t *height);
/* Floats of one output: 3 * height * width. */
size_t preprocess_floats(const struct preprocess *p);
/* Fill chw[preprocess_floats(p)]. ERR_INPUT for a picture that padding would make larger than IMAGE_MAX_PIXELS. */
MUST_USE int preprocess_apply(const struct preprocess *p, const struct image *im, float *chw, struct err *e);

/* Where a width x height picture lies in a letter-box of edge S: the longer edge becomes S, the other
 * round-half-even(S * short / long), at least 1; it begins at floor((S - other) / 2). Key points are moved by the same
 * rule (C score). */
struct letterbox {
    uint32_t left, top, width, height;
};
struct letterbox preprocess_letterbox(uint32_t width, uint32_t height, uint32_t edge);

#endif
