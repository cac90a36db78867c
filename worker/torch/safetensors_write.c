/* Writing: the layout is known once all tensors are declared, so elements go straight to their place in the file. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/arena.h"
#include "common/map.h"
#include "common/utf8.h"
#include "worker/torch/safetensors.h"

#define DATA_ALIGNMENT 64

struct entry {
    const char *name;
    enum th_dtype type;
    int rank;
    int64_t dims[ST_MAX_RANK];
    size_t begin, bytes;
    bool put;
    struct entry *next;
};

struct st_writer {
    char *path, temp[PATH_MAX];
    int fd; /* -1: not open any more */
    json_t *metadata;
    struct entry *first, **sorted; /* sorted once laid out */
    size_t n, data;                /* data: where the elements start; 0: not laid out */
    struct map by_name;
    struct arena arena;
};

static int fail_io(const struct st_writer *w, const char *what, struct err *e)
{
    return FAIL(e, ERR_ENV, "%s: cannot %s: %s", w->path, what, strerror(errno));
}

/* Aside of the file, under a name that no other writer has, on this machine or on another that sees the directory. */
static int open_aside(struct st_writer *w, struct err *e)
{
    uint64_t random;
    struct stat st;
    if (stat(w->path, &st) == 0 && S_ISDIR(st.st_mode))
        return FAIL(e, ERR_INPUT, "%s: it is a directory; name a file", w->path);
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return fail_io(w, "make a name beside it", e);
    if (snprintf(w->temp, sizeof w->temp, "%s.tmp%016llx", w->path, (unsigned long long)random) >=
        (int)sizeof w->temp)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", w->path);
    w->fd = open(w->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return w->fd < 0 ? fail_io(w, "create", e) : 0;
}

struct st_writer *st_writer_create(const char *path, struct err *e)
{
    AUTO(st_writer_destroy) struct st_writer *w = calloc(1, sizeof *w);
    if (!w)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    w->fd = -1;
    w->path = strdup(path);
    w->metadata = json_object();
    if (!w->path || !w->metadata)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (open_aside(w, e) < 0)
        return NULL;
    return TAKE(w);
}

void st_writer_destroy(struct st_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0) {
        close(w->fd);
        unlink(w->temp);
    }
    json_decref(w->metadata);
    map_free(&w->by_name);
    arena_free(&w->arena);
    free(w->path);
    free(w);
}

/* ---- what will be in it ---------------------------------------------------------------------------------------------
 */

int st_writer_metadata(struct st_writer *w, const char *key, const char *value, struct err *e)
{
    if (w->data)
        return FAIL(e, ERR_BUG, "%s: metadata after the first put", w->path);
    if (json_object_set_new(w->metadata, key, json_string(value)) < 0)
        return FAIL(e, ERR_INPUT, "%s: metadata '%.80s' is not UTF-8 text", w->path, key);
    return 0;
}

static int set_shape(struct entry *t, const int64_t *dims, int rank, struct err *e)
{
    if (rank < 0 || rank > ST_MAX_RANK)
        return FAIL(e, ERR_BUG, "%d dimensions", rank);
    t->rank = rank;
    t->bytes = th_dtype_size(t->type);
    for (int i = 0; i < rank; i++) {
        t->dims[i] = dims[i];
        if (dims[i] < 0 || __builtin_mul_overflow(t->bytes, (size_t)dims[i], &t->bytes) || t->bytes > INT64_MAX)
            return FAIL(e, ERR_BUG, "size %d of its shape is %lld", i, (long long)dims[i]);
    }
    return 0;
}

/* Names may be a user's: those of pictures. */
static int check_name(const struct st_writer *w, const char *name, struct err *e)
{
    if (!utf8_is_valid(name))
        return FAIL(e, ERR_INPUT, "%s: a safetensors file cannot name '%s', which is not UTF-8; rename it", w->path,
                    name);
    if (strcmp(name, "__metadata__") == 0)
        return FAIL(e, ERR_INPUT, "%s: in a safetensors file the name '%s' means something else; rename it", w->path,
                    name);
    if (!name[0] || map_get(&w->by_name, name, strlen(name)))
        return FAIL(e, ERR_BUG, "%s: the name '%s' is empty or declared twice", w->path, name);
    return 0;
}

int st_writer_declare(struct st_writer *w, const char *name, enum th_dtype t, const int64_t *dims, int rank,
                      struct err *e)
{
    if (w->data)
        return FAIL(e, ERR_BUG, "%s: '%s' declared after the first put", w->path, name);
    TRY(check_name(w, name, e));
    if (!th_dtype_size(t))
        return FAIL(e, ERR_BUG, "%s: '%s' has no dtype", w->path, name);
    struct entry *entry = arena_alloc(&w->arena, sizeof *entry);
    if (!entry || !(entry->name = arena_text(&w->arena, name)))
        return FAIL_NOMEM(e);
    entry->type = t;
    if (set_shape(entry, dims, rank, e) < 0)
        return err_wrap(e, "%s: '%s'", w->path, name);
    TRY(map_put(&w->by_name, entry->name, strlen(entry->name), entry, e));
    entry->next = w->first;
    w->first = entry;
    w->n++;
    return 0;
}

/* ---- layout and header ----------------------------------------------------------------------------------------------
 */

/* Wide elements first, so that each tensor is aligned to its own. */
static int by_layout(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
    size_t sx = th_dtype_size(x->type), sy = th_dtype_size(y->type);
    if (sx != sy)
        return sx > sy ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int place(struct st_writer *w, struct err *e)
{
    size_t at = 0, i = 0;
    w->sorted = arena_array(&w->arena, w->n + 1, sizeof *w->sorted);
    if (!w->sorted)
        return FAIL_NOMEM(e);
    for (struct entry *t = w->first; t; t = t->next)
        w->sorted[i++] = t;
    qsort(w->sorted, w->n, sizeof *w->sorted, by_layout);
    for (i = 0; i < w->n; i++) {
        w->sorted[i]->begin = at;
        if (__builtin_add_overflow(at, w->sorted[i]->bytes, &at) || at > INT64_MAX / 2)
            return FAIL(e, ERR_BUG, "%s: too large for any file", w->path);
    }
    return 0;
}

static json_t *describe(const struct entry *t)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; i++)
        json_array_append_new(shape, json_integer(t->dims[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", st_type_name(t->type), "shape", shape, "data_offsets",
                     (json_int_t)t->begin, (json_int_t)(t->begin + t->bytes));
}

/* The header's text, malloced; NULL without memory. */
static char *header_text(const struct st_writer *w)
{
    json_t *header = json_object();
    int failed = !header;
    if (json_object_size(w->metadata) > 0)
        failed |= json_object_set(header, "__metadata__", w->metadata);
    for (size_t i = 0; i < w->n; i++)
        failed |= json_object_set_new(header, w->sorted[i]->name, describe(w->sorted[i]));
    char *text = failed ? NULL : json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(header);
    return text;
}

static int write_at(struct st_writer *w, const void *data, size_t bytes, size_t at, struct err *e)
{
    while (bytes > 0) {
        size_t part = bytes < (size_t)1 << 30 ? bytes : (size_t)1 << 30;
        ssize_t done = pwrite(w->fd, data, part, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return fail_io(w, "write", e);
        data = (const char *)data + done;
        bytes -= (size_t)done;
        at += (size_t)done;
    }
    return 0;
}

/* Length, header, and blanks up to the alignment. */
static int write_header(struct st_writer *w, struct err *e)
{
    AUTO(free) char *text = header_text(w);
    if (!text)
        return FAIL_NOMEM(e);
    size_t length = strlen(text), data = (8 + length + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
    if (data - 8 > ST_MAX_HEADER)
        return FAIL(e, ERR_BUG, "%s: the header would have %zu bytes; %zu is the most", w->path, length, ST_MAX_HEADER);
    char blanks[DATA_ALIGNMENT];
    memset(blanks, ' ', sizeof blanks);
    uint64_t padded = data - 8;
    TRY(write_at(w, &padded, sizeof padded, 0, e));
    TRY(write_at(w, text, length, 8, e));
    TRY(write_at(w, blanks, data - 8 - length, 8 + length, e));
    w->data = data;
    return 0;
}

static int lay_out(struct st_writer *w, struct err *e)
{
    if (w->data)
        return 0;
    TRY(place(w, e));
    return write_header(w, e);
}

/* ---- content --------------------------------------------------------------------------------------------------------
 */

int st_writer_put(struct st_writer *w, const char *name, const void *data, size_t bytes, struct err *e)
{
    TRY(lay_out(w, e));
    struct entry *t = map_get(&w->by_name, name, strlen(name));
    if (!t || t->put)
        return FAIL(e, ERR_BUG, "%s: '%s' %s", w->path, name, t ? "was put before" : "was not declared");
    if (bytes != t->bytes)
        return FAIL(e, ERR_BUG, "%s: '%s' takes %zu bytes, not %zu", w->path, name, t->bytes, bytes);
    TRY(write_at(w, data, bytes, w->data + t->begin, e));
    t->put = true;
    return 0;
}

static int sync_directory(struct st_writer *w, struct err *e)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", w->path);
    AUTO(close) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return fail_io(w, "sync its directory", e);
    return 0;
}

int st_writer_commit(struct st_writer *w, struct err *e)
{
    if (w->fd < 0)
        return FAIL(e, ERR_BUG, "%s: committed before", w->path);
    TRY(lay_out(w, e));
    for (size_t i = 0; i < w->n; i++)
        if (!w->sorted[i]->put)
            return FAIL(e, ERR_BUG, "%s: '%s' was declared and not put", w->path, w->sorted[i]->name);
    if (fsync(w->fd) < 0)
        return fail_io(w, "sync", e);
    if (rename(w->temp, w->path) < 0)
        return fail_io(w, "rename to it", e);
    close(w->fd);
    w->fd = -1;
    return sync_directory(w, e);
}
