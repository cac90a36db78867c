#include "worker/torch/zip.h"

#include <string.h>

/* Signatures and fixed lengths of the format's records. */
enum {
    LOCAL = 0x04034b50,
    LOCAL_BYTES = 30,
    CENTRAL = 0x02014b50,
    CENTRAL_BYTES = 46,
    END = 0x06054b50,
    END_BYTES = 22,
    END64 = 0x06064b50,
    END64_BYTES = 56,
    LOCATOR = 0x07064b50,
    LOCATOR_BYTES = 20,
    EXTRA_ZIP64 = 1,
    MAX_COMMENT = 0xffff,
};

struct bytes {
    const uint8_t *at;
    size_t size;
};

static uint64_t number(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static uint32_t u16(const uint8_t *p)
{
    return (uint32_t)number(p, 2);
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)number(p, 4);
}

static bool within(struct bytes b, uint64_t from, uint64_t len)
{
    return from <= b.size && len <= b.size - from;
}

bool zip_is(const void *bytes, size_t size)
{
    return size >= 4 && u32(bytes) == LOCAL;
}

/* ---- where the directory is -----------------------------------------------------------------------------------------
 */

struct directory {
    uint64_t at, size, n;
};

static int find_end(struct bytes b, size_t *at, struct err *e)
{
    size_t lowest = b.size > END_BYTES + MAX_COMMENT ? b.size - END_BYTES - MAX_COMMENT : 0;
    for (size_t i = b.size < END_BYTES ? 0 : b.size - END_BYTES + 1; i-- > lowest;)
        if (u32(b.at + i) == END) {
            *at = i;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "its end is missing: the file is cut off, fetch it again");
}

/* The wide record, where the narrow one is too narrow. */
static int read_end64(struct bytes b, size_t end, struct directory *d, struct err *e)
{
    if (end < LOCATOR_BYTES || u32(b.at + end - LOCATOR_BYTES) != LOCATOR)
        return 0;
    uint64_t at = number(b.at + end - LOCATOR_BYTES + 8, 8);
    if (!within(b, at, END64_BYTES) || u32(b.at + at) != END64)
        return FAIL(e, ERR_INPUT, "the archive's directory is damaged");
    *d = (struct directory){ .n = number(b.at + at + 32, 8),
                             .size = number(b.at + at + 40, 8),
                             .at = number(b.at + at + 48, 8) };
    return 0;
}

static int find_directory(struct bytes b, struct directory *d, struct err *e)
{
    size_t end;
    TRY(find_end(b, &end, e));
    const uint8_t *p = b.at + end;
    *d = (struct directory){ .n = u16(p + 10), .size = u32(p + 12), .at = u32(p + 16) };
    TRY(read_end64(b, end, d, e));
    if (!within(b, d->at, d->size) || d->n > d->size / CENTRAL_BYTES)
        return FAIL(e, ERR_INPUT, "the archive's directory lies outside of the file; is it cut off?");
    return 0;
}

/* ---- one member -----------------------------------------------------------------------------------------------------
 */

/* What did not fit into 32 bits stands, in this order, in an extra field. */
static void widen(const uint8_t *extra, size_t size, uint64_t *stored, uint64_t *packed, uint64_t *offset)
{
    for (size_t at = 0; at + 4 <= size;) {
        size_t len = u16(extra + at + 2), used = at + 4, end = used + len;
        if (end > size)
            return;
        uint64_t *fields[] = { stored, packed, offset };
        for (size_t i = 0; u16(extra + at) == EXTRA_ZIP64 && i < ARRAY_LEN(fields); i++)
            if (*fields[i] == UINT32_MAX && used + 8 <= end) {
                *fields[i] = number(extra + used, 8);
                used += 8;
            }
        at = end;
    }
}

/* Its bytes lie behind its local header, whose name and extra field have lengths of their own. */
static int locate(struct bytes b, uint64_t offset, uint64_t size, struct zip_member *m, struct err *e)
{
    if (!within(b, offset, LOCAL_BYTES) || u32(b.at + offset) != LOCAL)
        return FAIL(e, ERR_INPUT, "'%.100s' is not where the directory says", m->name);
    uint64_t start = offset + LOCAL_BYTES + u16(b.at + offset + 26) + u16(b.at + offset + 28);
    if (!within(b, start, size))
        return FAIL(e, ERR_INPUT, "'%.100s' lies beyond the end of the file; is it cut off?", m->name);
    m->data = b.at + start;
    m->size = (size_t)size;
    return 0;
}

/* *at: of its entry in the directory `d`; moves behind it. */
static int read_member(struct zip *z, struct bytes b, struct bytes d, size_t *at, struct err *e)
{
    const uint8_t *p = d.at + *at;
    if (!within(d, *at, CENTRAL_BYTES) || u32(p) != CENTRAL)
        return FAIL(e, ERR_INPUT, "the archive's directory is damaged");
    size_t name = u16(p + 28), extra = u16(p + 30), comment = u16(p + 32);
    if (!within(d, *at + CENTRAL_BYTES, name + extra + comment))
        return FAIL(e, ERR_INPUT, "the archive's directory is damaged");
    struct zip_member *m = &z->members[z->n];
    uint64_t packed = u32(p + 20), size = u32(p + 24), offset = u32(p + 42);
    widen(p + CENTRAL_BYTES + name, extra, &size, &packed, &offset);
    if (!(m->name = arena_text_n(&z->arena, (const char *)p + CENTRAL_BYTES, name)))
        return FAIL_NOMEM(e);
    if (u16(p + 10) != 0 || (u16(p + 8) & 1) || packed != size)
        return FAIL(e, ERR_INPUT, "'%.100s' is compressed or encrypted; torch.save stores members as they are",
                    m->name);
    TRY(locate(b, offset, size, m, e));
    TRY(map_put(&z->by_name, m->name, strlen(m->name), m, e));
    z->n++;
    *at += CENTRAL_BYTES + name + extra + comment;
    return 0;
}

int zip_read(const void *bytes, size_t size, struct zip *out, struct err *e)
{
    struct bytes b = { bytes, size };
    struct directory d;
    *out = (struct zip){ 0 };
    TRY(find_directory(b, &d, e));
    out->members = arena_array(&out->arena, (size_t)d.n + 1, sizeof *out->members);
    if (!out->members)
        return FAIL_NOMEM(e);
    size_t at = 0;
    for (uint64_t i = 0; i < d.n; i++)
        TRY(read_member(out, b, (struct bytes){ b.at + d.at, (size_t)d.size }, &at, e));
    return 0;
}

void zip_free(struct zip *z)
{
    map_free(&z->by_name);
    arena_free(&z->arena);
    *z = (struct zip){ 0 };
}

const struct zip_member *zip_find(const struct zip *z, const char *name)
{
    return map_get(&z->by_name, name, strlen(name));
}
