/* torch.save for a plain table of tensors: the pickle that says what there is, and a ZIP archive around it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "worker/torch/torch_file.h"

#define ALIGNMENT 64 /* of elements in the file, as PyTorch's */
#define MAX_DIRECTORY ((size_t)64 << 20)

/* ---- the archive ----------------------------------------------------------------------------------------------------
 */

struct archive {
    FILE *f;
    const char *path;
    uint64_t at;
    struct buf directory;
    uint32_t members;
};

static void add_number(struct buf *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++, v >>= 8)
        buf_add(b, &(uint8_t){ (uint8_t)v }, 1);
}

static uint32_t crc32_of(const void *bytes, size_t size)
{
    uint32_t table[256], crc = UINT32_MAX;
    const uint8_t *p = bytes;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int k = 0; k < 8; k++)
            table[i] = table[i] & 1 ? 0xedb88320u ^ table[i] >> 1 : table[i] >> 1;
    }
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

static int emit(struct archive *a, const void *bytes, size_t size, struct err *e)
{
    if (a->at + size > UINT32_MAX)
        return FAIL(e, ERR_INPUT, "%s: it would have over 4 GiB; write safetensors", a->path);
    if (size && fwrite(bytes, 1, size, a->f) != size)
        return FAIL(e, ERR_ENV, "%s: cannot write: %s", a->path, strerror(errno));
    a->at += size;
    return 0;
}

/* What the local header and the directory say alike: version, flags, method, time, date, check sum, sizes, name. */
static void add_description(struct buf *b, uint32_t crc, size_t size, const char *name)
{
    add_number(b, 20, 2); /* the version of the format that can read it */
    add_number(b, 0, 4);
    add_number(b, 0x00210000, 4); /* midnight, 1 January 1980: the same content makes the same bytes */
    add_number(b, crc, 4);
    add_number(b, size, 4);
    add_number(b, size, 4);
    add_number(b, strlen(name), 2);
}

/* An extra field of its own kind that moves the elements to a multiple of ALIGNMENT. */
static void add_padding(struct buf *b, uint64_t data_at)
{
    size_t pad = (ALIGNMENT - (data_at + 4) % ALIGNMENT) % ALIGNMENT;
    add_number(b, 0x4246, 2);
    add_number(b, pad, 2);
    for (size_t i = 0; i < pad; i++)
        buf_add(b, "Z", 1);
}

static int add_member(struct archive *a, const char *name, const void *bytes, size_t size, struct err *e)
{
    AUTO(buf_free) struct buf head = BUF_INIT(4096), extra = BUF_INIT(4096);
    uint32_t crc = crc32_of(bytes, size);
    uint64_t start = a->at;
    add_padding(&extra, start + 30 + strlen(name));
    add_number(&head, 0x04034b50, 4);
    add_description(&head, crc, size, name);
    add_number(&head, extra.len, 2);
    buf_puts(&head, name);
    buf_add(&head, extra.data, extra.len);
    TRY(buf_check(&head, "the header of a member", e));
    TRY(emit(a, head.data, head.len, e));
    TRY(emit(a, bytes, size, e));
    struct buf *d = &a->directory;
    add_number(d, 0x02014b50, 4);
    add_number(d, 20, 2);
    add_description(d, crc, size, name);
    add_number(d, 0, 2 + 2 + 2 + 2); /* extra field, comment, disk, internal attributes */
    add_number(d, 0, 4);
    add_number(d, start, 4);
    buf_puts(d, name);
    a->members++;
    return 0;
}

static int finish(struct archive *a, struct err *e)
{
    AUTO(buf_free) struct buf end = BUF_INIT(64);
    uint64_t at = a->at;
    TRY(buf_check(&a->directory, "the archive's directory", e));
    if (a->members > UINT16_MAX)
        return FAIL(e, ERR_INPUT, "%s: %u tensors are too many; write safetensors", a->path, a->members);
    TRY(emit(a, a->directory.data, a->directory.len, e));
    add_number(&end, 0x06054b50, 4);
    add_number(&end, 0, 4);
    add_number(&end, a->members, 2);
    add_number(&end, a->members, 2);
    add_number(&end, a->directory.len, 4);
    add_number(&end, at, 4);
    add_number(&end, 0, 2);
    TRY(buf_check(&end, "the archive's end", e));
    return emit(a, end.data, end.len, e);
}

/* ---- the pickle -----------------------------------------------------------------------------------------------------
 */

static void pickle_text(struct buf *b, const char *text)
{
    buf_puts(b, "X");
    add_number(b, strlen(text), 4);
    buf_puts(b, text);
}

/* BININT where it fits, else LONG1. */
static void pickle_number(struct buf *b, int64_t v)
{
    bool small = v >= INT32_MIN && v <= INT32_MAX;
    buf_puts(b, small ? "J" : "\x8a\x08");
    add_number(b, (uint64_t)v, small ? 4 : 8);
}

static const char *storage_class(enum th_dtype t)
{
    static const char *const names[TH_DTYPES] = {
        [TH_F32] = "FloatStorage", [TH_F64] = "DoubleStorage", [TH_BF16] = "BFloat16Storage", [TH_F16] = "HalfStorage",
        [TH_I64] = "LongStorage",  [TH_I32] = "IntStorage",    [TH_I16] = "ShortStorage",     [TH_I8] = "CharStorage",
        [TH_U8] = "ByteStorage",   [TH_BOOL] = "BoolStorage",
    };
    return names[t];
}

static int64_t elements_of(const struct torch_file_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dims[i];
    return n;
}

static void pickle_sizes(struct buf *b, const struct torch_file_tensor *t)
{
    buf_puts(b, "(");
    for (int i = 0; i < t->rank; i++)
        pickle_number(b, t->dims[i]);
    buf_puts(b, "t(");
    for (int i = 0; i < t->rank; i++) {
        int64_t stride = 1;
        for (int k = i + 1; k < t->rank; k++)
            stride *= t->dims[k];
        pickle_number(b, stride);
    }
    buf_puts(b, "t");
}

/* torch._utils._rebuild_tensor_v2(storage, 0, sizes, strides, False, OrderedDict()) */
static void pickle_tensor(struct buf *b, const struct torch_file_tensor *t, size_t key)
{
    char name[24];
    snprintf(name, sizeof name, "%zu", key);
    buf_puts(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_text(b, "storage");
    buf_printf(b, "ctorch\n%s\n", storage_class(t->type));
    pickle_text(b, name);
    pickle_text(b, "cpu");
    pickle_number(b, elements_of(t));
    buf_puts(b, "tQ");
    pickle_number(b, 0);
    pickle_sizes(b, t);
    buf_puts(b, "\x89"
                "ccollections\nOrderedDict\n)RtR");
}

static void pickle_table(struct buf *b, const struct torch_file_tensor *tensors, size_t n)
{
    buf_puts(b, "\x80\x02}(");
    for (size_t i = 0; i < n; i++) {
        pickle_text(b, tensors[i].name);
        pickle_tensor(b, &tensors[i], i);
    }
    buf_puts(b, "u.");
}

/* ---- the file -------------------------------------------------------------------------------------------------------
 */

static int write_members(struct archive *a, const struct torch_file_tensor *tensors, size_t n, struct err *e)
{
    AUTO(buf_free) struct buf table = BUF_INIT(MAX_DIRECTORY);
    pickle_table(&table, tensors, n);
    TRY(buf_check(&table, "the table of tensors", e));
    TRY(add_member(a, "archive/data.pkl", table.data, table.len, e));
    TRY(add_member(a, "archive/byteorder", "little", 6, e));
    for (size_t i = 0; i < n; i++) {
        char name[40];
        snprintf(name, sizeof name, "archive/data/%zu", i);
        TRY(add_member(a, name, tensors[i].data, tensors[i].bytes, e));
    }
    TRY(add_member(a, "archive/version", "3\n", 2, e));
    return finish(a, e);
}

static int write_draft(const char *draft, const char *path, const struct torch_file_tensor *tensors, size_t n,
                       struct err *e)
{
    struct archive a = { .f = fopen(draft, "we"), .path = path, .directory = BUF_INIT(MAX_DIRECTORY) };
    if (!a.f)
        return FAIL(e, ERR_ENV, "%s: cannot create: %s", draft, strerror(errno));
    int rc = write_members(&a, tensors, n, e);
    if (rc == 0 && (fflush(a.f) != 0 || fsync(fileno(a.f)) != 0))
        rc = FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
    fclose(a.f);
    buf_free(&a.directory);
    return rc;
}

int torch_file_write(const char *path, const struct torch_file_tensor *tensors, size_t n, struct err *e)
{
    char draft[4096];
    if (snprintf(draft, sizeof draft, "%s.tmp%ld", path, (long)getpid()) >= (int)sizeof draft)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", path);
    for (size_t i = 0; i < n; i++)
        if (tensors[i].bytes != (size_t)elements_of(&tensors[i]) * th_dtype_size(tensors[i].type))
            return FAIL(e, ERR_BUG, "%s: the bytes of '%s' are not what its shape says", path, tensors[i].name);
    int rc = write_draft(draft, path, tensors, n, e);
    if (rc == 0 && rename(draft, path) < 0)
        rc = FAIL(e, ERR_ENV, "%s: cannot rename: %s", path, strerror(errno));
    if (rc < 0)
        unlink(draft);
    return rc;
}
