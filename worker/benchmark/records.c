#include "worker/benchmark/records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "worker/benchmark/tsv.h"
#include "worker/data/json_items.h"

struct records {
    char *name, *place;
    void *mapped;
    size_t mapped_len;
    struct tsv *table;
    struct json_items *items;
    json_t *whole, *list; /* an object that holds all records: whole, or a list in it (borrowed) */
    void *iterator;       /* of an object of objects */
    size_t n;             /* records of `whole` that were given */
    bool started;
};

void records_close(struct records *r)
{
    if (!r)
        return;
    tsv_close(r->table);
    json_items_close(r->items);
    json_decref(r->whole);
    if (r->mapped)
        munmap(r->mapped, r->mapped_len);
    free(r->name);
    free(r->place);
    free(r);
}

static int set_source(struct records *r, const char *text, size_t len, struct err *e)
{
    size_t at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < len && text[at] && strchr(" \t\r\n", text[at]))
        at++;
    if (at < len && (text[at] == '{' || text[at] == '['))
        r->items = json_items_from(text, len, r->name, e);
    else
        r->table = tsv_from(text, len, r->name, e);
    return r->items || r->table ? 0 : -1;
}

static struct records *create(const char *name, struct err *e)
{
    AUTO(records_close) struct records *r = calloc(1, sizeof *r);
    if (!r || !(r->name = strdup(name)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return TAKE(r);
}

struct records *records_from(const char *text, size_t len, const char *name, struct err *e)
{
    AUTO(records_close) struct records *r = create(name, e);
    return r && set_source(r, text, len, e) == 0 ? TAKE(r) : NULL;
}

struct records *records_open(const char *path, struct err *e)
{
    struct stat st;
    AUTO(records_close) struct records *r = create(path, e);
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (!r)
        return NULL;
    if (fd < 0 || fstat(fd, &st) < 0)
        return FAIL_NULL(e, ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return FAIL_NULL(e, ERR_INPUT, "%s: not a file; name the published TSV, JSON or JSONL file", path);
    if (st.st_size == 0)
        return FAIL_NULL(e, ERR_INPUT, "%s: empty; is the download complete?", path);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return FAIL_NULL(e, ERR_ENV, "%s: cannot map: %s", path, strerror(errno));
    r->mapped = p;
    r->mapped_len = (size_t)st.st_size;
    if (r->mapped_len >= 4 && memcmp(p, "PAR1", 4) == 0)
        return FAIL_NULL(e, ERR_INPUT, "%s: a Parquet file; tools/parquet_to_jsonl.py makes a JSONL file of it", path);
    return set_source(r, p, r->mapped_len, e) == 0 ? TAKE(r) : NULL;
}

/* ---- objects that hold all records ----------------------------------------------------------------------------------
 */

static json_t *list_in(const json_t *object)
{
    static const char *const names[] = { "data", "questions", "annotations" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json_t *list = json_object_get(object, names[i]);
        if (json_is_array(list) && json_is_object(json_array_get(list, 0)))
            return list;
    }
    return NULL;
}

static bool all_objects(const json_t *object)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v)
    {
        if (!json_is_object(v))
            return false;
    }
    return json_object_size(object) > 0;
}

/* The first object tells whether it is a record or holds them; takes it over in the second case. */
static bool unpack(struct records *r, json_t *first)
{
    r->list = list_in(first);
    bool map = !r->list && all_objects(first);
    if (r->list || map)
        r->whole = json_incref(first);
    if (map)
        r->iterator = json_object_iter(first);
    return r->whole != NULL;
}

static int next_inside(struct records *r, json_t **record, struct err *e)
{
    json_t *v = r->list ? json_array_get(r->list, r->n) : r->iterator ? json_object_iter_value(r->iterator) : NULL;
    if (!v)
        return 0;
    r->n++;
    if (!json_is_object(v))
        return FAIL(e, ERR_INPUT, "%s: a JSON object {...} is wanted here", records_place(r));
    if (r->iterator) {
        if (!json_object_get(v, "id") &&
            json_object_set_new(v, "id", json_string(json_object_iter_key(r->iterator))) < 0)
            return FAIL_NOMEM(e);
        r->iterator = json_object_iter_next(r->whole, r->iterator);
    }
    *record = json_incref(v);
    return 1;
}

int records_next(struct records *r, json_t **record, struct err *e)
{
    if (r->table)
        return tsv_next(r->table, record, e);
    if (r->whole)
        return next_inside(r, record, e);
    int rc = json_items_next(r->items, record, e);
    if (rc <= 0 || r->started)
        return rc;
    r->started = true;
    if (!unpack(r, *record))
        return 1;
    json_decref(*record);
    return next_inside(r, record, e);
}

const char *records_place(struct records *r)
{
    if (!r->table && !r->whole)
        return json_items_place(r->items);
    free(r->place);
    int n = r->table ? asprintf(&r->place, "%s:%zu", r->name, tsv_line(r->table))
                     : asprintf(&r->place, "%s, record %zu", r->name, r->n);
    if (n < 0)
        r->place = NULL;
    return r->place ? r->place : r->name;
}
