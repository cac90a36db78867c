/* Reading: map, parse the header, and check every statement in it before anybody follows one. */
#include "worker/torch/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/arena.h"
#include "common/map.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors are little endian, and so must the machine be"
#endif

#define LENGTH_BYTES 8

struct safetensors {
    atomic_int holders;
    char *path;
    uint8_t *bytes;
    size_t size;
    bool mapped; /* bytes are ours to unmap */
    size_t data; /* where the elements start */
    json_t *metadata;
    struct st_tensor *tensors; /* in the arena, as are the names */
    size_t n;
    struct map by_name;
    struct arena arena;
};

static const struct {
    const char *name;
    size_t size;
    enum th_dtype type;
} types[] = {
    { "F32", 4, TH_F32 },        { "F64", 8, TH_F64 },        { "BF16", 2, TH_BF16 },      { "F16", 2, TH_F16 },
    { "I64", 8, TH_I64 },        { "I32", 4, TH_I32 },        { "I16", 2, TH_I16 },        { "I8", 1, TH_I8 },
    { "U8", 1, TH_U8 },          { "BOOL", 1, TH_BOOL },      { "U16", 2, TH_DTYPES },     { "U32", 4, TH_DTYPES },
    { "U64", 8, TH_DTYPES },     { "F8_E4M3", 1, TH_DTYPES }, { "F8_E5M2", 1, TH_DTYPES }, { "C64", 8, TH_DTYPES },
    { "F8_E8M0", 1, TH_DTYPES },
};

const char *st_type_name(enum th_dtype t)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].type == t && t != TH_DTYPES)
            return types[i].name;
    return "?";
}

const char *st_describe(const struct st_tensor *t, char *buf, size_t size)
{
    size_t at = (size_t)snprintf(buf, size, "%s[", t->type_name);
    for (int i = 0; i < t->rank && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%lld", i ? "," : "", (long long)t->dims[i]);
    if (at < size)
        snprintf(buf + at, size - at, "]");
    return buf;
}

/* ---- one entry of the header ----------------------------------------------------------------------------------------
 */

static int read_type(const json_t *j, struct st_tensor *t, size_t *element, struct err *e)
{
    const char *name = json_string_value(json_object_get(j, "dtype"));
    if (!name)
        return FAIL(e, ERR_INPUT, "dtype is not a text");
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, name) == 0) {
            t->type_name = types[i].name;
            t->type = types[i].type;
            *element = types[i].size;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "dtype '%.32s' is unknown", name);
}

/* The shape, and in *bytes the room that it takes. */
static int read_shape(const json_t *j, struct st_tensor *t, size_t *bytes, struct err *e)
{
    const json_t *shape = json_object_get(j, "shape");
    if (!json_is_array(shape))
        return FAIL(e, ERR_INPUT, "shape is not a list");
    if (json_array_size(shape) > ST_MAX_RANK)
        return FAIL(e, ERR_INPUT, "it has %zu dimensions; %d is the most", json_array_size(shape), ST_MAX_RANK);
    t->rank = (int)json_array_size(shape);
    size_t total = *bytes;
    for (int i = 0; i < t->rank; i++) {
        const json_t *size = json_array_get(shape, (size_t)i);
        t->dims[i] = json_integer_value(size);
        if (!json_is_integer(size) || t->dims[i] < 0)
            return FAIL(e, ERR_INPUT, "size %d of its shape is not a whole number from 0 on", i);
        if (__builtin_mul_overflow(total, (size_t)t->dims[i], &total) || total > INT64_MAX)
            return FAIL(e, ERR_INPUT, "its shape is too large for any file");
    }
    *bytes = total;
    return 0;
}

static int read_offset(const json_t *offsets, size_t i, size_t limit, size_t *out, struct err *e)
{
    const json_t *o = json_array_get(offsets, i);
    if (!json_is_integer(o) || json_integer_value(o) < 0)
        return FAIL(e, ERR_INPUT, "data_offsets are not two whole numbers from 0 on");
    if ((uint64_t)json_integer_value(o) > limit)
        return FAIL(e, ERR_INPUT, "data offset %lld is beyond the %zu bytes of data in the file; is the file cut off?",
                    (long long)json_integer_value(o), limit);
    *out = (size_t)json_integer_value(o);
    return 0;
}

static int read_place(const struct safetensors *f, const json_t *j, struct st_tensor *t, size_t bytes, struct err *e)
{
    const json_t *offsets = json_object_get(j, "data_offsets");
    size_t begin = 0, end = 0, limit = f->size - f->data;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return FAIL(e, ERR_INPUT, "data_offsets are not two numbers");
    TRY(read_offset(offsets, 0, limit, &begin, e));
    TRY(read_offset(offsets, 1, limit, &end, e));
    char what[200];
    if (end < begin || end - begin != bytes)
        return FAIL(e, ERR_INPUT, "%s takes %zu bytes, but data_offsets are %zu to %zu",
                    st_describe(t, what, sizeof what), bytes, begin, end);
    t->data = f->bytes + f->data + begin;
    t->bytes = bytes;
    return 0;
}

static int read_entry(const struct safetensors *f, const json_t *j, struct st_tensor *t, struct err *e)
{
    size_t bytes = 0;
    if (!json_is_object(j) || json_object_size(j) != 3)
        return FAIL(e, ERR_INPUT, "it must have dtype, shape and data_offsets, and nothing else");
    TRY(read_type(j, t, &bytes, e));
    TRY(read_shape(j, t, &bytes, e));
    return read_place(f, j, t, bytes, e);
}

/* ---- the header -----------------------------------------------------------------------------------------------------
 */

static int check_metadata(const json_t *j, struct err *e)
{
    const char *key;
    json_t *value;
    if (!json_is_object(j))
        return FAIL(e, ERR_INPUT, "__metadata__ is not an object");
    json_object_foreach((json_t *)j, key, value)
    {
        if (!json_is_string(value))
            return FAIL(e, ERR_INPUT, "__metadata__ '%.80s' is not a text", key);
    }
    return 0;
}

static int add_tensor(struct safetensors *f, const char *name, const json_t *j, struct err *e)
{
    struct st_tensor *t = &f->tensors[f->n];
    if (!name[0])
        return FAIL(e, ERR_INPUT, "a tensor has no name");
    if (read_entry(f, j, t, e) < 0)
        return err_wrap(e, "tensor '%.200s'", name);
    t->name = arena_text(&f->arena, name);
    if (!t->name)
        return FAIL_NOMEM(e);
    f->n++;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct st_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    if (x->bytes != y->bytes) /* empty ones before their neighbour */
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Every byte of data belongs to exactly one tensor: nothing overlaps, nothing is hidden between. */
static int check_cover(const struct safetensors *f, struct err *e)
{
    const uint8_t *at = f->bytes + f->data, *end = f->bytes + f->size;
    for (size_t i = 0; i < f->n; i++) {
        const struct st_tensor *t = &f->tensors[i];
        if ((const uint8_t *)t->data != at)
            return FAIL(e, ERR_INPUT, "tensor '%.200s' %s", t->name,
                        (const uint8_t *)t->data < at ? "overlaps another one" : "leaves a gap before it");
        at += t->bytes;
    }
    if (at != end)
        return FAIL(e, ERR_INPUT, "%zu bytes at its end belong to no tensor", (size_t)(end - at));
    return 0;
}

static int read_tensors(struct safetensors *f, const json_t *header, struct err *e)
{
    const char *name;
    json_t *j;
    f->tensors = arena_array(&f->arena, json_object_size(header) + 1, sizeof *f->tensors);
    if (!f->tensors)
        return FAIL_NOMEM(e);
    json_object_foreach((json_t *)header, name, j)
    {
        if (strcmp(name, "__metadata__") != 0) {
            TRY(add_tensor(f, name, j, e));
            continue;
        }
        TRY(check_metadata(j, e));
        f->metadata = json_incref(j);
    }
    qsort(f->tensors, f->n, sizeof *f->tensors, by_place);
    TRY(check_cover(f, e));
    for (size_t i = 0; i < f->n; i++)
        TRY(map_put(&f->by_name, f->tensors[i].name, strlen(f->tensors[i].name), &f->tensors[i], e));
    return 0;
}

static int read_header(struct safetensors *f, struct err *e)
{
    uint64_t length = 0;
    if (f->size < LENGTH_BYTES)
        return FAIL(e, ERR_INPUT, "it has %zu bytes; no safetensors file is that short", f->size);
    memcpy(&length, f->bytes, sizeof length);
    if (length > ST_MAX_HEADER)
        return FAIL(e, ERR_INPUT, "its header would have %llu bytes, and %zu is the most: it is no safetensors file",
                    (unsigned long long)length, ST_MAX_HEADER);
    if (length > f->size - LENGTH_BYTES)
        return FAIL(e, ERR_INPUT, "its header of %llu bytes is cut off; the file has %zu", (unsigned long long)length,
                    f->size);
    const char *text = (const char *)f->bytes + LENGTH_BYTES;
    if (!length || text[0] != '{')
        return FAIL(e, ERR_INPUT, "its header does not start with '{': it is no safetensors file");
    f->data = LENGTH_BYTES + (size_t)length;
    json_error_t why;
    json_t *header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &why);
    if (!header)
        return FAIL(e, ERR_INPUT, "its header is not JSON: %s, at byte %d of it", why.text, why.position);
    int rc = read_tensors(f, header, e);
    json_decref(header);
    return rc;
}

/* ---- files ----------------------------------------------------------------------------------------------------------
 */

static struct safetensors *create(const char *path, struct err *e)
{
    struct safetensors *f = calloc(1, sizeof *f);
    if (!f || !(f->path = strdup(path))) {
        free(f);
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    }
    f->holders = 1;
    return f;
}

/* Private and writable: whoever changes a weight in place changes only this process's copy of the page. */
static int map_file(struct safetensors *f, struct err *e)
{
    AUTO(close) int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return FAIL(e, ERR_ENV, "cannot open: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return FAIL(e, ERR_INPUT, "it is not a file");
    if (st.st_size < LENGTH_BYTES)
        return FAIL(e, ERR_INPUT, "it has %lld bytes; no safetensors file is that short", (long long)st.st_size);
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    if (at == MAP_FAILED)
        return FAIL(e, ERR_ENV, "cannot map %lld bytes: %s", (long long)st.st_size, strerror(errno));
    f->bytes = at;
    f->size = (size_t)st.st_size;
    f->mapped = true;
    return 0;
}

struct safetensors *safetensors_open(const char *path, struct err *e)
{
    AUTO(safetensors_release) struct safetensors *f = create(path, e);
    if (!f)
        return NULL;
    if (map_file(f, e) < 0 || read_header(f, e) < 0) {
        err_wrap(e, "%s", path);
        return NULL;
    }
    return TAKE(f);
}

struct safetensors *safetensors_parse(void *bytes, size_t size, const char *name, struct err *e)
{
    AUTO(safetensors_release) struct safetensors *f = create(name, e);
    if (!f)
        return NULL;
    f->bytes = bytes;
    f->size = size;
    if (read_header(f, e) < 0) {
        err_wrap(e, "%s", name);
        return NULL;
    }
    return TAKE(f);
}

struct safetensors *safetensors_hold(struct safetensors *f)
{
    atomic_fetch_add(&f->holders, 1);
    return f;
}

void safetensors_release(struct safetensors *f)
{
    if (!f || atomic_fetch_sub(&f->holders, 1) != 1)
        return;
    if (f->mapped)
        munmap(f->bytes, f->size);
    json_decref(f->metadata);
    map_free(&f->by_name);
    arena_free(&f->arena);
    free(f->path);
    free(f);
}

const char *safetensors_path(const struct safetensors *f)
{
    return f->path;
}

size_t safetensors_count(const struct safetensors *f)
{
    return f->n;
}

const struct st_tensor *safetensors_at(const struct safetensors *f, size_t i)
{
    return i < f->n ? &f->tensors[i] : NULL;
}

const struct st_tensor *safetensors_find(const struct safetensors *f, const char *name)
{
    return map_get(&f->by_name, name, strlen(name));
}

const char *safetensors_metadata(const struct safetensors *f, const char *key)
{
    return json_string_value(json_object_get(f->metadata, key));
}
