#include "report/pictures.h"

#include <math.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

#include "common/digest.h"

#define PLACE_MOST 1e6 /* pixels */
#define NAME_MOST 400  /* bytes */

/* ---- values of an object ----------------------------------------------------------------------------------------- */

/* Where we are, for messages: "pictures of clip: pairs[2].points[0]". */
struct place {
    const char *name;
    char path[64];
};

static int fail(const struct place *p, const char *key, const char *want, struct err *e)
{
    return FAIL(e, ERR_INPUT, "%.200s: %s%s%s must be %s", p->name, p->path, *p->path ? "." : "", key, want);
}

static int read_text(const struct place *p, const json_t *o, const char *key, const char **out, struct err *e)
{
    const json_t *v = json_object_get(o, key);
    *out = json_string_value(v);
    if (!*out || !**out || json_string_length(v) > NAME_MOST || strlen(*out) != json_string_length(v))
        return fail(p, key, "a short text", e);
    return 0;
}

static int read_int(const struct place *p, const json_t *o, const char *key, int lo, int hi, int *out, struct err *e)
{
    const json_t *v = json_object_get(o, key);
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < lo || n > hi)
        return fail(p, key, "a whole number in range", e);
    *out = (int)n;
    return 0;
}

static int read_number(const struct place *p, const json_t *o, const char *key, double lo, double hi, double *out,
                       struct err *e)
{
    const json_t *v = json_object_get(o, key);
    *out = json_number_value(v);
    if (!json_is_number(v) || !(*out >= lo && *out <= hi))
        return fail(p, key, "a number in range", e);
    return 0;
}

static int read_places(const struct place *p, const json_t *o, const char *key, size_t n, double *out, struct err *e)
{
    const json_t *list = json_object_get(o, key);
    if (!json_is_array(list) || json_array_size(list) != n)
        return fail(p, key, n == 2 ? "two numbers" : "four numbers", e);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        out[i] = json_number_value(v);
        if (!json_is_number(v) || !(fabs(out[i]) <= PLACE_MOST))
            return fail(p, key, "numbers in range", e);
    }
    return 0;
}

static int read_list(const struct place *p, const json_t *o, const char *key, size_t most, const json_t **out,
                     size_t *n, struct err *e)
{
    *out = json_object_get(o, key);
    *n = json_array_size(*out);
    if (*n < 1 || *n > most)
        return fail(p, key, "a list of a few", e);
    return 0;
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

static int read_side(const struct place *p, const json_t *o, const char *key, struct picture_side *out, struct err *e)
{
    const json_t *side = json_object_get(o, key);
    struct place at = { p->name, "" };
    snprintf(at.path, sizeof at.path, "%.40s.%.20s", p->path, key);
    TRY(read_text(&at, side, "image", &out->image, e));
    TRY(read_number(&at, side, "width", 1, PLACE_MOST, &out->width, e));
    return read_number(&at, side, "height", 1, PLACE_MOST, &out->height, e);
}

static int read_point(const struct place *p, const json_t *o, struct picture_point *out, struct err *e)
{
    const json_t *correct = json_object_get(o, "correct");
    TRY(read_int(p, o, "point", 0, PICTURES_POINTS_MAX - 1, &out->point, e));
    TRY(read_places(p, o, "source", 2, out->source, e));
    TRY(read_places(p, o, "target", 2, out->target, e));
    TRY(read_places(p, o, "predicted", 2, out->predicted, e));
    out->correct = json_is_true(correct);
    return json_is_boolean(correct) ? 0 : fail(p, "correct", "true or false", e);
}

static int read_points(const struct place *p, const json_t *o, struct picture_pair *pair, struct err *e)
{
    const json_t *points;
    TRY(read_list(p, o, "points", PICTURES_POINTS_MAX, &points, &pair->n_points, e));
    for (size_t i = 0; i < pair->n_points; i++) {
        struct place at = { p->name, "" };
        snprintf(at.path, sizeof at.path, "%.30s.points[%zu]", p->path, i);
        TRY(read_point(&at, json_array_get(points, i), &pair->points[i], e));
        if (i && pair->points[i].point <= pair->points[i - 1].point)
            return fail(&at, "point", "larger than the one before", e);
    }
    return 0;
}

/* Is it strict base64, as long as it says? Decodes into out[most]. */
static bool decode(const json_t *v, uint8_t *out, size_t most, size_t *n)
{
    const char *text = json_string_value(v), *end = NULL;
    size_t len = json_string_length(v);
    return text && sodium_base642bin(out, most, text, len, NULL, n, &end, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           end == text + len;
}

static int read_map(const struct place *p, const json_t *o, struct picture_pair *pair, struct err *e)
{
    const json_t *map = json_object_get(o, "map");
    struct picture_map *m = &pair->map;
    struct place at = { p->name, "" };
    int point;
    size_t n = 0;
    snprintf(at.path, sizeof at.path, "%.30s.map", p->path);
    TRY(read_int(&at, map, "point", 0, PICTURES_POINTS_MAX - 1, &point, e));
    TRY(read_int(&at, map, "side", 1, PICTURES_SIDE_MAX, &m->side, e));
    TRY(read_number(&at, map, "low", -PLACE_MOST, PLACE_MOST, &m->low, e));
    TRY(read_number(&at, map, "high", m->low, PLACE_MOST, &m->high, e));
    TRY(read_places(&at, map, "box", 4, m->box, e));
    if (!(m->box[2] > 0 && m->box[3] > 0))
        return fail(&at, "box", "of some size", e);
    while (m->point < pair->n_points && pair->points[m->point].point != point)
        m->point++;
    if (m->point == pair->n_points)
        return fail(&at, "point", "one of the points", e);
    if (!decode(json_object_get(map, "cells"), m->cells, sizeof m->cells, &n) || n != (size_t)(m->side * m->side))
        return fail(&at, "cells", "base64 of side x side bytes", e);
    return 0;
}

static int read_pair(const struct place *p, const json_t *o, struct picture_pair *out, struct err *e)
{
    TRY(read_text(p, o, "pair", &out->pair, e));
    TRY(read_text(p, o, "category", &out->category, e));
    TRY(read_side(p, o, "source", &out->source, e));
    TRY(read_side(p, o, "target", &out->target, e));
    TRY(read_places(p, o, "limit", 2, out->limit, e));
    if (!(out->limit[0] > 0 && out->limit[1] > 0))
        return fail(p, "limit", "above 0", e);
    TRY(read_points(p, o, out, e));
    return read_map(p, o, out, e);
}

/* The document when it is JSON of the wanted format. */
static json_t *load(const char *bytes, size_t len, const char *name, const char *format, struct err *e)
{
    json_error_t why;
    if (len > PICTURES_BYTES_MAX)
        return FAIL_NULL(e, ERR_INPUT, "%.200s: %zu bytes; %d are the most", name, len, PICTURES_BYTES_MAX);
    AUTO(json_decref) json_t *o = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &why);
    if (!o)
        return FAIL_NULL(e, ERR_INPUT, "%.200s: not JSON: %s", name, why.text);
    const char *is = json_string_value(json_object_get(o, "format"));
    if (!is || strcmp(is, format) != 0)
        return FAIL_NULL(e, ERR_INPUT, "%.200s: its format is not '%s'; was it made by another version?", name, format);
    return TAKE(o);
}

static int read_pairs(const struct place *p, const json_t *list, struct pictures *out, struct err *e)
{
    for (size_t i = 0; i < out->n_pairs; i++) {
        struct place at = { p->name, "" };
        snprintf(at.path, sizeof at.path, "pairs[%zu]", i);
        TRY(read_pair(&at, json_array_get(list, i), &out->pairs[i], e));
        for (size_t k = 0; k < i; k++)
            if (strcmp(out->pairs[k].pair, out->pairs[i].pair) == 0)
                return fail(&at, "pair", "another one than before", e);
    }
    return 0;
}

struct pictures *pictures_parse(const char *bytes, size_t len, const char *name, struct err *e)
{
    const struct place top = { name, "" };
    const json_t *list;
    json_t *o = load(bytes, len, name, "acsweep pictures 1", e);
    if (!o)
        return NULL;
    AUTO(pictures_free) struct pictures *p = calloc(1, sizeof *p);
    if (!p) {
        json_decref(o);
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    }
    p->texts = o;
    if (read_number(&top, o, "alpha", 0, PLACE_MOST, &p->alpha, e) < 0 ||
        read_list(&top, o, "pairs", PICTURES_PAIRS_MAX, &list, &p->n_pairs, e) < 0)
        return NULL;
    p->pairs = calloc(p->n_pairs, sizeof *p->pairs);
    if (!p->pairs)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return read_pairs(&top, list, p, e) < 0 ? NULL : TAKE(p);
}

void pictures_free(struct pictures *p)
{
    if (!p)
        return;
    free(p->pairs);
    json_decref(p->texts);
    free(p);
}

/* ---- thumbnails -------------------------------------------------------------------------------------------------- */

/* Does a frame header come before the data, of a size that a page can bear? */
static bool is_small_jpeg(const uint8_t *b, size_t n)
{
    size_t at = 2;
    if (n < 4 || b[0] != 0xff || b[1] != 0xd8)
        return false;
    while (at + 9 <= n && b[at] == 0xff && b[at + 1] != 0xda) {
        unsigned marker = b[at + 1];
        size_t length = (size_t)b[at + 2] << 8 | b[at + 3];
        if (marker >= 0xc0 && marker <= 0xc2) {
            unsigned height = (unsigned)b[at + 5] << 8 | b[at + 6], width = (unsigned)b[at + 7] << 8 | b[at + 8];
            return height && width && height <= PICTURES_THUMBNAIL_EDGE && width <= PICTURES_THUMBNAIL_EDGE;
        }
        if (length < 2)
            return false;
        at += 2 + length;
    }
    return false;
}

static int read_thumbnail(const struct place *p, const json_t *o, struct thumbnail *out, struct err *e)
{
    const json_t *jpeg = json_object_get(o, "jpeg");
    size_t most = json_string_length(jpeg), n = 0;
    TRY(read_text(p, o, "image", &out->image, e));
    AUTO(free) uint8_t *bytes = malloc(most + 1);
    if (!bytes)
        return FAIL_NOMEM(e);
    out->jpeg = json_string_value(jpeg);
    if (!decode(jpeg, bytes, most, &n) || !is_small_jpeg(bytes, n))
        return fail(p, "jpeg", "base64 of a small JPEG", e);
    return 0;
}

static int read_thumbnails(const struct place *top, const json_t *list, struct thumbnails *t, struct err *e)
{
    for (size_t i = 0; i < t->n; i++) {
        struct place at = { top->name, "" };
        snprintf(at.path, sizeof at.path, "images[%zu]", i);
        TRY(read_thumbnail(&at, json_array_get(list, i), &t->all[i], e));
    }
    return 0;
}

struct thumbnails *thumbnails_parse(const char *bytes, size_t len, const char *name, struct err *e)
{
    const struct place top = { name, "" };
    const json_t *list;
    json_t *o = load(bytes, len, name, "acsweep thumbnails 1", e);
    if (!o)
        return NULL;
    AUTO(thumbnails_free) struct thumbnails *t = calloc(1, sizeof *t);
    if (!t) {
        json_decref(o);
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    }
    t->texts = o;
    if (read_list(&top, o, "images", PICTURES_THUMBNAILS_MAX, &list, &t->n, e) < 0)
        return NULL;
    t->all = calloc(t->n, sizeof *t->all);
    if (!t->all)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return read_thumbnails(&top, list, t, e) < 0 ? NULL : TAKE(t);
}

void thumbnails_free(struct thumbnails *t)
{
    if (!t)
        return;
    free(t->all);
    json_decref(t->texts);
    free(t);
}
