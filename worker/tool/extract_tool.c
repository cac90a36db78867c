#include "worker/tool/extract_tool.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/mono.h"
#include "worker/tool/extract_job.h"
#include "worker/tool/interrupt.h"
#include "worker/tool/members.h"
#include "worker/torch/weights.h"

#define SHOW_EVERY (200 * NS_PER_MS)

/* ---- while it computes ----------------------------------------------------------------------------------------------
 */

static double seconds_of(const struct extract_job *j)
{
    return !j->began ? 0 : (double)((j->ended ? j->ended : mono_now()) - j->began) / (double)NS_PER_S;
}

static void show(struct extract_job *j)
{
    if (!isatty(STDERR_FILENO) || (mono_now() - j->shown < SHOW_EVERY && j->kept + j->computed < j->total))
        return;
    j->shown = mono_now();
    fprintf(stderr, "\r%zu of %zu pictures, %.1f a second\033[K", j->kept + j->computed, j->total,
            (double)j->computed / seconds_of(j));
    fflush(stderr);
}

int extract_tick(struct extract_job *j, struct err *e)
{
    j->computed++;
    show(j);
    return tool_interrupted(e);
}

int extract_compute(struct extract_job *j, const struct image_set *set, extract_take_fn *take, void *arg, struct err *e)
{
    j->began = mono_now();
    int rc = tool_interrupted(e) < 0 ? -1 : extractor_run(j->x, set, 0, image_set_count(set), take, arg, e);
    j->ended = mono_now();
    if (j->shown)
        fputs("\r\033[K", stderr);
    return rc;
}

int extract_check_room(const char *dir, uint64_t bytes, struct err *e)
{
    struct statvfs v;
    if (statvfs(dir, &v) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", dir, strerror(errno));
    uint64_t room = (uint64_t)v.f_bavail * v.f_frsize;
    if (room < bytes)
        return FAIL(e, ERR_ENV, "%s: the features take %.1f MiB, but only %.1f MiB are free there", dir,
                    (double)bytes / (1 << 20), (double)room / (1 << 20));
    return 0;
}

int extract_write_settings(const struct extract_job *j, struct st_writer *w, struct err *e)
{
    const char *key;
    json_t *value;
    json_object_foreach(j->settings, key, value)
    {
        TRY(st_writer_metadata(w, key, json_string_value(value), e));
    }
    return 0;
}

/* ---- options --------------------------------------------------------------------------------------------------------
 */

static int check_combination(const struct opts *o, struct err *e)
{
    bool files = opts_given(o, "image") || opts_n_args(o) > 0, spair = opts_given(o, "spair");
    if (files && spair)
        return FAIL(e, ERR_USAGE, "--spair has its own pictures; give either it or --image");
    if (!files && !spair)
        return FAIL(e, ERR_USAGE, "no picture: give --image FILE... or --spair ROOT");
    if (spair && opts_flag(o, "all-tokens"))
        return FAIL(e, ERR_USAGE, "--all-tokens is for --image: with --spair a tensor is a grid of P x P tokens");
    if (!spair && (opts_flag(o, "force") || opts_given(o, "split")))
        return FAIL(e, ERR_USAGE, "%s is for --spair", opts_flag(o, "force") ? "--force" : "--split");
    return 0;
}

static const char *geometry_of(const struct opts *o)
{
    const char *name = opts_text(o, "geometry");
    return name ? name : opts_given(o, "spair") ? "letterbox" : "own";
}

static int check_encoder(const char *dir, struct err *e)
{
    struct stat st;
    bool there = stat(dir, &st) == 0;
    if (there && S_ISDIR(st.st_mode))
        return 0;
    return FAIL(e, ERR_INPUT, "%s: %s; name a directory with config.json and model.safetensors in it", dir,
                there ? "not a directory" : strerror(errno));
}

static int read_options(const struct opts *o, struct extract_options *x, struct err *e)
{
    *x = EXTRACT_DEFAULTS;
    x->checkpoint = opts_text(o, "encoder");
    TRY(check_encoder(x->checkpoint, e));
    x->layer = (int)opts_int(o, "layer");
    x->final_norm = opts_flag(o, "final-norm");
    x->all_tokens = opts_flag(o, "all-tokens");
    x->resolution = (uint32_t)opts_int(o, "resolution");
    x->dtype = tool_dtype(o, "dtype");
    x->compute = tool_dtype(o, "compute");
    x->batch = (int)opts_int(o, "batch");
    x->threads = (unsigned)tool_processors(o);
    x->images.exif_rotate = opts_flag(o, "exif");
    TRY(tool_device(o, &x->device, e));
    TRY(vit_positions_parse(opts_text(o, "positions"), &x->positions, e));
    return extract_geometry_parse(geometry_of(o), &x->geometry, e);
}

/* ---- what decides the numbers ---------------------------------------------------------------------------------------
 */

static int add_file(const char *path, struct buf *list, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    uint64_t bytes;
    TRY(tool_interrupted(e));
    TRY(digest_file(path, hex, &bytes, e));
    buf_printf(list, "%s\n", hex);
    return 0;
}

/* Of all that is read from the directory: two checkpoints are the same when their bytes are. */
static int checkpoint_digest(const char *dir, char hex[DIGEST_HEX_SIZE], struct err *e)
{
    static const char *const texts[] = { "config.json", "preprocessor_config.json" };
    AUTO(buf_free) struct buf list = BUF_INIT(1 << 20);
    AUTO(weights_destroy) struct weights *w = weights_open(dir, e);
    if (!w)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, texts[i]);
        TRY(add_file(path, &list, e));
    }
    AUTO(json_decref) json_t *seen = json_object();
    const struct st_tensor *t;
    for (size_t i = 0; (t = weights_at(w, i)); i++) {
        const char *path = safetensors_path(weights_file(w, t));
        if (json_object_get(seen, path))
            continue;
        if (json_object_set_new(seen, path, json_true()) < 0)
            return FAIL(e, ERR_INPUT, "%s: the path is not UTF-8 text", path);
        TRY(add_file(path, &list, e));
    }
    TRY(buf_check(&list, "the list of the checkpoint's files", e));
    digest_bytes(list.data, list.len, hex);
    return 0;
}

static json_t *number_text(int64_t n)
{
    return json_sprintf("%lld", (long long)n);
}

static const char *yes_no(bool yes)
{
    return yes ? "true" : "false";
}

static int read_settings(struct extract_job *j, const struct extract_options *x, struct err *e)
{
    char digest[DIGEST_HEX_SIZE];
    TRY(checkpoint_digest(x->checkpoint, digest, e));
    j->settings = json_pack("{s:s, s:o, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o}", "checkpoint", digest, "layer",
                            number_text(x->layer), "final_norm", yes_no(x->final_norm), "all_tokens",
                            yes_no(x->all_tokens), "geometry", geometry_of(j->o), "resolution",
                            x->resolution ? number_text(x->resolution) : json_string("own"), "positions",
                            vit_positions_name(x->positions), "exif", yes_no(x->images.exif_rotate), "compute",
                            th_dtype_name(x->compute), "grid", number_text(extractor_shape(j->x).grid));
    return j->settings ? 0 : FAIL_NOMEM(e);
}

/* ---- the end --------------------------------------------------------------------------------------------------------
 */

static int print_summary(const struct extract_job *j, struct err *e)
{
    struct extract_shape s = extractor_shape(j->x);
    double seconds = seconds_of(j), rate = j->computed ? (double)j->computed / seconds : 0;
    if (!opts_flag(j->o, "json")) {
        printf("%s: %zu pictures, %lld tokens of %lld channels each (grid %lld x %lld); %zu computed in %.2f s, %.2f a "
               "second\n",
               j->out, j->total, (long long)s.tokens, (long long)s.channels, (long long)s.grid, (long long)s.grid,
               j->computed, seconds, rate);
        return 0;
    }
    AUTO(json_decref)
    json_t *summary =
        json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I}", "images", (json_int_t)j->total, "tokens",
                  (json_int_t)s.tokens, "channels", (json_int_t)s.channels, "grid", (json_int_t)s.grid, "seconds",
                  seconds, "images_per_second", rate, "computed", (json_int_t)j->computed, "kept", (json_int_t)j->kept);
    if (!summary)
        return FAIL_NOMEM(e);
    if (json_dumpf(summary, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF)
        return FAIL(e, ERR_ENV, "cannot write to standard output: %s", strerror(errno));
    return 0;
}

static int run(struct extract_job *j, const struct extract_options *x, struct err *e)
{
    j->x = extractor_open(x, e);
    if (!j->x)
        return -1;
    TRY(read_settings(j, x, e));
    TRY(opts_given(j->o, "spair") ? extract_to_directory(j, e) : extract_to_file(j, e));
    return print_summary(j, e);
}

int tool_extract(const struct opts *o, struct err *e)
{
    struct extract_options x;
    struct extract_job j = { .o = o, .out = opts_text(o, "out") };
    TRY(check_combination(o, e));
    TRY(read_options(o, &x, e));
    TRY(tool_begin(o, "extract", x.device, e));
    tool_catch_signals();
    int rc = run(&j, &x, e);
    json_decref(j.settings);
    extractor_close(j.x);
    return rc;
}
