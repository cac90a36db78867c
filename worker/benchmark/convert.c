#include "worker/benchmark/convert.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/benchmark/convert_map.h"
#include "worker/benchmark/records.h"
#include "worker/data/image_set.h"

static void conversion_free_cleanup(struct conversion *c)
{
    convert_pictures_free(&c->pictures);
    json_decref(c->answers);
    map_free(&c->seen);
    arena_free(&c->arena);
}

/* ---- annotations ----------------------------------------------------------------------------------------------------
 */

static int load_annotations(struct conversion *c, struct err *e)
{
    AUTO(records_close) struct records *r = records_open(c->o->annotations, e);
    json_t *one;
    int rc;
    if (!r)
        return -1;
    if (!(c->answers = json_object()))
        return FAIL_NOMEM(e);
    while ((rc = records_next(r, &one, e)) > 0) {
        char buf[32];
        const char *id = record_text(one, (const char *const[]){ "question_id", NULL }, buf);
        if (!id) {
            json_decref(one);
            return FAIL(e, ERR_INPUT, "%s: field 'question_id': is missing", records_place(r));
        }
        if (json_object_set_new(c->answers, id, one) < 0)
            return FAIL_NOMEM(e);
    }
    return rc;
}

/* ---- the result -----------------------------------------------------------------------------------------------------
 */

struct output {
    FILE *f;
    char path[PATH_MAX + 32]; /* temporary; empty once it has its name */
};

static void output_drop_cleanup(struct output *out)
{
    if (out->f)
        fclose(out->f);
    if (out->path[0])
        unlink(out->path);
}

static int output_open(struct output *out, const char *path, struct err *e)
{
    snprintf(out->path, sizeof out->path, "%s.tmp%ld", path, (long)getpid());
    out->f = fopen(out->path, "we");
    if (out->f)
        return 0;
    out->path[0] = '\0';
    return FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
}

static int output_line(struct output *out, const json_t *question, struct err *e)
{
    int rc = json_dumpf(question, out->f, JSON_COMPACT | JSON_SORT_KEYS);
    return rc < 0 || fputc('\n', out->f) == EOF ? FAIL(e, ERR_ENV, "cannot write: %s", strerror(errno)) : 0;
}

/* What was written is read as every reader will; then it gets its name. */
static int output_commit(struct output *out, const char *path, struct err *e)
{
    bool failed = fflush(out->f) != 0 || fsync(fileno(out->f)) < 0;
    failed |= fclose(TAKE(out->f)) != 0;
    if (failed)
        return FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
    AUTO(question_set_destroy) struct question_set *s = question_set_load(out->path, e);
    if (!s)
        return err_wrap(e, "%s would not be in order", path);
    if (rename(out->path, path) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
    out->path[0] = '\0';
    return 0;
}

/* ---- from one to the other ------------------------------------------------------------------------------------------
 */

static int convert_one(struct conversion *c, const json_t *record, struct output *out, struct convert_counts *counts,
                       struct err *e)
{
    AUTO(json_decref) json_t *question = json_object();
    if (!question)
        return FAIL_NOMEM(e);
    TRY(convert_record(c, record, question, e));
    bool kept = json_object_size(question) > 0;
    counts->questions += kept;
    counts->left_out += !kept;
    return kept ? output_line(out, question, e) : 0;
}

static int convert_all(struct conversion *c, struct records *r, struct output *out, struct convert_counts *counts,
                       struct err *e)
{
    json_t *record;
    int rc;
    while ((rc = records_next(r, &record, e)) > 0) {
        rc = convert_one(c, record, out, counts, e);
        json_decref(record);
        if (rc < 0)
            return err_wrap(e, "%s", records_place(r));
    }
    return rc;
}

int convert_benchmark(const struct convert_options *o, struct convert_counts *counts, struct err *e)
{
    AUTO(conversion_free) struct conversion c = { .o = o };
    AUTO(output_drop) struct output out = { 0 };
    char below[PATH_MAX], beside[PATH_MAX];
    *counts = (struct convert_counts){ 0 };
    if (image_set_clean_path(o->images ? o->images : "images", below, sizeof below, e) < 0)
        return err_wrap(e, "--images");
    if (snprintf(beside, sizeof beside, "%s", o->out) >= (int)sizeof beside)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", o->out);
    c.pictures.below = below;
    c.pictures.beside = dirname(beside);
    if (o->annotations)
        TRY(load_annotations(&c, e));
    AUTO(records_close) struct records *r = records_open(o->from, e);
    if (!r)
        return -1;
    TRY(output_open(&out, o->out, e));
    TRY(convert_all(&c, r, &out, counts, e));
    counts->pictures = c.pictures.written;
    if (counts->questions == 0)
        return FAIL(e, ERR_INPUT, "%s: no question there%s", o->from,
                    counts->left_out ? "; all are left out, is --split right?" : "");
    return output_commit(&out, o->out, e);
}
