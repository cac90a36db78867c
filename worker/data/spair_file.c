#include "worker/data/spair_file.h"

#include <math.h>
#include <string.h>

#include "common/parse.h"
#include "worker/data/image.h"
#include "worker/data/json_text.h"

struct reader {
    const json_t *object;
    const char *name;
    struct err *e;
};

static int fail_key(const struct reader *r, const char *key, const char *wanted)
{
    return FAIL(r->e, ERR_INPUT, "%s: '%s' must be %s", r->name, key, wanted);
}

/* A name that can only be a file of the directory it is looked for in. */
static int read_name(const struct reader *r, const char *key, char out[NAME_MAX + 1])
{
    const json_t *v = json_object_get(r->object, key);
    const char *s = json_string_value(v);
    if (!s || !s[0] || s[0] == '.' || strchr(s, '/') || strlen(s) > NAME_MAX)
        return fail_key(r, key, "a plain name, without '/' and not beginning with '.'");
    memcpy(out, s, strlen(s) + 1);
    return 0;
}

static int read_numbers(const struct reader *r, const char *key, const json_t *v, size_t n, double *out)
{
    if (!json_is_array(v) || json_array_size(v) < n)
        return fail_key(r, key, n == 2 ? "a list of two numbers, or null" : "a list of numbers");
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(v, i);
        out[i] = json_number_value(item);
        if (!json_is_number(item) || !(fabs(out[i]) <= IMAGE_MAX_EDGE))
            return fail_key(r, key, "a list of pixel coordinates");
    }
    return 0;
}

static int read_side(const struct reader *r, const char *size_key, const char *box_key, struct spair_side *side)
{
    double size[2];
    TRY(read_numbers(r, size_key, json_object_get(r->object, size_key), 2, size));
    if (size[0] < 1 || size[1] < 1 || size[0] != floor(size[0]) || size[1] != floor(size[1]))
        return fail_key(r, size_key, "[width, height, channels] in whole pixels");
    side->width = (uint32_t)size[0];
    side->height = (uint32_t)size[1];
    TRY(read_numbers(r, box_key, json_object_get(r->object, box_key), 4, side->box));
    if (side->box[0] >= side->box[2] || side->box[1] >= side->box[3])
        return fail_key(r, box_key, "[x1, y1, x2, y2] with x1 < x2 and y1 < y2");
    return 0;
}

int spair_parse_pair(const char *text, size_t len, const char *name, struct spair_pair_file *out, struct err *e)
{
    AUTO(json_decref) json_t *j = json_text_parse(text, len, name, e);
    struct reader r = { j, name, e };
    if (!j)
        return -1;
    TRY(read_name(&r, "category", out->category));
    TRY(read_name(&r, "src_imname", out->source_name));
    TRY(read_name(&r, "trg_imname", out->target_name));
    TRY(read_side(&r, "src_imsize", "src_bndbox", &out->source));
    return read_side(&r, "trg_imsize", "trg_bndbox", &out->target);
}

static int read_point(const struct reader *r, const char *key, const json_t *v, struct spair_image *out)
{
    uint64_t i;
    double at[2];
    struct err why = { 0 };
    if (parse_u64(key, 0, SPAIR_POINTS - 1, &i, &why) < 0)
        return FAIL(r->e, ERR_INPUT, "%s: 'kps' has a point '%.20s'; points are called 0 to %d", r->name, key,
                    SPAIR_POINTS - 1);
    if (json_is_null(v))
        return 0;
    TRY(read_numbers(r, "kps", v, 2, at));
    if (at[0] < 0 || at[1] < 0)
        return FAIL(r->e, ERR_INPUT, "%s: point %d of 'kps' lies outside the picture, at %g, %g", r->name, (int)i,
                    at[0], at[1]);
    out->points |= UINT32_C(1) << i;
    out->x[i] = at[0];
    out->y[i] = at[1];
    return 0;
}

int spair_parse_image(const char *text, size_t len, const char *name, struct spair_image *out, struct err *e)
{
    AUTO(json_decref) json_t *j = json_text_parse(text, len, name, e);
    struct reader r = { j, name, e };
    json_t *points = json_object_get(j, "kps"), *v;
    const char *key;
    if (!j)
        return -1;
    if (!json_is_object(points))
        return fail_key(&r, "kps", "an object of points {\"0\": [x, y] or null, ...}");
    json_object_foreach(points, key, v) TRY(read_point(&r, key, v, out));
    return 0;
}
