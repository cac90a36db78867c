#include "worker/train/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "worker/layout.h"

#define KEEP 2
#define NAME "step-%010" PRId64
#define NAME_LENGTH 15

static int join_path(char out[CHECKPOINT_PATH], const char *dir, const char *name, struct err *e)
{
    if (snprintf(out, CHECKPOINT_PATH, "%s/%s", dir, name) >= CHECKPOINT_PATH)
        return FAIL(e, ERR_INPUT, "%.100s...: the path is too long", dir);
    return 0;
}

static int sync_path(const char *path, struct err *e)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot make it durable: %s", path, strerror(errno));
    return 0;
}

/* ---- which there are ------------------------------------------------------------------------------------------------
 */

/* The step that a directory is named after, -1 for other names. */
static int64_t step_of(const char *name)
{
    int64_t step;
    char again[40];
    if (strlen(name) != NAME_LENGTH || sscanf(name, "step-%10" SCNd64, &step) != 1 || step < 0)
        return -1;
    snprintf(again, sizeof again, NAME, step);
    return strcmp(again, name) == 0 ? step : -1;
}

/* *found: the greatest step below `below`, or -1 when there is none. */
static int step_before(const char *root, int64_t below, int64_t *found, struct err *e)
{
    DIR *d = opendir(root);
    *found = -1;
    if (!d)
        return errno == ENOENT ? 0 : FAIL(e, ERR_ENV, "%s: %s", root, strerror(errno));
    for (struct dirent *entry; (entry = readdir(d));) {
        int64_t step = step_of(entry->d_name);
        if (step > *found && step < below)
            *found = step;
    }
    closedir(d);
    return 0;
}

static int path_of(char out[CHECKPOINT_PATH], const char *root, int64_t step, struct err *e)
{
    char name[40];
    snprintf(name, sizeof name, NAME, step);
    return join_path(out, root, name, e);
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */

int checkpoint_begin(const char *root, char dir[CHECKPOINT_PATH], struct err *e)
{
    TRY(join_path(dir, root, "new", e));
    remove_tree(dir);
    return make_dirs(dir, e);
}

static int list_file(const char *dir, const char *name, json_t *files, struct err *e)
{
    char path[CHECKPOINT_PATH], hex[DIGEST_HEX_SIZE];
    uint64_t bytes;
    TRY(join_path(path, dir, name, e));
    TRY(sync_path(path, e));
    TRY(digest_file(path, hex, &bytes, e));
    if (json_object_set_new(files, name, json_pack("{s:I, s:s}", "bytes", (json_int_t)bytes, "sha256", hex)) < 0)
        return FAIL_NOMEM(e);
    return 0;
}

static int list_files(const char *dir, json_t *files, struct err *e)
{
    DIR *d = opendir(dir);
    int rc = d ? 0 : FAIL(e, ERR_ENV, "%s: %s", dir, strerror(errno));
    for (struct dirent *entry; rc == 0 && (entry = readdir(d));)
        if (entry->d_name[0] != '.')
            rc = list_file(dir, entry->d_name, files, e);
    if (d)
        closedir(d);
    return rc;
}

static int write_state(const char *dir, json_t *state, struct err *e)
{
    char path[CHECKPOINT_PATH];
    TRY(join_path(path, dir, "state.json", e));
    if (json_dump_file(state, path, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_REAL_PRECISION(17)) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
    TRY(sync_path(path, e));
    return sync_path(dir, e);
}

/* Older ones than the last two; and newer ones, which were broken, or this one would not have been written. */
static int drop_others(const char *root, int64_t step, struct err *e)
{
    char path[CHECKPOINT_PATH];
    int kept = 0;
    for (int64_t at = INT64_MAX;;) {
        TRY(step_before(root, at, &at, e));
        if (at < 0)
            return 0;
        if (at <= step && kept++ < KEEP)
            continue;
        TRY(path_of(path, root, at, e));
        remove_tree(path);
    }
}

int checkpoint_commit(const char *root, int64_t step, json_t *state, struct err *e)
{
    char draft[CHECKPOINT_PATH], path[CHECKPOINT_PATH];
    json_t *files = json_object();
    TRY(join_path(draft, root, "new", e));
    TRY(path_of(path, root, step, e));
    if (json_object_set_new(state, "files", files) < 0 || json_object_set_new(state, "step", json_integer(step)) < 0)
        return FAIL_NOMEM(e);
    TRY(list_files(draft, files, e));
    TRY(write_state(draft, state, e));
    remove_tree(path); /* one that was found broken */
    if (rename(draft, path) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot rename it to %s: %s", draft, path, strerror(errno));
    TRY(sync_path(root, e));
    return drop_others(root, step, e);
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

static int check_file(const char *dir, const char *name, json_t *entry, struct err *e)
{
    char path[CHECKPOINT_PATH], hex[DIGEST_HEX_SIZE];
    uint64_t bytes;
    const char *want = json_string_value(json_object_get(entry, "sha256"));
    if (strchr(name, '/') || !want)
        return FAIL(e, ERR_INPUT, "%s/state.json: the entry '%.60s' is no file with a digest", dir, name);
    TRY(join_path(path, dir, name, e));
    TRY(digest_file(path, hex, &bytes, e));
    if (strcmp(hex, want) != 0)
        return FAIL(e, ERR_INPUT, "%s: its content is not what was written", path);
    return 0;
}

static int check_whole(const char *dir, int64_t step, json_t **state, struct err *e)
{
    char path[CHECKPOINT_PATH];
    json_error_t bad;
    const char *name;
    json_t *entry;
    TRY(join_path(path, dir, "state.json", e));
    AUTO(json_decref) json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &bad);
    json_t *files = json_object_get(j, "files");
    if (!json_is_object(files))
        return FAIL(e, ERR_INPUT, "%s: %s", path, j ? "there is no list of files in it" : bad.text);
    if (json_integer_value(json_object_get(j, "step")) != step)
        return FAIL(e, ERR_INPUT, "%s is of another step than its directory's name", path);
    json_object_foreach(files, name, entry)
        TRY(check_file(dir, name, entry, e));
    *state = json_incref(j);
    return 0;
}

int checkpoint_at(const char *root, int64_t step, char dir[CHECKPOINT_PATH], struct err *e)
{
    return path_of(dir, root, step, e);
}

int checkpoint_find(const char *root, char dir[CHECKPOINT_PATH], json_t **state, struct err *e)
{
    for (int64_t step = INT64_MAX;;) {
        struct err why = { 0 };
        TRY(step_before(root, step, &step, e));
        if (step < 0)
            return 0;
        TRY(path_of(dir, root, step, e));
        if (check_whole(dir, step, state, &why) == 0)
            return 1;
        log_warn("train.checkpoint_broken", KV_STR("checkpoint", dir), KV_ERR(&why));
    }
}
