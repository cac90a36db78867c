/* extract, native: features of one encoder on one shard of an image set, as one safetensors file with a tensor for each
 * picture, and a manifest.
 *
 *     identity   {"encoder": {"options": {...}, "resolution": N, ...}, "images": {"first", "count"}, "geometry",
 *                 "pixels", "layer", "dtype"}
 *     execution  {"names": {"checkpoint", "image_set"}}
 *     artifacts  features (features.safetensors), manifest (manifest.json)
 *
 * Geometry "own" is the checkpoint's own processor, as training has it; the others are those of the C score.
 *
 * Computing is in f32 on every device, and rounded to dtype at the end. Parts that an interrupted attempt finished are
 * kept beside the artifacts until the task succeeds; the next attempt goes on after them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "worker/exec/artifact.h"
#include "worker/exec/native.h"
#include "worker/exec/native_kept.h"
#include "worker/extract/feature_file.h"
#include "worker/extract/open_set.h"
#include "worker/layout.h"

struct extract_call {
    struct extract_options o;
    const char *checkpoint_name, *geometry, *pixels;
    int64_t first, count;
};

static int read_geometry(const struct exec_task *t, struct extract_call *c, struct err *e)
{
    static const struct {
        const char *geometry, *pixels;
        enum extract_geometry is;
    } known[] = {
        { "own", "own", EXTRACT_OWN },
        { "letterbox", "own", EXTRACT_LETTERBOX },
        { "stretch", "own", EXTRACT_STRETCH_BOTH },
        { "stretch", "half", EXTRACT_STRETCH_MISMATCH },
    };
    TRY(native_text(t->identity, "geometry", NULL, &c->geometry, e));
    TRY(native_text(t->identity, "pixels", "own", &c->pixels, e));
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].geometry, c->geometry) == 0 && strcmp(known[i].pixels, c->pixels) == 0) {
            c->o.geometry = known[i].is;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "no geometry '%.40s' with pixels '%.40s'", c->geometry, c->pixels);
}

static int read_call(const struct exec_task *t, struct extract_call *c, struct err *e)
{
    int64_t layer, resolution;
    const char *positions;
    *c = (struct extract_call){ .o = EXTRACT_DEFAULTS };
    TRY(native_int(t->identity, "layer", NULL, &layer, e)); /* of encoders that name none */
    TRY(native_int(t->identity, "encoder.options.layer", &layer, &layer, e));
    TRY(native_int(t->identity, "encoder.resolution", NULL, &resolution, e));
    TRY(native_text(t->identity, "encoder.options.position_interpolation", "own", &positions, e));
    TRY(native_int(t->identity, "images.first", NULL, &c->first, e));
    TRY(native_int(t->identity, "images.count", NULL, &c->count, e));
    TRY(vit_positions_parse(positions, &c->o.positions, e));
    TRY(read_geometry(t, c, e));
    TRY(native_dtype(t->identity, "dtype", &c->o.dtype, e));
    c->o.layer = (int)layer;
    c->o.resolution = (uint32_t)resolution;
    return native_text(t->execution, "names.checkpoint", NULL, &c->checkpoint_name, e);
}

static int check(const struct exec_task *t, struct err *e)
{
    struct extract_call c;
    return read_call(t, &c, e);
}

/* ---- the model stays loaded
 * ------------------------------------------------------------------------------------------ */

static void destroy(void *extractor)
{
    extractor_close(extractor);
}

/* The extractor of these options, kept from the last task or opened. */
static const struct extractor *get_extractor(const struct extract_options *o, struct err *e)
{
    AUTO(free) char *key = NULL;
    if (asprintf(&key, "extract %d %u %d %d %d %d:%d %u %s", o->geometry, o->resolution, o->layer, o->positions, o->dtype,
                 o->device.type, o->device.index, o->threads, o->checkpoint) < 0)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    struct extractor *x = native_kept(key);
    if (x)
        return x;
    x = extractor_open(o, e);
    return !x || native_keep(key, x, destroy, e) < 0 ? NULL : x;
}

/* ---- the run
 * --------------------------------------------------------------------------------------------------------- */

static int choose_range(const struct extract_call *c, const struct image_set *set, const char *path, size_t *first,
                        size_t *count, struct err *e)
{
    size_t n = image_set_count(set);
    *first = (size_t)c->first;
    *count = c->count ? (size_t)c->count : n;
    if (c->first < 0 || c->count < 0 || *first > n || *count > n - *first)
        return FAIL(e, ERR_INPUT, "%s has %zu pictures, but sweep.cfg states at least %lld: correct image_sets.images",
                    path, n, (long long)(c->first + c->count));
    return 0;
}

static int report(void *arg, size_t done, size_t n, struct err *e)
{
    return native_progress(arg, "pictures", done, n, e);
}

static int write_manifest(const struct exec_task *t, const char *path, const struct image_set *set, size_t first,
                          size_t count, const struct extract_shape *s, struct err *e)
{
    AUTO(json_decref)
    json_t *m = json_pack("{s:O, s:I, s:I, s:I, s:s, s:s}", "identity", t->identity, "tokens", (json_int_t)s->tokens,
                          "channels", (json_int_t)s->channels, "grid", (json_int_t)s->grid, "image_list_digest",
                          image_set_digest(set), "features", "features.safetensors");
    json_t *images = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(images, json_string(image_set_path(set, first + i)));
    if (!m || json_object_set_new(m, "images", images) < 0)
        return FAIL_NOMEM(e);
    if (json_dump_file(m, path, JSON_INDENT(1) | JSON_SORT_KEYS) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
    return 0;
}

static int fill_artifacts(const struct exec_task *t, const struct feature_job *job, const struct artifact_dir *dir,
                          size_t *computed, struct err *e)
{
    char manifest[4200], features[4200];
    struct extract_shape shape = extractor_shape(job->x);
    struct feature_job j = *job;
    snprintf(features, sizeof features, "%s/features.safetensors", artifact_path(dir));
    snprintf(manifest, sizeof manifest, "%s/manifest.json", artifact_path(dir));
    j.out = features;
    TRY(feature_file_write(&j, computed, e));
    return write_manifest(t, manifest, job->set, job->first, job->count, &shape, e);
}

static int run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    struct extract_call c;
    TRY(read_call(t, &c, e));
    TRY(native_device(t, &c.o.device, e));
    c.o.threads = (unsigned)th_threads();
    const char *set_path = native_path(t, "image_set", e);
    if (!set_path || !(c.o.checkpoint = native_path(t, "checkpoint", e)))
        return -1;
    const struct extractor *x = get_extractor(&c.o, e);
    AUTO(image_set_destroy) struct image_set *set = x ? open_image_set(set_path, e) : NULL;
    if (!set)
        return -1;
    AUTO(free) char *root = layout_artifacts(t->store, t->scratch), *parts = NULL;
    if (!root || asprintf(&parts, "%s/parts/%s", root, t->spec->identity) < 0)
        return FAIL_NOMEM(e);
    const char *const metadata[][2] = { { "identity", t->spec->identity },
                                        { "list", image_set_digest(set) },
                                        { NULL, NULL } };
    struct feature_job job = {
        .x = x, .set = set, .parts = parts, .metadata = metadata, .progress = report, .arg = (void *)t
    };
    TRY(choose_range(&c, set, set_path, &job.first, &job.count, e));
    TRY(make_dirs(parts, e));
    AUTO(artifact_end) struct artifact_dir *dir = artifact_begin(t, e);
    size_t computed = 0;
    if (!dir || fill_artifacts(t, &job, dir, &computed, e) < 0)
        return -1;
    TRY(artifact_add(dir, "features", "features.safetensors", r, e));
    TRY(artifact_add(dir, "manifest", "manifest.json", r, e));
    TRY(exec_result_metric(r, "images", (double)job.count, e));
    TRY(exec_result_metric(r, "images_computed", (double)computed, e));
    TRY(artifact_publish(dir, r, e));
    remove_tree(parts);
    r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    return 0;
}

const struct native_kind native_extract = { "extract", check, run, NULL };
