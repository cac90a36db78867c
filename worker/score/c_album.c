#include "worker/score/c_album.h"

#include <math.h>
#include <string.h>

#include <sodium.h>

#include "common/digest.h"
#include "worker/data/jpeg_write.h"
#include "worker/data/resize.h"
#include "worker/score/c_inputs.h"

enum { THUMBNAIL_EDGE = 256, THUMBNAIL_BYTES = 20 << 10, THUMBNAIL_EDGE_MIN = 16 };

/* ---- which pairs ------------------------------------------------------------------------------------------------- */

struct candidate {
    size_t pair;
    char digest[DIGEST_HEX_SIZE];
};

static int by_digest(const void *a, const void *b)
{
    return strcmp(((const struct candidate *)a)->digest, ((const struct candidate *)b)->digest);
}

static size_t choose_in(const struct spair *set, const struct spair_category *c, size_t n, struct candidate *all,
                        size_t *out)
{
    int most = 0;
    size_t found = 0;
    for (size_t i = c->first; i < c->first + c->count; i++) {
        int points = __builtin_popcount(set->pairs[i].points);
        most = points > most ? points : most;
    }
    for (size_t i = c->first; i < c->first + c->count; i++)
        if (2 * __builtin_popcount(set->pairs[i].points) >= most) {
            all[found].pair = i;
            digest_bytes(set->pairs[i].name, strlen(set->pairs[i].name), all[found].digest);
            found++;
        }
    qsort(all, found, sizeof *all, by_digest);
    for (size_t i = 0; i < found && i < n; i++)
        out[i] = all[i].pair;
    return found < n ? found : n;
}

size_t c_album_choose(const struct spair *set, size_t n, size_t out[C_ALBUM_PAIRS_MAX])
{
    AUTO(free) struct candidate *all = calloc(set->n_pairs + 1, sizeof *all);
    AUTO(free) const struct spair_category **filled = calloc(set->n_categories + 1, sizeof(struct spair_category *));
    size_t chosen = 0, categories = 0;
    n = n < C_ALBUM_PAIRS_MAX ? n : C_ALBUM_PAIRS_MAX;
    for (size_t i = 0; all && filled && i < set->n_categories; i++)
        if (set->categories[i].count)
            filled[categories++] = &set->categories[i];
    for (size_t i = 0; i < categories; i++)
        chosen += choose_in(set, filled[i], (i + 1) * n / categories - i * n / categories, all, out + chosen);
    return chosen;
}

/* ---- albums ------------------------------------------------------------------------------------------------------ */

struct album {
    const struct c_job *job;
    json_t **entries; /* [subset][pair of the job] */
};

static json_t *text_of_bytes(const void *bytes, size_t n)
{
    size_t size = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
    AUTO(free) char *text = malloc(size);
    return text ? json_string(sodium_bin2base64(text, size, bytes, n, sodium_base64_VARIANT_ORIGINAL)) : NULL;
}

static struct c_frame frame_of(const struct c_job *job, const struct spair_side *side)
{
    return c_frame_make(job->setting.geometry, job->setting.side, side->width, side->height);
}

static json_t *place(const struct c_job *job, const struct spair_side *side, struct c_point p)
{
    struct c_frame f = frame_of(job, side);
    double x, y;
    c_frame_back(&f, p, &x, &y);
    return json_pack("[f,f]", x, y);
}

static json_t *describe_side(const struct spair_side *side)
{
    return json_pack("{s:s,s:i,s:i}", "image", side->image->path, "width", (int)side->width, "height",
                     (int)side->height);
}

/* Mean of the cells that fall into cell (row, column) of the shrunken map. */
static float mean_cell(const struct c_seen *s, int factor, int row, int column)
{
    float sum = 0;
    int n = 0;
    for (int y = row * factor; y < (row + 1) * factor && y < s->grid; y++)
        for (int x = column * factor; x < (column + 1) * factor && x < s->grid; x++, n++)
            sum += s->map[y * s->grid + x];
    return sum / (float)n;
}

static json_t *describe_map(const struct c_job *job, const struct c_seen *s)
{
    float cells[C_ALBUM_SIDE_MAX * C_ALBUM_SIDE_MAX], low = INFINITY, high = -INFINITY;
    uint8_t bytes[ARRAY_LEN(cells)];
    int factor = (s->grid + C_ALBUM_SIDE_MAX - 1) / C_ALBUM_SIDE_MAX, side = (s->grid + factor - 1) / factor;
    size_t n = (size_t)side * (size_t)side;
    for (size_t i = 0; i < n; i++) {
        cells[i] = mean_cell(s, factor, (int)i / side, (int)i % side);
        low = fminf(low, cells[i]);
        high = fmaxf(high, cells[i]);
    }
    for (size_t i = 0; i < n; i++)
        bytes[i] = high > low ? (uint8_t)lrintf(255 * (cells[i] - low) / (high - low)) : 0;
    struct c_frame f = frame_of(job, &job->set->pairs[s->pair].target);
    double edge = (double)f.side * side * factor / s->grid, x, y;
    c_frame_back(&f, (struct c_point){ 0, 0 }, &x, &y);
    return json_pack("{s:i,s:i,s:f,s:f,s:[f,f,f,f],s:o}", "point", s->point, "side", side, "low", (double)low, "high",
                     (double)high, "box", x, y, edge / (double)f.scale_x, edge / (double)f.scale_y, "cells",
                     text_of_bytes(bytes, n));
}

static json_t *describe_pair(const struct c_job *job, const struct c_seen *s)
{
    const struct spair_pair *p = &job->set->pairs[s->pair];
    struct c_frame f = frame_of(job, &p->target);
    return json_pack("{s:s,s:s,s:o,s:o,s:[f,f],s:[]}", "pair", p->name, "category", p->category, "source",
                     describe_side(&p->source), "target", describe_side(&p->target), "limit",
                     s->limits[0] / (double)f.scale_x, s->limits[0] / (double)f.scale_y, "points");
}

static json_t *describe_point(const struct c_job *job, const struct c_seen *s)
{
    const struct spair_pair *p = &job->set->pairs[s->pair];
    return json_pack("{s:i,s:o,s:o,s:o,s:b}", "point", s->point, "source", place(job, &p->source, s->source), "target",
                     place(job, &p->target, s->target), "predicted", place(job, &p->target, s->predicted), "correct",
                     (double)s->error < s->limits[0]);
}

/* Points come in ascending order; a map of a geometry-aware one stays. */
static void on_seen(void *arg, const struct c_seen *s)
{
    struct album *a = arg;
    size_t i = 0;
    while (a->job->pairs[i] != s->pair)
        i++;
    json_t **entry = &a->entries[s->subset * a->job->n_pairs + i];
    if (!*entry)
        *entry = describe_pair(a->job, s);
    json_array_append_new(json_object_get(*entry, "points"), describe_point(a->job, s));
    bool first = !json_object_get(*entry, "map");
    if (first || (s->geo && !json_object_get(*entry, "geo"))) {
        json_object_set_new(*entry, "map", describe_map(a->job, s));
        if (s->geo)
            json_object_set_new(*entry, "geo", json_true());
    }
}

/* Takes the entries of one representation. */
static json_t *describe_album(const struct c_job *job, const struct c_scores *s, size_t subset, json_t **entries)
{
    json_t *pairs = json_array();
    bool whole = pairs;
    for (size_t i = 0; i < job->n_pairs; i++) {
        json_object_del(entries[i], "geo"); /* only there to remember by */
        whole &= json_array_append_new(pairs, TAKE(entries[i])) == 0;
    }
    json_t *album =
        json_pack("{s:s,s:o,s:f,s:i,s:O}", "format", "acsweep pictures 1", "members", c_score_members(job, subset),
                  "alpha", job->setting.alphas[0], "grid", c_scores_grid(s, subset), "pairs", pairs);
    json_decref(pairs);
    if (whole && album)
        return album;
    json_decref(album);
    return NULL;
}

static json_t *describe_albums(const struct c_job *job, const struct c_scores *s, json_t **entries, struct err *e)
{
    AUTO(json_decref) json_t *list = json_array();
    for (size_t k = 0; k < job->n_subsets; k++)
        if (json_array_append_new(list, describe_album(job, s, k, entries + k * job->n_pairs)) < 0)
            return FAIL_NULL(e, ERR_NOMEM, "out of memory, or a name is not UTF-8");
    return TAKE(list);
}

json_t *c_album(const struct c_job *job, const size_t *pairs, size_t n, struct err *e)
{
    struct c_job own = *job;
    AUTO(free) json_t **entries = calloc(n * job->n_subsets + 1, sizeof *entries);
    if (!entries)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    own.pairs = pairs;
    own.n_pairs = n;
    own.threads = 1;
    own.progress = NULL;
    own.seen = on_seen;
    own.seen_arg = &(struct album){ &own, entries };
    AUTO(c_scores_destroy) struct c_scores *s = c_run(&own, e);
    json_t *list = s ? describe_albums(&own, s, entries, e) : NULL;
    for (size_t i = 0; i < n * job->n_subsets; i++)
        json_decref(entries[i]);
    return list;
}

/* ---- thumbnails -------------------------------------------------------------------------------------------------- */

static int shrink(const struct image *in, uint32_t edge, struct image *out, struct err *e)
{
    uint32_t longer = in->width > in->height ? in->width : in->height;
    double scale = longer > edge ? (double)edge / longer : 1;
    return resize_image(in, (uint32_t)fmax(1, round(in->width * scale)), (uint32_t)fmax(1, round(in->height * scale)),
                        RESAMPLE_BICUBIC, out, e);
}

/* As good as the bytes allow. */
static int encode(const struct image *whole, struct buf *jpeg, struct err *e)
{
    for (uint32_t edge = THUMBNAIL_EDGE; edge >= THUMBNAIL_EDGE_MIN; edge /= 2) {
        AUTO(image_free) struct image small = { 0 };
        TRY(shrink(whole, edge, &small, e));
        for (int quality = 80; quality >= 40; quality -= 20) {
            buf_clear(jpeg);
            TRY(jpeg_encode(&small, quality, jpeg, e));
            if (jpeg->len <= THUMBNAIL_BYTES)
                return 0;
        }
    }
    return FAIL(e, ERR_BUG, "a thumbnail of %d pixels does not fit", THUMBNAIL_EDGE_MIN);
}

static bool has_image(const json_t *images, const char *path)
{
    size_t i;
    json_t *o;
    json_array_foreach(images, i, o)
    {
        if (strcmp(json_string_value(json_object_get(o, "image")), path) == 0)
            return true;
    }
    return false;
}

static int add_thumbnail(json_t *images, const char *root, const struct spair_image *of, struct err *e)
{
    char path[4096];
    AUTO(image_free) struct image whole = { 0 };
    AUTO(buf_free) struct buf jpeg = BUF_INIT(1 << 20);
    if (has_image(images, of->path))
        return 0;
    if (snprintf(path, sizeof path, "%s/%s", root, of->path) >= (int)sizeof path)
        return FAIL(e, ERR_INPUT, "the path of the pictures is too long: %.80s...", root);
    TRY(image_load(path, NULL, &whole, e));
    TRY(encode(&whole, &jpeg, e));
    json_t *o = json_pack("{s:s,s:o}", "image", of->path, "jpeg", text_of_bytes(jpeg.data, jpeg.len));
    return json_array_append_new(images, o) < 0 ? FAIL_NOMEM(e) : 0;
}

json_t *c_album_thumbnails(const struct spair *set, const char *root, const size_t *pairs, size_t n, struct err *e)
{
    AUTO(json_decref) json_t *o = json_pack("{s:s,s:[]}", "format", "acsweep thumbnails 1", "images");
    json_t *images = json_object_get(o, "images");
    if (!images)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (add_thumbnail(images, root, set->pairs[pairs[i]].source.image, e) < 0 ||
            add_thumbnail(images, root, set->pairs[pairs[i]].target.image, e) < 0)
            return NULL;
    return TAKE(o);
}

json_t *c_album_of(const struct c_options *o, const char *const *pairs, size_t n, struct err *e)
{
    size_t places[C_ALBUM_PAIRS_MAX];
    if (n > C_ALBUM_PAIRS_MAX)
        return FAIL_NULL(e, ERR_INPUT, "%zu pairs; %d are the most", n, C_ALBUM_PAIRS_MAX);
    AUTO(c_inputs_close) struct c_inputs *in = c_inputs_open(o, e);
    if (!in || (pairs && c_find_pairs(in->set, pairs, n, places, e) < 0))
        return NULL;
    if (!pairs)
        n = c_album_choose(in->set, n, places);
    AUTO(json_decref) json_t *albums = c_album(&in->job, places, n, e);
    AUTO(json_decref) json_t *thumbnails = albums ? c_album_thumbnails(in->set, o->pairs, places, n, e) : NULL;
    return thumbnails ? json_pack("{s:O,s:O}", "albums", albums, "thumbnails", thumbnails) : NULL;
}
