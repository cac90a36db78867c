#include "worker/torch/torch_file.h"

#include <stdio.h>
#include <string.h>

#include "worker/torch/pickle.h"
#include "worker/torch/safetensors_impl.h"
#include "worker/torch/zip.h"

#define MAX_PREFIX 256

bool torch_file_is(const char *path)
{
    uint8_t head[4];
    const char *dot = strrchr(path, '.');
    if (dot && (strcmp(dot, ".bin") == 0 || strcmp(dot, ".pt") == 0 || strcmp(dot, ".pth") == 0))
        return true;
    AUTO(fclose) FILE *f = fopen(path, "re");
    return f && fread(head, 1, sizeof head, f) == sizeof head && zip_is(head, sizeof head);
}

/* All members lie below one folder, whose name is that of the file when it was saved: "archive/", to its slash. */
static int find_prefix(const struct zip *z, char prefix[MAX_PREFIX], struct err *e)
{
    for (size_t i = 0; i < z->n; i++) {
        const char *name = z->members[i].name, *slash = strchr(name, '/');
        if (slash && strcmp(slash, "/data.pkl") == 0 && slash - name < MAX_PREFIX - 1) {
            snprintf(prefix, MAX_PREFIX, "%.*s", (int)(slash - name + 1), name);
            return 0;
        }
    }
    return FAIL(e, ERR_INPUT, "there is no data.pkl in it: torch.save did not write this");
}

static const struct zip_member *find_member(const struct zip *z, const char *prefix, const char *folder,
                                            const char *name)
{
    char path[MAX_PREFIX + 300];
    snprintf(path, sizeof path, "%s%s%s", prefix, folder, name);
    return zip_find(z, path);
}

static int check_byte_order(const struct zip *z, const char *prefix, struct err *e)
{
    const struct zip_member *m = find_member(z, prefix, "", "byteorder");
    if (!m || (m->size == 6 && memcmp(m->data, "little", 6) == 0))
        return 0;
    return FAIL(e, ERR_INPUT, "it was written on a machine with another byte order; save it again on this one");
}

/* Do elements follow each other row by row? Dimensions of size 1 may have any stride. */
static bool is_contiguous(const struct pickle_tensor *t)
{
    int64_t step = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->dims[i] != 1 && t->strides[i] != step)
            return false;
        if (__builtin_mul_overflow(step, t->dims[i], &step))
            return false;
    }
    return true;
}

/* Its elements, or -1 when there are too many for any file. */
static int64_t elements_of(const struct pickle_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(n, t->dims[i], &n))
            return -1;
    return n;
}

static int place_tensor(const struct zip *z, const char *prefix, const struct pickle_tensor *from, struct st_tensor *to,
                        struct err *e)
{
    const struct zip_member *m = find_member(z, prefix, "data/", from->key);
    int64_t size = (int64_t)th_dtype_size(from->type), n = elements_of(from), bytes, end;
    if (!m)
        return FAIL(e, ERR_INPUT, "its elements, data/%.40s, are not in the file", from->key);
    if (__builtin_mul_overflow(from->storage, size, &bytes) || (uint64_t)bytes != m->size)
        return FAIL(e, ERR_INPUT, "its storage should have %lld elements, but data/%.40s has %zu bytes",
                    (long long)from->storage, from->key, m->size);
    if (n < 0 || __builtin_add_overflow(from->offset, n, &end) || end > from->storage)
        return FAIL(e, ERR_INPUT, "it goes beyond the end of its storage");
    if (n > 0 && !is_contiguous(from))
        return FAIL(e, ERR_INPUT, "it does not lie row by row; save it again after .contiguous()");
    *to = (struct st_tensor){ .name = from->name,
                              .type_name = from->type_name,
                              .type = from->type,
                              .rank = from->rank,
                              .data = (void *)(m->data + from->offset * size),
                              .bytes = (size_t)(n * size) };
    memcpy(to->dims, from->dims, sizeof to->dims);
    return 0;
}

static int place_all(struct safetensors *f, const struct zip *z, const char *prefix, struct err *e)
{
    const struct zip_member *table = find_member(z, prefix, "", "data.pkl");
    struct pickle_tensor *list;
    size_t n;
    if (!table)
        return FAIL(e, ERR_INPUT, "there is no data.pkl in it");
    TRY(pickle_read_tensors(table->data, table->size, &f->arena, &list, &n, e));
    f->tensors = arena_array(&f->arena, n + 1, sizeof *f->tensors);
    if (!f->tensors)
        return FAIL_NOMEM(e);
    for (; f->n < n; f->n++)
        if (place_tensor(z, prefix, &list[f->n], &f->tensors[f->n], e) < 0)
            return err_wrap(e, "tensor '%.200s'", list[f->n].name);
    return st_file_index(f, e);
}

static int read_archive(struct safetensors *f, struct err *e)
{
    AUTO(zip_free) struct zip z = { 0 };
    char prefix[MAX_PREFIX];
    if (!zip_is(f->bytes, f->size))
        return FAIL(e, ERR_INPUT, "it is no file of PyTorch 1.6 or later; load and save it again with torch");
    TRY(zip_read(f->bytes, f->size, &z, e));
    TRY(find_prefix(&z, prefix, e));
    TRY(check_byte_order(&z, prefix, e));
    return place_all(f, &z, prefix, e);
}

struct safetensors *torch_file_open(const char *path, struct err *e)
{
    AUTO(safetensors_release) struct safetensors *f = st_file_create(path, e);
    if (!f)
        return NULL;
    if (st_file_map(f, e) < 0 || read_archive(f, e) < 0) {
        err_wrap(e, "%s", path);
        return NULL;
    }
    return TAKE(f);
}

struct safetensors *torch_file_parse(void *bytes, size_t size, const char *name, struct err *e)
{
    AUTO(safetensors_release) struct safetensors *f = st_file_create(name, e);
    if (!f)
        return NULL;
    f->bytes = bytes;
    f->size = size;
    if (read_archive(f, e) < 0) {
        err_wrap(e, "%s", name);
        return NULL;
    }
    return TAKE(f);
}
