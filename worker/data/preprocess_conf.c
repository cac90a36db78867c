/* preprocessor_config.json and options -> struct preprocess. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker/data/json_text.h"
#include "worker/data/preprocess.h"

#define FILE_MOST ((size_t)1 << 20)

/* ---- the processors that we know ----------------------------------------------------------------------------------
 */

static const double clip_mean[3] = { 0.48145466, 0.4578275, 0.40821073 };
static const double clip_std[3] = { 0.26862954, 0.26130258, 0.27577711 };
static const double middle[3] = { 0.5, 0.5, 0.5 };

/* Defaults and habits of transformers 4.57, models/NAME/image_processing_NAME.py. */
static const struct processor {
    const char *name;
    bool crops;         /* has do_center_crop and crop_size, and takes shortest_edge */
    bool number_square; /* "size": N means N x N; else shortest_edge */
    enum resample resample;
    const double *mean, *std;
} processors[] = {
    { "CLIP", true, false, RESAMPLE_BICUBIC, clip_mean, clip_std },
    { "Bit", true, false, RESAMPLE_BICUBIC, clip_mean, clip_std },
    { "Siglip", false, false, RESAMPLE_BICUBIC, middle, middle },
    { "ViT", false, true, RESAMPLE_BILINEAR, middle, middle },
};
#define DEFAULT_EDGE 224

static const char *const endings[] = { "ImageProcessor", "ImageProcessorFast", "ImageProcessorPil",
                                       "FeatureExtractor" };

static const struct processor *processor_find(const char *type)
{
    char name[64];
    for (size_t i = 0; i < ARRAY_LEN(processors); i++)
        for (size_t k = 0; k < ARRAY_LEN(endings); k++) {
            snprintf(name, sizeof name, "%s%s", processors[i].name, endings[k]);
            if (strcmp(type, name) == 0)
                return &processors[i];
        }
    return NULL;
}

/* ---- reading keys -------------------------------------------------------------------------------------------------
 */

struct reader {
    const json_t *object;
    const char *name; /* of the file */
    struct err *e;
};

static int fail_key(const struct reader *r, const char *key, const char *wanted)
{
    return FAIL(r->e, ERR_INPUT, "%s: '%s' must be %s", r->name, key, wanted);
}

/* NULL when absent or null: both mean the default. */
static const json_t *value_of(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_null(v) ? NULL : v;
}

static int read_bool(const struct reader *r, const char *key, bool *out)
{
    const json_t *v = value_of(r->object, key);
    if (v && !json_is_boolean(v))
        return fail_key(r, key, "true or false");
    if (v)
        *out = json_is_true(v);
    return 0;
}

static int read_edge(const struct reader *r, const char *key, const json_t *v, uint32_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > PREPROCESS_MAX_EDGE)
        return fail_key(r, key, "a whole number of pixels from 1 to 8192");
    *out = (uint32_t)json_integer_value(v);
    return 0;
}

static int read_triple(const struct reader *r, const char *key, const double *otherwise, double out[3])
{
    const json_t *v = value_of(r->object, key);
    if (v && !json_is_number(v) && json_array_size(v) != 3)
        return fail_key(r, key, "a number, or a list of three");
    for (size_t c = 0; c < 3; c++) {
        const json_t *item = json_is_array(v) ? json_array_get(v, c) : v;
        if (item && !json_is_number(item))
            return fail_key(r, key, "a number, or a list of three");
        double value = item ? json_number_value(item) : otherwise[c];
        if (!(fabs(value) <= 1e6))
            return fail_key(r, key, "within -1e6..1e6");
        out[c] = value;
    }
    return 0;
}

/* Ask for keys of `object` by pairs: both or neither. */
static int read_pair(const struct reader *r, const char *key, const json_t *v, uint32_t *width, uint32_t *height)
{
    const json_t *h = value_of(v, "height"), *w = value_of(v, "width");
    if (!h || !w)
        return fail_key(r, key, "a number of pixels, {\"height\", \"width\"}, or for some {\"shortest_edge\"}");
    TRY(read_edge(r, key, h, height));
    return read_edge(r, key, w, width);
}

static int read_size(const struct reader *r, const struct processor *kind, struct preprocess *p)
{
    const json_t *v = value_of(r->object, "size"), *shortest = value_of(v, "shortest_edge");
    p->width = p->height = p->shortest = DEFAULT_EDGE;
    p->fit = kind->crops ? PREPROCESS_TO_SHORTEST : PREPROCESS_TO_SIZE;
    if (!v)
        return 0;
    if (json_is_array(v) || value_of(v, "longest_edge") || value_of(v, "max_height") || value_of(v, "max_width"))
        return fail_key(r, "size", "a number of pixels, {\"height\", \"width\"}, or for some {\"shortest_edge\"}");
    if (json_is_number(v) && !kind->number_square)
        shortest = v;
    if (shortest && !kind->crops)
        return fail_key(r, "size", "{\"height\": H, \"width\": W} for this processor");
    if (shortest)
        return read_edge(r, "size", shortest, &p->shortest);
    p->fit = PREPROCESS_TO_SIZE;
    if (json_is_number(v)) {
        TRY(read_edge(r, "size", v, &p->width));
        p->height = p->width;
        return 0;
    }
    return read_pair(r, "size", v, &p->width, &p->height);
}

static int read_crop(const struct reader *r, const struct processor *kind, struct preprocess *p)
{
    const json_t *v = value_of(r->object, "crop_size");
    p->crop = kind->crops;
    p->crop_width = p->crop_height = DEFAULT_EDGE;
    if (!kind->crops)
        return 0;
    TRY(read_bool(r, "do_center_crop", &p->crop));
    if (!v || !p->crop)
        return 0;
    if (!json_is_number(v))
        return read_pair(r, "crop_size", v, &p->crop_width, &p->crop_height);
    TRY(read_edge(r, "crop_size", v, &p->crop_width));
    p->crop_height = p->crop_width;
    return 0;
}

static int read_resample(const struct reader *r, const struct processor *kind, struct preprocess *p)
{
    const json_t *v = value_of(r->object, "resample");
    p->resample = kind->resample;
    if (!v)
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) >= RESAMPLE_COUNT)
        return fail_key(r, "resample",
                        "one of Pillow's numbers 0 (nearest), 1 (Lanczos), 2 (bilinear), 3 (bicubic), 4 "
                        "(box), 5 (Hamming)");
    p->resample = (enum resample)json_integer_value(v);
    return 0;
}

static int read_values(const struct reader *r, const struct processor *kind, struct preprocess *p)
{
    bool rescale = true, normalise = true;
    double mean[3], std[3];
    const json_t *factor = value_of(r->object, "rescale_factor");
    TRY(read_bool(r, "do_rescale", &rescale));
    TRY(read_bool(r, "do_normalize", &normalise));
    TRY(read_triple(r, "image_mean", kind->mean, mean));
    TRY(read_triple(r, "image_std", kind->std, std));
    if (factor && !(json_is_number(factor) && json_number_value(factor) > 0 && json_number_value(factor) <= 1e6))
        return fail_key(r, "rescale_factor", "a number above 0, such as 0.00392156862745098");
    p->factor = !rescale ? 1 : factor ? json_number_value(factor) : 1 / 255.0;
    for (int c = 0; c < 3; c++) {
        if (normalise && !(fabs(std[c]) > 1e-6))
            return fail_key(r, "image_std", "away from zero: it divides");
        p->pad_colour[c] = (uint8_t)fmin(fmax(mean[c] * 255, 0), 255); /* LLaVA: int(mean * 255) */
        p->mean[c] = normalise ? (float)mean[c] : 0;
        p->std[c] = normalise ? (float)std[c] : 1;
    }
    return 0;
}

/* Keys of other processors that change pixels; ignoring them would give wrong features in silence. */
static int refuse_unknown(const struct reader *r)
{
    static const char *const keys[] = {
        "do_pad",         "do_flip_channel_order", "do_image_splitting", "do_thumbnail", "crop_pct",
        "rescale_offset", "use_square_size",       "do_reduce_labels",   "size_divisor"
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const json_t *v = value_of(r->object, keys[i]);
        if (v && !json_is_false(v))
            return FAIL(r->e, ERR_INPUT,
                        "%s: '%s' is not supported; a CLIP, Bit (DINOv2), Siglip or ViT processor is "
                        "wanted",
                        r->name, keys[i]);
    }
    return 0;
}

static int read_object(const struct reader *r, const struct processor *kind, struct preprocess *p)
{
    bool resize = true;
    TRY(refuse_unknown(r));
    TRY(read_bool(r, "do_resize", &resize));
    TRY(read_size(r, kind, p));
    TRY(read_crop(r, kind, p));
    TRY(read_resample(r, kind, p));
    TRY(read_values(r, kind, p));
    if (!resize)
        p->fit = PREPROCESS_KEEP;
    return 0;
}

static int find_kind(struct reader *r, const struct processor **kind)
{
    const json_t *type = value_of(r->object, "image_processor_type");
    type = type ? type : value_of(r->object, "feature_extractor_type");
    if (!json_is_string(type))
        return FAIL(r->e, ERR_INPUT, "%s: no 'image_processor_type'; add it, e.g. \"CLIPImageProcessor\"", r->name);
    *kind = processor_find(json_string_value(type));
    if (!*kind)
        return FAIL(r->e, ERR_INPUT,
                    "%s: the processor '%.80s' is not known; known are CLIP, Bit (DINOv2), Siglip and ViT, as in "
                    "\"CLIPImageProcessor\"",
                    r->name, json_string_value(type));
    return 0;
}

/* ---- options, and the end -----------------------------------------------------------------------------------------
 */

static void apply_size(struct preprocess *p, uint32_t size)
{
    if (p->fit == PREPROCESS_TO_SHORTEST) {
        uint32_t seen = p->crop ? (p->crop_width < p->crop_height ? p->crop_width : p->crop_height) : p->shortest;
        p->shortest = (uint32_t)(((uint64_t)size * p->shortest + seen / 2) / seen);
    }
    p->width = p->height = p->crop_width = p->crop_height = size;
}

static int apply_options(struct preprocess *p, const struct preprocess_options *o, const char *name, struct err *e)
{
    uint32_t width, height;
    preprocess_output(p, &width, &height);
    if (o->size > PREPROCESS_MAX_EDGE)
        return FAIL(e, ERR_INPUT, "%s: a size of %u pixels was asked for; at most %u are possible", name, o->size,
                    PREPROCESS_MAX_EDGE);
    if (o->size)
        apply_size(p, o->size);
    if (o->geometry != PREPROCESS_OWN) {
        if (!o->size && width != height)
            return FAIL(e, ERR_INPUT,
                        "%s: the output is %u x %u and not a square; name the size to stretch or "
                        "letter-box to",
                        name, width, height);
        p->width = p->height = o->size ? o->size : width;
        p->crop = false;
        p->fit = o->geometry == PREPROCESS_STRETCH ? PREPROCESS_TO_SIZE : PREPROCESS_TO_BOX;
    }
    if (o->other_resample)
        p->resample = o->resample;
    p->pad = o->pad;
    return 0;
}

static void fill_table(struct preprocess *p, bool halves)
{
    for (int c = 0; c < 3; c++)
        for (int x = 0; x < 256; x++)
            p->value[c][x] =
                halves ? ((float)x / 255.0F - 0.5F) * 2.0F : ((float)(x * p->factor) - p->mean[c]) / p->std[c];
}

static int check_fixed(const struct preprocess *p, const char *name, struct err *e)
{
    if (!p->crop && (p->fit == PREPROCESS_TO_SHORTEST || p->fit == PREPROCESS_KEEP))
        return FAIL(e, ERR_INPUT,
                    "%s: without do_center_crop pictures would come out with different sizes; set it, or "
                    "give size a height and a width",
                    name);
    if (p->fit == PREPROCESS_TO_SHORTEST && (p->shortest < 1 || p->shortest > PREPROCESS_MAX_EDGE))
        return FAIL(e, ERR_INPUT, "%s: the shortest edge would become %u pixels; at most %u are possible", name,
                    p->shortest, PREPROCESS_MAX_EDGE);
    return 0;
}

int preprocess_parse(const char *text, size_t len, const char *name, const struct preprocess_options *o,
                     struct preprocess *p, struct err *e)
{
    static const struct preprocess_options none = { 0 };
    o = o ? o : &none;
    AUTO(json_decref) json_t *j = json_text_parse(text, len, name, e);
    if (!j)
        return -1;
    struct reader r = { j, name, e };
    const json_t *inner = value_of(j, "image_processor"); /* transformers 5: processor_config.json */
    if (json_is_object(inner))
        r.object = inner;
    const struct processor *kind;
    struct preprocess made = { 0 };
    TRY(find_kind(&r, &kind));
    TRY(read_object(&r, kind, &made));
    TRY(apply_options(&made, o, name, e));
    TRY(check_fixed(&made, name, e));
    fill_table(&made, o->half);
    *p = made;
    return 0;
}

int preprocess_load(const char *path, const struct preprocess_options *o, struct preprocess *p, struct err *e)
{
    AUTO(free) char *text = NULL;
    size_t len;
    if (access(path, F_OK) < 0)
        return FAIL(e, ERR_INPUT, "%s: cannot open: %s; fetch it with the checkpoint: it says how pictures are prepared",
                    path, strerror(errno));
    TRY(json_text_read(path, FILE_MOST, &text, &len, e));
    return preprocess_parse(text, len, path, o, p, e);
}

int preprocess_without_file(const struct preprocess_options *o, struct preprocess *p, struct err *e)
{
    struct preprocess made = { .fit = PREPROCESS_TO_SIZE, .resample = RESAMPLE_BICUBIC, .factor = 1 / 255.0 };
    if (!o->size)
        return FAIL(e, ERR_INPUT, "this encoder has no preprocessor_config.json; name the size of its pictures");
    for (int c = 0; c < 3; c++) {
        made.pad_colour[c] = 127;
        made.mean[c] = made.std[c] = 0.5F;
    }
    TRY(apply_options(&made, o, "preprocessing", e));
    fill_table(&made, true);
    *p = made;
    return 0;
}
